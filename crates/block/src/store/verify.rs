//! Reading the whole log and comparing everything with its checksums and names.

use super::Store;
use crate::frame::{Content, FRAME_ALIGNMENT_BYTES, Fault, FrameHeader, Subject};
use crate::limits::{CAREFUL_WINDOW_BYTES, RECOVERY_WINDOW_BYTES};
use crate::scan::Scan;
use crate::segment_file::SegmentFile;
use crate::segment_header::SegmentHeader;
use crate::{Error, Name, Position, RecordKind, Result};
use bytes::Bytes;
use std::sync::Arc;

/// A stretch of the log that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub position: Position,
    /// How long it is.
    pub bytes: u32,
    /// What lies there, as far as that can be told.
    pub subject: DamagedSubject,
    /// What is wrong with it.
    pub what: String,
}

/// What a damaged stretch of the log held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamagedSubject {
    /// The block with this name.
    Block(Name),
    /// A record.
    Record {
        /// What it says.
        kind: RecordKind,
        /// Whose it is.
        stream: u64,
    },
    /// Frames of which not even the header can be read.
    Unknown,
}

/// How far a step of reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Where to go on; `None` at the end of the log.
    pub next: Option<Position>,
    /// Bytes read.
    pub bytes: u64,
}

impl Store {
    /// Bytes that [`Store::verify`] reads from a position to the end of the log.
    pub fn bytes_to_verify(&self, from: Position) -> u64 {
        let numbers = self.segments.written_from(from.segment());
        let bytes = |number: u32| {
            let first = SegmentHeader::first_frame(number);
            let begin = if number == from.segment() { from.max(first) } else { first };
            self.segment_end(number).saturating_sub(begin.offset()) as u64
        };
        numbers.into_iter().map(bytes).sum()
    }

    /// Reads frames from a position on, about `bytes_max` of them, and compares each with its checksums, a block also with its
    /// name. Shows what does not match, and goes on behind it.
    pub fn verify(&self, from: Position, bytes_max: u64, found: &mut dyn FnMut(Damage)) -> Result<Verified> {
        let Some(number) = self.segments.written_from(from.segment()).first().copied() else {
            return Ok(Verified { next: None, bytes: 0 });
        };
        let first = SegmentHeader::first_frame(number);
        let begin = if number == from.segment() { from.max(first) } else { first };
        let end = self.segment_end(number);
        let mut damages = Vec::new();
        let reached = match self.segments.open(number) {
            Ok(file) => self.verify_segment(&file, begin, end, bytes_max, &mut |damage| damages.push(damage)),
            Err(error) => {
                let bytes = end.saturating_sub(begin.offset());
                damages.push(unknown(begin, bytes, error.to_string()));
                end
            }
        };
        // A segment that was retired meanwhile is no part of the log.
        if self.segments.written_from(number).first() == Some(&number) {
            damages.into_iter().for_each(found);
        }
        let bytes = reached.saturating_sub(begin.offset()) as u64;
        if reached < end {
            return Ok(Verified { next: Some(Position::new(number, reached)), bytes });
        }
        let next = self.segments.written_from(number + 1).first().copied();
        Ok(Verified { next: next.map(SegmentHeader::first_frame), bytes })
    }

    /// Where the frames of a segment end, as far as that can be told.
    pub(super) fn segment_end(&self, number: u32) -> u32 {
        let head = self.log.settled();
        if head.segment() == number {
            return head.offset();
        }
        let measure = || self.segments.open(number).and_then(|file| file.length()).unwrap_or(0);
        self.sealed_end(number).unwrap_or_else(|_| measure().min(u32::MAX as u64) as u32)
    }

    /// Returns up to where it came.
    fn verify_segment(
        &self,
        file: &Arc<SegmentFile>,
        begin: Position,
        end: u32,
        bytes_max: u64,
        found: &mut dyn FnMut(Damage),
    ) -> u32 {
        let scan_from = |position, window| Scan::new(file.clone(), self.id(), position, end, window);
        let mut scan = scan_from(begin, RECOVERY_WINDOW_BYTES);
        let mut is_careful = false;
        while !scan.is_at_end() && (scan.position().offset() - begin.offset()) as u64 <= bytes_max {
            let position = scan.position();
            match check(&mut scan) {
                Ok((header, None)) => scan.skip(&header),
                Ok((header, Some(what))) => {
                    found(Damage { position, bytes: header.frame_bytes(), subject: subject(&header), what });
                    scan.skip(&header);
                }
                // The disk does not give a part of what was read at once: it may be another frame's.
                Err(Unreadable::Disk(_)) if !is_careful => {
                    is_careful = true;
                    scan = scan_from(position, CAREFUL_WINDOW_BYTES);
                }
                Err(unreadable) => {
                    let next = next_frame(&mut scan, end);
                    found(unknown(position, next - position.offset(), unreadable.to_string()));
                }
            }
        }
        scan.position().offset().min(end)
    }
}

/// Why there is no frame to check.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Disk(#[from] Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

pub(super) fn unknown(position: Position, bytes: u32, what: String) -> Damage {
    Damage { position, bytes, subject: DamagedSubject::Unknown, what }
}

pub(super) fn subject(header: &FrameHeader) -> DamagedSubject {
    match header.subject {
        Subject::Block(name) => DamagedSubject::Block(name),
        Subject::Record { kind, stream, .. } => DamagedSubject::Record { kind, stream },
    }
}

/// Compares the frame that a scan is at with its checksum and its name, and says what does not match.
fn check(scan: &mut Scan) -> std::result::Result<(FrameHeader, Option<String>), Unreadable> {
    let header = scan.header()??;
    let payload = match scan.payload(&header)? {
        Ok(payload) => Bytes::copy_from_slice(payload),
        Err(fault) => return Ok((header, Some(fault.to_string()))),
    };
    let verified = Content::unpack(&header, payload).and_then(|content| match header.subject {
        Subject::Block(name) => content.verify_all(&name),
        Subject::Record { .. } => Ok(()),
    });
    Ok((header, verified.err().map(|fault| fault.to_string())))
}

/// Moves a scan to the next place at which there is a frame's header, and returns where that is.
pub(crate) fn next_frame(scan: &mut Scan, end: u32) -> u32 {
    while !scan.is_at_end() {
        scan.skip_bytes(FRAME_ALIGNMENT_BYTES as u32);
        if let Ok(Ok(_)) = scan.header() {
            break;
        }
    }
    scan.position().offset().min(end)
}
