//! What a store says about itself.

/// Figures of a store, since it was made unless they say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Segments of the log.
    pub segments: u64,
    /// Bytes of all frames that were ever appended, the padding between them included.
    pub log_bytes: u64,
    /// Blocks that are there; one that two threads put at the same moment may count twice. What is dead counts until a collection
    /// has found that.
    pub blocks: u64,
    /// Bytes of the blocks' links and bodies as they are stored.
    pub stored_bytes: u64,
    /// Bytes of the bodies of blocks without links, before compression.
    pub data_bytes: u64,
    /// Blocks that were put although they were there, since the store was opened.
    pub deduplicated: u64,
    /// Blocks read from the disk since the store was opened.
    pub reads: u64,
    /// Frames written since the store was opened.
    pub writes: u64,
    /// Rounds of syncing the disk since the store was opened; concurrent callers share one.
    pub syncs: u64,
}

/// What the log takes on the disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of it, but for what is reserved and not yet written.
    pub stored_bytes: u64,
    /// Frames of blocks that are there. What died since the last collection counts.
    pub live_bytes: u64,
    /// The rest: dead blocks, records that are over, what collections have left.
    pub dead_bytes: u64,
}

/// Whether the store takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// It does not, until [`crate::Store::come_back`] succeeds or it is opened again: a write or a sync failed, and what the disk
    /// holds since then is unknown.
    ReadOnly {
        /// The first failure.
        reason: String,
        /// What was accepted and cannot be read back, so that the store cannot come back.
        lost: Option<String>,
    },
}
