//! A block: links and body.

use crate::Name;
use bytes::Bytes;

/// Longest body of a block, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Most links of a block.
pub const LINKS_MAX: usize = 1 << 14;

/// Immutable bytes, and the names of the blocks they refer to.
///
/// Links stand apart from the body because they are the one thing about a block that every layer must be able to read: the
/// garbage collector marks along them, a mirror copies along them, and a replica without the key follows them although it
/// cannot read the body. A body refers to a link by its position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The blocks that this one refers to. At most [`LINKS_MAX`].
    pub links: Vec<Name>,
    /// The content. At most [`BODY_BYTES_MAX`] bytes.
    pub body: Bytes,
}

/// Separates the names of blocks with links from those of plain data.
const LINKED_CONTEXT: &str = "Pantala 2026-11 block with links";

impl Block {
    /// A block without links.
    pub fn data(body: Bytes) -> Self {
        Self { links: Vec::new(), body }
    }

    /// The block's name: BLAKE3 of the body for a block without links; otherwise BLAKE3 in key-derivation mode
    /// of the number of links (u32), the links, and the body, so that no data block can pass for a linked one.
    pub fn name(&self) -> Name {
        if self.links.is_empty() {
            return Name::from_bytes(*blake3::hash(&self.body).as_bytes());
        }
        let mut hasher = blake3::Hasher::new_derive_key(LINKED_CONTEXT);
        hasher.update(&(self.links.len() as u32).to_le_bytes());
        for link in &self.links {
            hasher.update(link.as_bytes());
        }
        hasher.update(&self.body);
        Name::from_bytes(*hasher.finalize().as_bytes())
    }
}
