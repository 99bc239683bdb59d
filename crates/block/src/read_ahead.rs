//! Reading ahead around small reads.
//!
//! What was written together lies together in the log, and is mostly read together, but in another order: a directory's files by the
//! hash of their names. A second small read in the same window is taken as a sign of that, and the whole window is fetched in one
//! piece. A single read in a window fetches nothing but itself, so what is read here and there costs no more than before.

use crate::limits::{READ_AHEAD_BLOCK_BYTES_MAX, READ_AHEAD_WINDOW_BYTES, READ_AHEAD_WINDOWS};
use std::sync::atomic::{AtomicU64, Ordering};

/// The windows that were read from lately. They are hints: threads that change one at the same time may lose one.
pub(crate) struct ReadAhead {
    /// By the window's number, twice that for one read and one more for several; 0 for none.
    windows: [AtomicU64; READ_AHEAD_WINDOWS],
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self { windows: [const { AtomicU64::new(0) }; READ_AHEAD_WINDOWS] }
    }
}

impl ReadAhead {
    /// Notes a read in a segment. Gives the offset of the window that is to be fetched before it, if there is one.
    pub(crate) fn note(&self, segment: u32, offset: u64, bytes: usize) -> Option<u64> {
        if bytes > READ_AHEAD_BLOCK_BYTES_MAX {
            return None;
        }
        let window = offset / READ_AHEAD_WINDOW_BYTES;
        // Windows that lie close to each other have places of their own.
        let number = (segment as u64 + 1) << 24 | window;
        let place = &self.windows[number as usize % READ_AHEAD_WINDOWS];
        let (read_once, read_often) = (2 * number, 2 * number + 1);
        match place.load(Ordering::Relaxed) {
            before if before == read_often => None,
            before if before == read_once => {
                place.store(read_often, Ordering::Relaxed);
                Some(window * READ_AHEAD_WINDOW_BYTES)
            }
            _ => {
                place.store(read_once, Ordering::Relaxed);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_small_read_in_a_window_fetches_it_once() {
        let ahead = ReadAhead::default();
        let inside = READ_AHEAD_WINDOW_BYTES + 100;
        assert_eq!(ahead.note(1, inside, 4096), None);
        assert_eq!(ahead.note(1, inside + 8192, 4096), Some(READ_AHEAD_WINDOW_BYTES));
        assert_eq!(ahead.note(1, inside + 4096, 4096), None);
    }

    #[test]
    fn reads_far_apart_fetch_nothing() {
        let ahead = ReadAhead::default();
        for window in 0..1000 {
            assert_eq!(ahead.note(1, window * READ_AHEAD_WINDOW_BYTES, 4096), None);
        }
        assert_eq!(ahead.note(2, 0, 4096), None);
    }

    #[test]
    fn a_large_read_fetches_nothing() {
        let ahead = ReadAhead::default();
        assert_eq!(ahead.note(1, 0, READ_AHEAD_BLOCK_BYTES_MAX + 1), None);
        assert_eq!(ahead.note(1, 0, READ_AHEAD_BLOCK_BYTES_MAX + 1), None);
    }
}
