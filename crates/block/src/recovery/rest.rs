//! What lies behind the place where a log seems to end.
//!
//! After a crash that is nothing, or pieces of frames that no sync covered. But every record and every segment header says up to
//! where the log was durable when it was written: one that names a place above the end proves that the end is damage.

use super::walk::Headers;
use crate::checksum::Salt;
use crate::frame::{FRAME_ALIGNMENT_BYTES, FRAME_HEADER_BYTES, Fault, FrameHeader, Subject};
use crate::limits::RECOVERY_WINDOW_BYTES;
use crate::scan::Window;
use crate::segment_file::SegmentFile;
use crate::segments::Segments;
use crate::{Error, Position, Result, StoreId};

/// Zeros are skipped in steps of this.
const STEP_BYTES: u32 = 4096;

/// Fails if anything proves that the log was durable beyond a place, or if the frame there is from a newer version.
pub(super) fn check_nothing_durable_above(
    segments: &Segments,
    headers: &Headers,
    end: Position,
    fault: Fault,
) -> Result<()> {
    let damaged = |durable: Position| Error::Corrupt {
        what: format!(
            "segment {} at {}: {fault}; the log was durable up to {durable}",
            end.segment(),
            end.offset()
        ),
    };
    if matches!(fault, Fault::Unsupported(_)) {
        return Err(Error::Corrupt {
            what: format!("segment {} at {}: {fault}", end.segment(), end.offset()),
        });
    }
    match durable_above(segments, headers, end)? {
        Some(durable) => Err(damaged(durable)),
        None => Ok(()),
    }
}

/// Whether a segment holds only zeros from an offset on.
pub(super) fn is_blank(file: &SegmentFile, from: u32) -> Result<bool> {
    let length = file.length()?.min(u32::MAX as u64) as u32;
    let mut window = Window::new(RECOVERY_WINDOW_BYTES);
    for offset in (from..length).step_by(STEP_BYTES as usize) {
        if !is_zero(window.read(file, offset, STEP_BYTES as usize)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn durable_above(segments: &Segments, headers: &Headers, end: Position) -> Result<Option<Position>> {
    let mut later = headers.range(end.segment() + 1..).filter_map(|(_, header)| *header);
    if let Some(header) = later.find(|header| header.durable > end) {
        return Ok(Some(header.durable));
    }
    for number in headers.range(end.segment()..).map(|(number, _)| *number) {
        let from = if number == end.segment() {
            end
        } else {
            Position::new(number, 0)
        };
        if let Some(durable) = record_durable_above(&*segments.open(number)?, segments.store(), from, end)? {
            return Ok(Some(durable));
        }
    }
    Ok(None)
}

/// Looks at every place where a frame could begin.
fn record_durable_above(file: &SegmentFile, store: StoreId, from: Position, end: Position) -> Result<Option<Position>> {
    let length = file.length()?.min(u32::MAX as u64) as u32;
    let mut window = Window::new(RECOVERY_WINDOW_BYTES);
    let mut offset = from.offset();
    while offset < length {
        if is_zero(window.read(file, offset, STEP_BYTES as usize)?) {
            offset += STEP_BYTES;
            continue;
        }
        let salt = Salt {
            store,
            position: Position::new(file.number, offset),
        };
        match durable_of(window.read(file, offset, FRAME_HEADER_BYTES)?, salt) {
            Some(durable) if durable > end => return Ok(Some(durable)),
            _ => offset += FRAME_ALIGNMENT_BYTES as u32,
        }
    }
    Ok(None)
}

fn durable_of(bytes: &[u8], salt: Salt) -> Option<Position> {
    match FrameHeader::decode(bytes, salt).ok()?.subject {
        Subject::Record { durable, .. } => Some(durable),
        Subject::Block(_) => None,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
