//! Where the log is: what is given out, what is written, what is durable.

use super::Place;
use super::ahead::Ahead;
use super::comeback::Accepted;
use crate::limits::SEGMENT_BYTES_MAX;
use crate::segment_file::SegmentFile;
use crate::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind};
use crate::segments::Segments;
use crate::{Error, Position, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A position, and how many bytes of frames lie below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The position.
    pub(crate) position: Position,
    /// Bytes of frames below it.
    pub(crate) log_bytes: u64,
}

/// The segment that is written, and how far.
#[derive(Clone)]
pub(crate) struct Head {
    /// The segment.
    pub(crate) file: Arc<SegmentFile>,
    /// Where the next frame goes.
    pub(crate) mark: Mark,
    /// Where the segment has no more room.
    pub(crate) end: u32,
    /// Whether the segment's name may not be durable yet.
    pub(crate) is_new: bool,
}

impl Head {
    /// Makes a segment that follows on a mark and has room for a frame.
    pub(crate) fn in_new_segment(
        segments: &Segments,
        segment_bytes: u64,
        frame_bytes: u32,
        number: u32,
        follows: &Mark,
        durable: Position,
    ) -> Result<Self> {
        let header = SegmentHeader {
            store: segments.store(),
            number,
            follows: follows.position,
            durable,
            kind: SegmentKind::Frames,
        };
        let bytes_min = SEGMENT_HEADER_BYTES as u64 + frame_bytes as u64;
        let bytes = segment_bytes.clamp(bytes_min, SEGMENT_BYTES_MAX);
        let (file, bytes) = segments.create(&header, bytes, bytes_min)?;
        let mark = Mark { position: SegmentHeader::first_frame(number), log_bytes: follows.log_bytes };
        Ok(Self { file, mark, end: bytes as u32, is_new: true })
    }

    /// Bytes left in the segment.
    pub(crate) fn room(&self) -> u32 {
        self.end.saturating_sub(self.mark.position.offset())
    }
}

/// The log's state. Held under its lock.
pub(super) struct State {
    pub(super) head: Head,
    pub(super) durable: Mark,
    pub(super) next_number: u32,
    /// What of the head's segment is written ahead of it.
    pub(super) ahead: Ahead,
    /// Frames that have a place and are not yet written.
    pub(super) in_flight: BTreeSet<Position>,
    /// Segments that are full and not yet synced.
    pub(super) filled: Vec<Arc<SegmentFile>>,
    /// Whether names of segments are not yet durable.
    pub(super) names_changed: bool,
    /// Whether someone is syncing.
    pub(super) is_syncing: bool,
    /// Frames that have a place but could not be written, with their lengths.
    pub(super) failed: BTreeMap<Position, u32>,
    /// Why nothing is written any more.
    pub(super) failure: Option<String>,
    /// What of that which was accepted could not be read back.
    pub(super) lost: Option<String>,
    /// What was accepted and is not durable, once it was read back.
    pub(super) accepted: Option<Arc<[Accepted]>>,
}

impl State {
    pub(super) fn new(head: Head, durable: Mark, next_number: u32) -> Self {
        Self {
            names_changed: head.is_new,
            head,
            durable,
            next_number,
            ahead: Ahead::default(),
            in_flight: BTreeSet::new(),
            filled: Vec::new(),
            is_syncing: false,
            failed: BTreeMap::new(),
            failure: None,
            lost: None,
            accepted: None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(reason) => Err(Error::ReadOnly { reason: reason.clone() }),
        }
    }

    pub(super) fn go_on_in(&mut self, head: Head) {
        let filled = std::mem::replace(&mut self.head, head);
        self.filled.push(filled.file);
        self.ahead = Ahead::default();
        self.names_changed = true;
    }

    /// Goes on behind a head up to which everything is durable, after a failure.
    pub(super) fn begin_anew(&mut self, head: Head) {
        self.durable = head.mark;
        self.head = head;
        self.ahead = Ahead::default();
        self.filled.clear();
        self.names_changed = false;
        self.failed.clear();
        self.failure = None;
        self.lost = None;
        self.accepted = None;
    }

    pub(super) fn reserve(&mut self, bytes: u32) -> Place {
        let position = self.head.mark.position;
        self.head.mark = Mark { position: position.after(bytes), log_bytes: self.head.mark.log_bytes + bytes as u64 };
        self.in_flight.insert(position);
        Place { file: self.head.file.clone(), position, durable: self.durable.position }
    }

    pub(super) fn is_writing_below(&self, position: Position) -> bool {
        self.in_flight.first().is_some_and(|first| *first < position)
    }
}
