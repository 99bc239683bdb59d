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

/// Zeros are skipped in chunks of this.
const CHUNK_BYTES: usize = 4096;

static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

/// A stretch of a segment in which the log does not go on.
#[derive(Default)]
struct Rest {
    /// The highest position that a record in it says was durable.
    durable: Position,
    /// Whether anything is there but zeros.
    is_written: bool,
}

/// Fails if anything proves that the log was durable beyond its end, as what is known from elsewhere (`durable`) may, or if the frame there is from a newer version. Returns
/// whether nothing was ever written behind the end in its segment.
pub(super) fn check(
    segments: &Segments,
    headers: &Headers,
    end: Position,
    durable: Position,
    fault: Fault,
) -> Result<bool> {
    let place = format!("segment {} at {}: {fault}", end.segment(), end.offset());
    if matches!(fault, Fault::Unsupported(_)) {
        return Err(Error::Corrupt { what: place });
    }
    let damaged = |durable| Error::Corrupt { what: format!("{place}; the log was durable up to {durable}") };
    if durable > end {
        return Err(damaged(durable));
    }
    let in_headers = headers.values().flatten().map(|header| header.durable);
    if let Some(durable) = in_headers.max().filter(|durable| *durable > end) {
        return Err(damaged(durable));
    }
    let mut is_blank = true;
    let written = headers.range(end.segment()..).filter(|(_, header)| header.is_none_or(|header| !header.is_gap()));
    for number in written.map(|(number, _)| *number) {
        let rest = if number == end.segment() { end } else { Position::new(number, 0) };
        let rest = read_rest(&*segments.open(number)?, segments.store(), rest)?;
        if rest.durable > end {
            return Err(damaged(rest.durable));
        }
        is_blank &= !rest.is_written;
    }
    Ok(is_blank)
}

fn read_rest(file: &SegmentFile, store: StoreId, from: Position) -> Result<Rest> {
    let length = file.length()?.min(u32::MAX as u64) as u32;
    let mut window = Window::new(RECOVERY_WINDOW_BYTES);
    let mut rest = Rest::default();
    for chunk in (from.offset()..length).step_by(CHUNK_BYTES) {
        let bytes = window.read(file, chunk, CHUNK_BYTES)?;
        if bytes != &ZEROS[..bytes.len()] {
            rest.is_written = true;
            rest.durable = rest.durable.max(durable_in_chunk(file, store, &mut window, chunk)?);
        }
    }
    Ok(rest)
}

/// Looks at every place of a chunk where a frame could begin.
fn durable_in_chunk(file: &SegmentFile, store: StoreId, window: &mut Window, chunk: u32) -> Result<Position> {
    let mut durable = Position::START;
    for offset in (chunk..chunk + CHUNK_BYTES as u32).step_by(FRAME_ALIGNMENT_BYTES) {
        let salt = Salt { store, position: Position::new(file.number, offset) };
        let header = FrameHeader::decode(window.read(file, offset, FRAME_HEADER_BYTES)?, salt);
        if let Ok(FrameHeader { subject: Subject::Record { durable: found, .. }, .. }) = header {
            durable = durable.max(found);
        }
    }
    Ok(durable)
}
