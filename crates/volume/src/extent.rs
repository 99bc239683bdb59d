//! Where a stretch of a file's content lies.

use crate::dirty_block::DirtyBlock;
use block::Name;
use std::sync::Arc;

/// A stretch of a file and the bytes in it. It starts at an offset that its key holds, and never crosses a multiple of
/// [`crate::limits::CHUNK_BYTES`].
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// Bytes of the file that it covers; never 0.
    pub(crate) length: u32,
    /// Where its first byte lies in the source.
    pub(crate) source_offset: u32,
    pub(crate) source: Source,
}

/// What an extent's bytes are part of.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A block of the store.
    Stored(Name),
    /// Bytes in memory that will become a block.
    Dirty(Arc<DirtyBlock>),
}

impl Source {
    /// The block of the store that the bytes are in, if they are in one.
    pub(crate) fn stored_name(&self) -> Option<Name> {
        match self {
            Self::Stored(name) => Some(*name),
            Self::Dirty(dirty) => dirty.stored_name(),
        }
    }
}

impl Extent {
    /// The part of the extent that begins `skip` bytes behind its start and has `length` bytes.
    pub(crate) fn part(&self, skip: u32, length: u32) -> Self {
        debug_assert!(skip + length <= self.length && length > 0);
        Self { length, source_offset: self.source_offset + skip, source: self.source.clone() }
    }
}
