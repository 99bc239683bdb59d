//! Attributes.

use super::wire;
use crate::{Attr, CachedAttr, SetAttr, SetTime, Timestamp};

wire! {
    /// `struct fuse_attr`
    AttrOut: 88 {
        ino: u64,
        size: u64,
        blocks: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atime_nanoseconds: u32,
        mtime_nanoseconds: u32,
        ctime_nanoseconds: u32,
        mode: u32,
        nlink: u32,
        uid: u32,
        gid: u32,
        rdev: u32,
        blksize: u32,
        flags: u32,
    }

    /// `struct fuse_getattr_in`
    GetattrIn: 16 {
        flags: u32,
        dummy: u32,
        handle: u64,
    }

    /// `struct fuse_attr_out`
    CachedAttrOut: 104 {
        valid: u64,
        valid_nanoseconds: u32,
        dummy: u32,
        attr: AttrOut,
    }

    /// `struct fuse_setattr_in`
    SetattrIn: 88 {
        valid: u32,
        padding: u32,
        handle: u64,
        size: u64,
        lock_owner: u64,
        atime: u64,
        mtime: u64,
        ctime: u64,
        atime_nanoseconds: u32,
        mtime_nanoseconds: u32,
        ctime_nanoseconds: u32,
        mode: u32,
        unused4: u32,
        uid: u32,
        gid: u32,
        unused5: u32,
    }
}

impl GetattrIn {
    /// The open file, if the call came through one (`FUSE_GETATTR_FH`).
    pub(crate) fn handle(&self) -> Option<u64> {
        (self.flags & 1 != 0).then_some(self.handle)
    }
}

impl From<&Attr> for AttrOut {
    fn from(attr: &Attr) -> Self {
        Self {
            ino: attr.ino,
            size: attr.size,
            blocks: attr.blocks,
            atime: attr.atime.seconds as u64,
            mtime: attr.mtime.seconds as u64,
            ctime: attr.ctime.seconds as u64,
            atime_nanoseconds: attr.atime.nanoseconds,
            mtime_nanoseconds: attr.mtime.nanoseconds,
            ctime_nanoseconds: attr.ctime.nanoseconds,
            mode: attr.mode,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: attr.rdev,
            blksize: attr.blksize,
            flags: attr.flags.bits(),
        }
    }
}

impl From<&CachedAttr> for CachedAttrOut {
    fn from(cached: &CachedAttr) -> Self {
        Self {
            valid: cached.attr_valid.as_secs(),
            valid_nanoseconds: cached.attr_valid.subsec_nanos(),
            dummy: 0,
            attr: (&cached.attr).into(),
        }
    }
}

/// The bits of `fuse_setattr_in.valid` (`FATTR_*`).
mod valid {
    pub(super) const MODE: u32 = 1 << 0;
    pub(super) const UID: u32 = 1 << 1;
    pub(super) const GID: u32 = 1 << 2;
    pub(super) const SIZE: u32 = 1 << 3;
    pub(super) const ATIME: u32 = 1 << 4;
    pub(super) const MTIME: u32 = 1 << 5;
    pub(super) const HANDLE: u32 = 1 << 6;
    pub(super) const ATIME_NOW: u32 = 1 << 7;
    pub(super) const MTIME_NOW: u32 = 1 << 8;
    pub(super) const LOCK_OWNER: u32 = 1 << 9;
    pub(super) const CTIME: u32 = 1 << 10;
    pub(super) const KILL_SUIDGID: u32 = 1 << 11;
}

impl SetattrIn {
    fn has(&self, bit: u32) -> bool {
        self.valid & bit != 0
    }

    fn time(&self, set: u32, now: u32, seconds: u64, nanoseconds: u32) -> Option<SetTime> {
        if self.has(now) {
            return Some(SetTime::Now);
        }
        let time = Timestamp { seconds: seconds as i64, nanoseconds };
        self.has(set).then_some(SetTime::At(time))
    }
}

impl From<&SetattrIn> for SetAttr {
    fn from(wire: &SetattrIn) -> Self {
        let ctime = Timestamp { seconds: wire.ctime as i64, nanoseconds: wire.ctime_nanoseconds };
        let owner = crate::LockOwner(wire.lock_owner);
        Self {
            mode: wire.has(valid::MODE).then_some(wire.mode),
            uid: wire.has(valid::UID).then_some(wire.uid),
            gid: wire.has(valid::GID).then_some(wire.gid),
            size: wire.has(valid::SIZE).then_some(wire.size),
            atime: wire.time(valid::ATIME, valid::ATIME_NOW, wire.atime, wire.atime_nanoseconds),
            mtime: wire.time(valid::MTIME, valid::MTIME_NOW, wire.mtime, wire.mtime_nanoseconds),
            ctime: wire.has(valid::CTIME).then_some(ctime),
            handle: wire.has(valid::HANDLE).then_some(wire.handle),
            lock_owner: wire.has(valid::LOCK_OWNER).then_some(owner),
            kill_suidgid: wire.has(valid::KILL_SUIDGID),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_valid_is_set() {
        let wire = SetattrIn {
            valid: valid::SIZE | valid::ATIME | valid::ATIME_NOW | valid::MTIME,
            size: 9,
            mode: 0o644,
            mtime: 5u64.wrapping_neg(),
            mtime_nanoseconds: 7,
            ..SetattrIn::default()
        };
        let expected = SetAttr {
            size: Some(9),
            atime: Some(SetTime::Now),
            mtime: Some(SetTime::At(Timestamp { seconds: -5, nanoseconds: 7 })),
            ..SetAttr::default()
        };
        assert_eq!(SetAttr::from(&wire), expected);
    }

    #[test]
    fn times_before_1970_survive() {
        let atime = Timestamp { seconds: -1, nanoseconds: 3 };
        let wire = AttrOut::from(&Attr { atime, ..Attr::default() });
        assert_eq!((wire.atime, wire.atime_nanoseconds), (u64::MAX, 3));
    }
}
