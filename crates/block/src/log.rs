//! The append side of the log: places are given out under a short lock, frames are written outside it, syncs are shared.
//!
//! Invariants:
//! - Everything below `durable` is on the disk, whole.
//! - A sync covers every frame below the head as it was when the sync was asked for, whoever writes it.
//! - After a write or a sync has failed, nothing is written to these files or synced again: the kernel may have dropped the pages
//!   and would report the next sync as a success (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). The
//!   log goes on in another file, or not at all (`comeback`).
//! - A full disk is noticed when a segment is made, before any of its bytes is promised to a frame, and poisons nothing.

mod ahead;
mod comeback;
mod state;
mod sync;

use crate::checksum::Salt;
use crate::frame::Draft;
use crate::segment_file::SegmentFile;
use crate::segment_header::SegmentHeader;
use crate::segments::Segments;
use crate::{Error, Health, Position, Result};
pub(crate) use comeback::Rewritten;
use parking_lot::{Condvar, Mutex};
use state::State;
pub(crate) use state::{Head, Mark};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The log's append side.
pub(crate) struct Log {
    segments: Arc<Segments>,
    segment_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
    writes: AtomicU64,
    syncs: AtomicU64,
    /// Whether the log takes no frames, for those who only want to know that.
    is_failed: AtomicBool,
}

/// A place in the log that a frame may be written to.
struct Place {
    file: Arc<SegmentFile>,
    position: Position,
    durable: Position,
}

impl Log {
    /// A log that goes on at a head. `durable` is below or at it, `next_number` above every segment that ever was.
    pub(crate) fn new(
        segments: Arc<Segments>,
        segment_bytes: u64,
        head: Head,
        durable: Mark,
        next_number: u32,
    ) -> Self {
        let state = Mutex::new(State::new(head, durable, next_number));
        let (changed, writes, syncs, is_failed) = Default::default();
        Self { segments, segment_bytes, state, changed, writes, syncs, is_failed }
    }

    /// Writes a frame and returns where. `written` is called when the frame can be read but no sync
    /// has counted it yet: whoever it tells of the frame knows of it before it can become durable.
    pub(crate) fn append(&self, draft: &Draft<'_>, written: impl FnOnce(Position)) -> Result<Position> {
        let place = self.reserve(draft.frame_bytes())?;
        let salt = Salt { store: self.segments.store(), position: place.position };
        if let Err(error) = draft.write(place.file.file(), salt, place.durable) {
            return Err(self.fail_frame(Error::disk("write", &place.file.path, error), &place, draft.frame_bytes()));
        }
        written(place.position);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.finish(place.position);
        Ok(place.position)
    }

    /// The head: everything appended lies below it.
    pub(crate) fn head(&self) -> Mark {
        self.state.lock().head.mark
    }

    /// Bytes that are left in the segment that is being filled.
    pub(crate) fn room(&self) -> u64 {
        self.state.lock().head.room() as u64
    }

    /// Everything below is durable.
    pub(crate) fn durable(&self) -> Mark {
        self.state.lock().durable
    }

    /// The head, once every frame below it is written.
    pub(crate) fn settled(&self) -> Position {
        let mut state = self.state.lock();
        let head = state.head.mark.position;
        while state.is_writing_below(head) {
            self.changed.wait(&mut state);
        }
        head
    }

    /// Frames written.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Rounds of syncing.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Fails if the log takes no frames.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_failed.load(Ordering::Acquire) { self.state.lock().check() } else { Ok(()) }
    }

    /// Whether the log takes frames.
    pub(crate) fn health(&self) -> Health {
        let state = self.state.lock();
        match &state.failure {
            None => Health::Ok,
            Some(reason) => Health::ReadOnly { reason: reason.clone(), lost: state.lost.clone() },
        }
    }

    /// Size of a new segment.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    fn reserve(&self, bytes: u32) -> Result<Place> {
        let mut state = self.state.lock();
        state.check()?;
        if state.head.room() < bytes {
            let head = self.roll(&state, bytes);
            state.next_number += 1;
            state.go_on_in(head?);
        }
        Ok(state.reserve(bytes))
    }

    /// Goes on in a new segment, unless nothing was written to this one yet. What lies below is not written to any more.
    pub(crate) fn begin_segment(&self) -> Result<()> {
        let mut state = self.state.lock();
        state.check()?;
        let position = state.head.mark.position;
        if position == SegmentHeader::first_frame(position.segment()) {
            return Ok(());
        }
        let head = self.roll(&state, 0);
        state.next_number += 1;
        state.go_on_in(head?);
        Ok(())
    }

    /// A new segment behind the head's place, large enough for a frame.
    fn roll(&self, state: &State, bytes: u32) -> Result<Head> {
        Head::in_new_segment(
            &self.segments,
            self.segment_bytes,
            bytes,
            state.next_number,
            &state.head.mark,
            state.durable.position,
        )
    }

    fn finish(&self, position: Position) {
        self.state.lock().in_flight.remove(&position);
        self.changed.notify_all();
    }

    /// Takes no more frames, because one could not be written.
    fn fail_frame(&self, error: Error, place: &Place, bytes: u32) -> Error {
        let error = self.fail(error);
        let mut state = self.state.lock();
        state.in_flight.remove(&place.position);
        state.failed.insert(place.position, bytes);
        self.changed.notify_all();
        error
    }

    /// Takes no frames for as long as it is open.
    pub(crate) fn stop(&self, why: &str) {
        self.state.lock().failure = Some(why.to_owned());
        self.is_failed.store(true, Ordering::Release);
    }

    /// Takes no more frames, because of an error, which it hands back.
    fn fail(&self, error: Error) -> Error {
        tracing::error!(%error, "the store takes no writes from now on");
        let mut state = self.state.lock();
        state.failure.get_or_insert_with(|| error.to_string());
        self.is_failed.store(true, Ordering::Release);
        drop(state);
        self.changed.notify_all();
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, Compression, Disk, RealDisk, StoreId};

    #[test]
    fn whoever_is_told_of_a_frame_knows_it_before_a_sync_can_count_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path());
        disk.create_folder("segments").unwrap();
        let segments = Arc::new(Segments::new(Arc::new(disk), StoreId::from_bytes([1; 16])).unwrap());
        let start = Mark::default();
        let head = Head::in_new_segment(&segments, 4096, 0, 1, &start, start.position).unwrap();
        let log = Log::new(segments, 4096, head, start, 2);
        let block = Block::data("content".into());
        let draft = Draft::block(block.name(), &block, None, Compression::None).unwrap();
        let told = |position| assert!(log.state.lock().in_flight.contains(&position));
        log.append(&draft, told).unwrap();
        assert!(log.state.lock().in_flight.is_empty());
    }
}
