//! Calls for locks: flock(2), and those of fcntl(2) for ranges, which belong to a process or to an open file.

use super::operation::{LockKind, LockOwner, RangeLock, Slot};
use super::outcome::Outcome;
use super::player::Player;
use super::raw;
use rustix::fs::FlockOperation;
use rustix::io::{Errno, Result};

impl Player {
    pub(super) fn lock_file(&self, slot: Slot, kind: LockKind, wait: bool) -> Result<()> {
        let operation = match (kind, wait) {
            (LockKind::Shared, true) => FlockOperation::LockShared,
            (LockKind::Shared, false) => FlockOperation::NonBlockingLockShared,
            (LockKind::Exclusive, true) => FlockOperation::LockExclusive,
            (LockKind::Exclusive, false) => FlockOperation::NonBlockingLockExclusive,
            (LockKind::Unlock, true) => FlockOperation::Unlock,
            (LockKind::Unlock, false) => FlockOperation::NonBlockingUnlock,
        };
        rustix::fs::flock(self.file(slot)?, operation)
    }

    pub(super) fn lock_range(&self, slot: Slot, lock: RangeLock, wait: bool) -> Result<()> {
        let command = match (lock.owner, wait) {
            (LockOwner::Process, true) => libc::F_SETLKW,
            (LockOwner::Process, false) => libc::F_SETLK,
            (LockOwner::OpenFile, true) => libc::F_OFD_SETLKW,
            (LockOwner::OpenFile, false) => libc::F_OFD_SETLK,
        };
        raw::fcntl_lock(self.file(slot)?, command, &mut asked(lock))
    }

    pub(super) fn test_lock(&self, slot: Slot, lock: RangeLock) -> Result<Outcome> {
        let command = match lock.owner {
            LockOwner::Process => libc::F_GETLK,
            LockOwner::OpenFile => libc::F_OFD_GETLK,
        };
        let mut found = asked(lock);
        raw::fcntl_lock(self.file(slot)?, command, &mut found)?;
        let kind = match i32::from(found.l_type) {
            libc::F_UNLCK => return Ok(Outcome::Done),
            libc::F_RDLCK => LockKind::Shared,
            libc::F_WRLCK => LockKind::Exclusive,
            _ => return Err(Errno::IO),
        };
        // Who holds a lock of an open file is not told: -1.
        let holder = u32::try_from(found.l_pid).ok();
        Ok(Outcome::Lock { kind, start: found.l_start, length: found.l_len, holder })
    }
}

fn asked(lock: RangeLock) -> libc::flock {
    let kind = match lock.kind {
        LockKind::Shared => libc::F_RDLCK,
        LockKind::Exclusive => libc::F_WRLCK,
        LockKind::Unlock => libc::F_UNLCK,
    };
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: lock.start,
        l_len: lock.length,
        l_pid: 0,
    }
}
