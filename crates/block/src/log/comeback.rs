//! Taking writes again after a failure.
//!
//! After a failed write or sync nobody knows what the disk holds of the frames behind the last completed sync: a later sync of
//! the same files may report success although pages were dropped. So these files are given up from there on. What was appended
//! since is read back, which is mostly from memory, compared with its checksums, and written into a new segment that follows on
//! the last place that is known to be durable. A sync of that new file says something again.
//!
//! The kernel takes pages that it could not write for written: whenever it wants their memory, they are gone. So what is read
//! back at the first attempt is kept until one succeeds; it is no more than the log lets wait for a sync.
//!
//! If a frame cannot be read back, something that was accepted is lost, and the log stays as it is: it takes no writes.

use super::state::{Head, State};
use super::{Log, Mark};
use crate::checksum::Salt;
use crate::frame::{Draft, FrameHeader};
use crate::limits::RECOVERY_WINDOW_BYTES;
use crate::scan::Scan;
use crate::segment_header::SegmentHeader;
use crate::{Error, Position, Result};
use parking_lot::MutexGuard;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// A frame that was read back.
pub(super) struct Accepted {
    header: FrameHeader,
    from: Position,
    payload: Box<[u8]>,
}

/// A frame that was written anew.
pub(crate) struct Rewritten {
    pub(crate) header: FrameHeader,
    pub(crate) from: Position,
    pub(crate) to: Position,
}

impl Log {
    /// Tries to take writes again. `moved` is told up to where everything was durable, and where the frames behind that lie now,
    /// before anybody can append.
    pub(crate) fn come_back(&self, moved: impl FnOnce(Position, &[Rewritten])) -> Result<()> {
        let mut state = self.state.lock();
        while state.is_syncing || !state.in_flight.is_empty() {
            self.changed.wait(&mut state);
        }
        if state.failure.is_none() {
            return Ok(());
        }
        state.is_syncing = true;
        let done = self.rewrite(&mut state);
        state.is_syncing = false;
        self.changed.notify_all();
        if let Err(Error::Corrupt { what }) = &done {
            state.lost = Some(what.clone());
        }
        let (head, rewritten) = done?;
        let durable = state.durable.position;
        moved(durable, &rewritten);
        // What is made from here on is no business of this call, so what is given up is chosen under the lock.
        let number = head.mark.position.segment();
        let mut given_up = self.segments.written_from(durable.segment() + 1);
        given_up.retain(|given_up| *given_up < number);
        state.begin_anew(head);
        self.is_failed.store(false, Ordering::Release);
        drop(state);
        self.remove_given_up(given_up);
        Ok(())
    }

    fn rewrite(&self, state: &mut MutexGuard<'_, State>) -> Result<(Head, Vec<Rewritten>)> {
        let accepted = match &state.accepted {
            Some(accepted) => accepted.clone(),
            None => {
                let (durable, end, failed) = (state.durable.position, state.head.mark.position, state.failed.clone());
                let accepted = MutexGuard::unlocked(state, || self.read_back(durable, end, &failed))?;
                state.accepted.insert(accepted.into()).clone()
            }
        };
        let (durable, end, number) = (state.durable, state.head.mark, state.next_number);
        state.next_number += 1;
        MutexGuard::unlocked(state, || {
            let bytes = end.log_bytes - durable.log_bytes;
            let header_bytes = SegmentHeader::first_frame(number).offset() as u64;
            let bytes = self.segment_bytes.max(header_bytes + bytes);
            let head = Head::in_new_segment(&self.segments, bytes, 0, number, &durable, durable.position)?;
            let rewritten = self.write_anew(head, &accepted);
            if rewritten.is_err()
                && let Err(error) = self.segments.remove(number)
            {
                tracing::debug!(%error, "a segment that was begun to go on with stays");
            }
            rewritten
        })
    }

    /// The frames between two places, but for those that failed.
    fn read_back(&self, from: Position, to: Position, failed: &BTreeMap<Position, u32>) -> Result<Vec<Accepted>> {
        let mut accepted = Vec::new();
        let numbers = self.segments.written_from(from.segment());
        let numbers: Vec<_> = numbers.into_iter().filter(|number| *number <= to.segment()).collect();
        for (index, number) in numbers.iter().copied().enumerate() {
            let first = SegmentHeader::first_frame(number);
            let begin = if number == from.segment() { from } else { first };
            let end = match numbers.get(index + 1) {
                None => to.offset(),
                Some(next) => self.segments.header(*next)?.map_or(0, |header| header.follows.offset()),
            };
            let file = self.segments.open(number)?;
            let mut scan = Scan::new(file, self.segments.store(), begin, end, RECOVERY_WINDOW_BYTES);
            while !scan.is_at_end() {
                match failed.get(&scan.position()) {
                    Some(bytes) => scan.skip_bytes(*bytes),
                    None => accepted.push(read_frame(&mut scan)?),
                }
            }
        }
        Ok(accepted)
    }

    /// Writes frames behind a head, and makes them durable.
    fn write_anew(&self, mut head: Head, accepted: &[Accepted]) -> Result<(Head, Vec<Rewritten>)> {
        let mut rewritten = Vec::with_capacity(accepted.len());
        for Accepted { header, from, payload } in accepted {
            let to = head.mark.position;
            let draft = Draft::packed(*header, &[], payload);
            let salt = Salt { store: self.segments.store(), position: to };
            let written = draft.write(head.file.file(), salt, Position::START);
            written.map_err(|source| Error::disk("write", &head.file.path, source))?;
            let bytes = header.frame_bytes();
            head.mark = Mark { position: to.after(bytes), log_bytes: head.mark.log_bytes + bytes as u64 };
            rewritten.push(Rewritten { header: *header, from: *from, to });
        }
        head.file.sync()?;
        self.segments.sync_names()?;
        head.is_new = false;
        Ok((head, rewritten))
    }

    /// Removes segments that are no part of the log any more. What cannot be removed goes at the next opening.
    fn remove_given_up(&self, numbers: Vec<u32>) {
        for number in numbers {
            if let Err(error) = self.segments.remove(number) {
                tracing::warn!(%error, "a segment that was given up cannot be removed");
            }
        }
    }
}

/// Reads the frame that a scan is at, and goes on behind it.
fn read_frame(scan: &mut Scan) -> Result<Accepted> {
    let from = scan.position();
    let lost = |fault| Error::Corrupt {
        what: format!("what was written at {from} since the last sync cannot be read back: {fault}"),
    };
    let header = scan.header()?.map_err(lost)?;
    let payload = scan.payload(&header)?.map_err(lost)?.into();
    scan.skip(&header);
    Ok(Accepted { header, from, payload })
}
