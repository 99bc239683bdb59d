//! Locks.

use super::wire;
use crate::{LockKind, RecordLock};

/// `FUSE_LK_FLOCK`
const LOCK_IS_FLOCK: u32 = 1 << 0;

wire! {
    /// `struct fuse_file_lock`, all there is in `struct fuse_lk_out`
    LockOut: 24 {
        start: u64,
        end: u64,
        kind: u32,
        pid: u32,
    }

    /// `struct fuse_lk_in`
    LockIn: 48 {
        handle: u64,
        owner: u64,
        lock: LockOut,
        flags: u32,
        padding: u32,
    }
}

impl LockIn {
    pub(crate) fn is_flock(&self) -> bool {
        self.flags & LOCK_IS_FLOCK != 0
    }
}

impl LockOut {
    /// The lock, unless its kind is unknown.
    pub(crate) fn parse(&self) -> Option<RecordLock> {
        let kind = match self.kind as i32 {
            libc::F_RDLCK => LockKind::Read,
            libc::F_WRLCK => LockKind::Write,
            libc::F_UNLCK => LockKind::Unlock,
            _ => return None,
        };
        Some(RecordLock { kind, start: self.start, end: self.end, pid: self.pid })
    }
}

impl From<&RecordLock> for LockOut {
    fn from(lock: &RecordLock) -> Self {
        let kind = match lock.kind {
            LockKind::Read => libc::F_RDLCK,
            LockKind::Write => libc::F_WRLCK,
            LockKind::Unlock => libc::F_UNLCK,
        };
        Self { start: lock.start, end: lock.end, kind: kind as u32, pid: lock.pid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_survive_both_ways_and_unknown_kinds_are_refused() {
        for kind in [LockKind::Read, LockKind::Write, LockKind::Unlock] {
            let lock = RecordLock { kind, start: 1, end: 2, pid: 3 };
            assert_eq!(LockOut::from(&lock).parse(), Some(lock));
        }
        assert_eq!(LockOut { kind: 77, ..LockOut::default() }.parse(), None);
    }
}
