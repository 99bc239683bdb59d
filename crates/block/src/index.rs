//! The index: where in the log a block lies.
//!
//! Invariants:
//! - It is derived. Everything in it can be found again by reading the log.
//! - It holds only what is durable in the log. An entry whose frame a crash took away would make [`crate::Blocks::put`] skip
//!   writing a block that is not there.
//! - Entries, roots, totals and the watermark of one update appear together or not at all, and updates appear in order.
//! - Every frame below the watermark is in it.

mod fjall;
mod memory;

pub use fjall::FjallIndex;
pub use memory::MemoryIndex;

use crate::{Name, Position, Result, StoreId};

/// A map from names to places in the log.
pub trait Index: Send + Sync {
    /// Where the block with this name lies.
    fn get(&self, name: &Name) -> Result<Option<Location>>;

    /// Whether there is an entry for the name.
    fn contains(&self, name: &Name) -> Result<bool> {
        Ok(self.get(name)?.is_some())
    }

    /// What the last update left; `None` for an index that belongs to no store yet.
    fn state(&self) -> Result<Option<IndexState>>;

    /// Takes in what became durable in the log, all of it or nothing, and makes it durable.
    fn apply(&self, update: &IndexUpdate) -> Result<()>;

    /// Belongs to the store from now on, without entries and with the watermark at the start. An index that has entries may refuse.
    fn reset(&self, store: StoreId) -> Result<()>;
}

/// Where a block's frame lies, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Where the frame begins.
    pub position: Position,
    /// Bytes of its payload: links and stored body.
    pub payload_bytes: u32,
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
}

/// One step of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexUpdate {
    /// New entries; a later one replaces an earlier one of the same name.
    pub entries: Vec<(Name, Location)>,
    /// New roots; a later one replaces an earlier one of the same stream.
    pub roots: Vec<(u64, Position)>,
    /// The new watermark.
    pub watermark: Position,
    /// The new sums.
    pub totals: Totals,
}

/// Sums over a part of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames that hold blocks.
    pub blocks: u64,
    /// Their payload: links and bodies as stored, in bytes.
    pub stored_bytes: u64,
    /// Bodies of blocks without links before compression, in bytes.
    pub data_bytes: u64,
    /// All frames, those of records and the padding included, in bytes.
    pub log_bytes: u64,
}
