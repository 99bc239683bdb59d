//! The Merkle B+tree: an ordered map from byte strings to values and links, kept as immutable blocks.
//!
//! A [`Tree`] is a root name and nothing else; whoever has the name has the whole map. [`Tree::apply`] takes a sorted batch of
//! edits and gives a new tree that shares every untouched node with the old one.
//!
//! Invariants:
//!
//! - **Canonical shape.** Where one node ends and the next begins is decided by the entries alone (`boundary`), never by the
//!   order in which they arrived. Two trees with equal content have equal root names, whatever their history: on two replicas,
//!   after a restore, after a merge. The model test holds every batch against a tree built from nothing.
//! - **Children before parents.** A node is put only after everything it links to.
//! - **Links are the entries' links, in order.** A leaf entry may have one (to a data block), an inner entry always has one (to
//!   its child). So whoever reads links alone, without decoding a node, still finds everything below a root.
//! - **An inner entry's key is the first key of its child.**
//!
//! What this crate deliberately does not know: inodes, files, and where blocks lie.

mod apply;
mod boundary;
mod cursor;
mod damage;
mod diff;
mod edit;
mod error;
mod fingers;
mod in_use;
mod limits;
mod node;
mod nodes;
mod range;
mod tree;
mod walk;
mod writer;

pub use damage::Lack;
pub use diff::{Difference, Mapped};
pub use edit::Edit;
pub use error::{Error, Result};
pub use limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use node::Entry;
pub use nodes::Nodes;
pub use range::Range;
pub use tree::Tree;
pub use walk::Visited;

/// Feeds arbitrary bytes to the node decoder, for fuzzing: it may refuse them, and must not panic. The first byte is the number of
/// links.
#[doc(hidden)]
pub fn fuzz_node(bytes: &[u8]) {
    let Some((links, body)) = bytes.split_first() else { return };
    let links = (0..*links).map(|number| block::Name::from_bytes([number; block::Name::BYTES])).collect();
    let block = block::Block { links, body: bytes::Bytes::copy_from_slice(body) };
    if let Ok(node) = node::Node::decode(block) {
        let entries: Vec<_> = (0..node.len()).map(|index| node.entry(index)).collect();
        assert!(entries.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
}
