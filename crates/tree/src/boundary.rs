//! Where a node ends.
//!
//! The rule sees only the entries of the node so far, so it gives the same nodes for the same entries, whatever the history. It
//! looks at keys and sizes, never at values or names: changing a value moves no boundary but by its length. An entry ends a node
//! with a chance in proportion to its size, so nodes have about the same size whether entries are long or short, and after an
//! edit the old boundaries are found again within a node or two.

use crate::limits::{NODE_BYTES_MAX, NODE_BYTES_MIN, NODE_BYTES_SPREAD};
use xxhash_rust::xxh3::xxh3_64;

/// Whether a node of `node_bytes`, its last entry included, ends with that entry of `entry_bytes`.
pub(crate) fn ends_node(node_bytes: usize, entry_bytes: usize, key: &[u8]) -> bool {
    if node_bytes < NODE_BYTES_MIN {
        return false;
    }
    node_bytes >= NODE_BYTES_MAX || xxh3_64(key) / entry_bytes as u64 <= u64::MAX / NODE_BYTES_SPREAD as u64
}
