//! The index: where in the log a block lies.
//!
//! Invariants:
//! - It is derived. Everything in it can be found again by reading the log.
//! - It holds only what is durable in the log. An entry whose frame a crash took away would make [`crate::Blocks::put`] skip
//!   writing a block that is not there.
//! - Entries, roots, totals and the watermark of one update appear together or not at all, and updates appear in order.
//! - Every block below the watermark is in it, but for those that a garbage collection removed.

mod fjall;
mod memory;
mod private_copy;
mod reopened;
mod table_lists;

pub use memory::MemoryIndex;
pub use reopened::FjallIndex;

use crate::pieces::PieceHashes;
use crate::{Name, Position, Result, StoreId};

/// A map from names to places in the log.
pub trait Index: Send + Sync {
    /// Where the block with this name lies.
    fn get(&self, name: &Name) -> Result<Option<Location>>;

    /// Whether there is an entry for the name.
    fn contains(&self, name: &Name) -> Result<bool> {
        Ok(self.get(name)?.is_some())
    }

    /// Up to `count` entries in the order of their names, from a name on.
    fn scan(&self, from: &Name, count: usize) -> Result<Vec<(Name, Location)>>;

    /// What the last update left; `None` for an index that belongs to no store yet.
    fn state(&self) -> Result<Option<IndexState>>;

    /// Takes in what became durable in the log, all of it or nothing, and makes it durable.
    fn apply(&self, update: &IndexUpdate) -> Result<()>;

    /// What the layer above has noted under a key. Notes are derived as the index is: they may be gone whenever it is made again.
    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Up to `count` notes in the order of their keys, from a key on.
    fn notes(&self, from: &[u8], count: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Takes notes, and removes those without a value: all of them or none. A crash may take the last ones with it.
    fn write_notes(&self, notes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<()>;

    /// Goes up each time that the last notes may be gone, though nothing was closed.
    fn generation(&self) -> u64 {
        0
    }

    /// Belongs to the store from now on, without entries and with the watermark at the start. An index that has entries may refuse.
    fn reset(&self, store: StoreId) -> Result<()>;
}

/// Where a block's frame lies, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Where the frame begins.
    pub position: Position,
    /// Bytes of its payload: links and stored body, with the hashes of its pieces.
    pub payload_bytes: u32,
    /// Bytes of its body before compression; 0 if it has links.
    pub data_bytes: u32,
    /// Whether it has links: a block without any need not be read to find what it keeps alive.
    pub has_links: bool,
}

impl Location {
    /// Length of the whole frame in the log.
    pub(crate) fn frame_bytes(&self) -> u32 {
        crate::frame::frame_bytes(self.payload_bytes)
    }

    /// Whether the body lies as it is, behind no links.
    pub(crate) fn is_raw(&self) -> bool {
        self.has_hashes() || !self.has_links && self.payload_bytes == self.data_bytes
    }

    /// Whether the hashes of its pieces stand behind the body, which lies as it is then.
    pub(crate) fn has_hashes(&self) -> bool {
        let hashes_bytes = PieceHashes::bytes_of(self.data_bytes as usize) as u32;
        !self.has_links && hashes_bytes > 0 && self.payload_bytes == self.data_bytes + hashes_bytes
    }
}

/// What an index knows beside its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// The store that it belongs to.
    pub store: StoreId,
    /// Every frame below this is in the index.
    pub watermark: Position,
    /// The newest root of each stream below the watermark.
    pub roots: Vec<(u64, Position)>,
    /// Sums over the frames below the watermark.
    pub totals: Totals,
    /// A block with links that lies below this may lack what it links to.
    pub whole_from: Position,
}

/// One step of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexUpdate {
    /// New entries; a later one replaces an earlier one of the same name.
    pub entries: Vec<(Name, Location)>,
    /// Names that go. None of them is among the new entries.
    pub removed: Vec<Name>,
    /// New roots; a later one replaces an earlier one of the same stream.
    pub roots: Vec<(u64, Position)>,
    /// Streams whose roots go.
    pub removed_streams: Vec<u64>,
    /// The new watermark.
    pub watermark: Position,
    /// The new sums.
    pub totals: Totals,
    /// A block with links that lies below this may lack what it links to.
    pub whole_from: Position,
}

/// Sums over the blocks that are there, and the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that hold blocks.
    pub blocks: u64,
    /// Their payload: links and bodies as stored, in bytes.
    pub stored_bytes: u64,
    /// Bodies of blocks without links before compression, in bytes.
    pub data_bytes: u64,
    /// All frames that were ever written, those of records and the padding included, in bytes.
    pub log_bytes: u64,
}

impl Totals {
    /// Counts a block.
    pub(crate) fn add(&mut self, location: &Location) {
        self.blocks += 1;
        self.stored_bytes += location.payload_bytes as u64;
        self.data_bytes += location.data_bytes as u64;
    }

    /// Counts a block no more.
    pub(crate) fn remove(&mut self, location: &Location) {
        self.blocks = self.blocks.saturating_sub(1);
        self.stored_bytes = self.stored_bytes.saturating_sub(location.payload_bytes as u64);
        self.data_bytes = self.data_bytes.saturating_sub(location.data_bytes as u64);
    }
}
