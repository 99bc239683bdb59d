//! Zeros ahead of small syncs.
//!
//! A segment's space is reserved, not written. The first sync of a place has the file system below note in a journal of its own that
//! the place is written now, and waits for that as long again as for the bytes. So while syncs are small, one of them takes along
//! zeros for some of those that follow, which find their places written.
//!
//! Invariants:
//! - Zeros go where no frame has a place: behind the head, under the lock that gives places out.
//! - There are no more of them than bytes of frames in small syncs, but for what is ahead of the last one.

use super::state::State;
use crate::limits::{SMALL_SYNC_BYTES_MAX, ZEROS_AHEAD_BYTES_MAX, ZEROS_AHEAD_BYTES_MIN};

/// How far the segment that is being filled is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    /// Up to where, with frames or with zeros.
    zeros_to: u32,
    /// How many zeros the next small sync takes along.
    next_bytes: u32,
}

impl State {
    /// To be called for each sync, before it.
    pub(super) fn write_ahead(&mut self) {
        let sync_bytes = self.head.mark.log_bytes - self.durable.log_bytes;
        if sync_bytes > SMALL_SYNC_BYTES_MAX {
            self.ahead.next_bytes = 0;
            return;
        }
        let head = self.head.mark.position.offset();
        let from = self.ahead.zeros_to.max(head);
        if u64::from(from - head) > SMALL_SYNC_BYTES_MAX {
            return;
        }
        let bytes = (self.ahead.next_bytes * 2).clamp(ZEROS_AHEAD_BYTES_MIN, ZEROS_AHEAD_BYTES_MAX);
        let to = from.saturating_add(bytes).min(self.head.end);
        if from < to {
            self.head.file.file().will_write(from.into(), (to - from).into());
            self.ahead = Ahead { zeros_to: to, next_bytes: bytes };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DiskFile;
    use crate::log::state::{Head, Mark};
    use crate::segment_file::SegmentFile;
    use crate::segment_header::SegmentHeader;
    use parking_lot::Mutex;
    use std::io::{self, IoSlice};
    use std::ops::Range;
    use std::sync::Arc;

    const END: u32 = 1 << 20;

    /// Takes down what will be written.
    #[derive(Default)]
    struct Hints(Mutex<Vec<Range<u64>>>);

    impl DiskFile for Hints {
        fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
            Ok(0)
        }

        fn will_write(&self, offset: u64, bytes: u64) {
            self.0.lock().push(offset..offset + bytes);
        }

        fn write_at(&self, _slices: &[IoSlice<'_>], _offset: u64) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn length(&self) -> io::Result<u64> {
            Ok(END.into())
        }

        fn truncate(&self, _length: u64) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log in one segment.
    fn log() -> (Arc<Hints>, State) {
        let hints = Arc::new(Hints::default());
        let file = Arc::new(SegmentFile::new(1, "1".to_owned(), hints.clone()));
        let mark = Mark { position: SegmentHeader::first_frame(1), log_bytes: 0 };
        (hints, State::new(Head { file, mark, end: END, is_new: false }, mark, 2))
    }

    fn append_and_sync(state: &mut State, bytes: u32) {
        let place = state.reserve(bytes);
        state.in_flight.remove(&place.position);
        state.write_ahead();
        state.durable = state.head.mark;
    }

    #[test]
    fn small_syncs_find_zeros_ahead_that_lie_behind_the_head() {
        let (hints, mut state) = log();
        while state.head.room() > 5000 {
            let known = hints.0.lock().len();
            append_and_sync(&mut state, 5000);
            let head = u64::from(state.head.mark.position.offset());
            let hints = hints.0.lock();
            for hint in &hints[known..] {
                let ahead_max = SMALL_SYNC_BYTES_MAX + u64::from(ZEROS_AHEAD_BYTES_MAX);
                assert!(
                    hint.start >= head && hint.end <= END.into() && hint.end - head <= ahead_max,
                    "{hint:?}, {head}"
                );
            }
            let written_to = hints.last().expect("zeros from the first sync on").end;
            assert!(written_to >= (head + 5000).min(END.into()), "{written_to} at {head}");
        }
        let hints = hints.0.lock();
        assert!(hints.windows(2).all(|pair| pair[0].end == pair[1].start), "one after another: {hints:?}");
        assert!(hints.len() < 10, "few and large: {hints:?}");
    }

    #[test]
    fn large_syncs_take_no_zeros_along() {
        let (hints, mut state) = log();
        append_and_sync(&mut state, 100_000);
        append_and_sync(&mut state, 100_000);
        assert!(hints.0.lock().is_empty());
        append_and_sync(&mut state, 100);
        assert_eq!(hints.0.lock().len(), 1, "a small one does");
    }
}
