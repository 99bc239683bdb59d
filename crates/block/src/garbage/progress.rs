//! How a collection goes.

/// What a collection is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CollectionStage {
    /// There was none since the store was opened.
    #[default]
    None,
    /// It finds what is alive.
    Mark,
    /// It takes what is dead out of the index.
    Sweep,
    /// It rewrites segments.
    Compact,
    /// It has done all of it.
    Done,
}

/// How far a collection is. Sums are over what it has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionProgress {
    /// What it is at, or was at when it ended.
    pub stage: CollectionStage,
    /// Whether it is under way.
    pub is_running: bool,
    /// Blocks that it has come to. One without links that is linked to from several places counts several times.
    pub marked_blocks: u64,
    /// Blocks that stay in the index.
    pub live_blocks: u64,
    /// Their frames, in bytes.
    pub live_bytes: u64,
    /// Blocks that went from the index.
    pub dead_blocks: u64,
    /// Their frames, in bytes.
    pub dead_bytes: u64,
    /// Segments that are to be retired.
    pub victims: u64,
    /// Segments that were retired.
    pub retired: u64,
    /// What they took on the disk, in bytes.
    pub retired_bytes: u64,
    /// Frames that were written anew, in bytes.
    pub copied_bytes: u64,
    /// Segments that could not be retired, since something in them is damaged.
    pub damaged: u64,
    /// Memory that the marks took, in bytes, at most.
    pub memory_bytes: u64,
}

impl CollectionProgress {
    /// Of a collection that begins.
    pub(super) fn begun() -> Self {
        Self { stage: CollectionStage::Mark, is_running: true, ..Self::default() }
    }
}
