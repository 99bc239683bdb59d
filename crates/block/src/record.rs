//! Records: what the layers above append to the log beside blocks, to find their state again.

use crate::{Name, Position};
use bytes::Bytes;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Something that was accepted and is not yet part of a root: an entry of a stream's journal.
    Intent,
    /// A whole state of its stream. The newest one counts.
    Root,
}

/// An entry of one stream in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the record says.
    pub kind: RecordKind,
    /// Whose it is: a volume, or 0 for the pool's catalog.
    pub stream: u64,
    /// The blocks that the record keeps alive. At most [`crate::LINKS_MAX`].
    pub links: Vec<Name>,
    /// The content. At most [`crate::BODY_BYTES_MAX`] bytes.
    pub body: Bytes,
}

/// A record and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where the record begins.
    pub position: Position,
    /// The record.
    pub record: Record,
}
