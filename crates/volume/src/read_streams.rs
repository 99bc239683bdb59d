//! Files that are read from one end to the other.
//!
//! The kernel asks for what a program reads next while the program still reads what came before, one request after another. The
//! store would rest between two of them. So once a large read goes on where the last one ended, the store is told of what lies
//! some way ahead.
//!
//! All of it is a guess: files share slots, and a wrong guess costs a read that nobody needs.

use crate::Inode;
use crate::limits::{STREAM_AHEAD_BYTES, STREAM_READ_BYTES_MIN, STREAM_SLOTS};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where large reads ended.
pub(crate) struct ReadStreams {
    slots: Box<[AtomicU64]>,
}

impl ReadStreams {
    pub(crate) fn new() -> Self {
        Self { slots: (0..STREAM_SLOTS).map(|_| AtomicU64::new(u64::MAX)).collect() }
    }

    /// Notes a read of a file; gives what of the file should be fetched beside it.
    pub(crate) fn note(&self, inode: Inode, read: Range<u64>) -> Option<Range<u64>> {
        let bytes = read.end - read.start;
        if bytes < STREAM_READ_BYTES_MIN {
            return None;
        }
        let slot = &self.slots[inode.0 as usize % self.slots.len()];
        let last = slot.swap(mark(inode, read.end), Ordering::Relaxed);
        let ahead = read.end..read.end + STREAM_AHEAD_BYTES;
        if read.start == 0 {
            Some(ahead)
        } else if last == mark(inode, read.start) {
            // What lies before was fetched beside the last read.
            Some(ahead.end.saturating_sub(bytes).max(ahead.start)..ahead.end)
        } else {
            None
        }
    }
}

/// A file's place, in 64 bits.
fn mark(inode: Inode, offset: u64) -> u64 {
    inode.0.rotate_left(40) ^ offset
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: u64 = 1 << 20;

    #[test]
    fn what_lies_ahead_of_a_stream_is_fetched_once() {
        let streams = ReadStreams::new();
        let mut fetched_to = READ;
        for number in 0..20 {
            let read = number * READ..(number + 1) * READ;
            let ahead = streams.note(Inode(7), read.clone()).expect("it goes on");
            assert_eq!(ahead, fetched_to..read.end + STREAM_AHEAD_BYTES);
            fetched_to = ahead.end;
        }
    }

    #[test]
    fn reads_here_and_there_and_small_ones_fetch_nothing() {
        let streams = ReadStreams::new();
        for start in [5 * READ, 3 * READ, 9 * READ, 7 * READ] {
            assert_eq!(streams.note(Inode(7), start..start + READ), None);
        }
        assert_eq!(streams.note(Inode(7), 0..STREAM_READ_BYTES_MIN - 1), None);
        assert!(streams.note(Inode(7), 8 * READ..9 * READ).is_some(), "the last large read ended there");
    }

    #[test]
    fn streams_in_several_files_do_not_mix() {
        let streams = ReadStreams::new();
        assert!(streams.note(Inode(1), 0..READ).is_some());
        assert!(streams.note(Inode(2), 0..READ).is_some());
        assert!(streams.note(Inode(1), READ..2 * READ).is_some());
        assert_eq!(streams.note(Inode(3), READ..2 * READ), None);
    }
}
