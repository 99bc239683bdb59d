//! Extended file attributes.

use super::wire;
use crate::{Statx, StatxMask, StatxRequest, Timestamp};

wire! {
    /// `struct fuse_sx_time`
    StatxTime: 16 {
        seconds: i64,
        nanoseconds: u32,
        reserved: i32,
    }

    /// `struct fuse_statx`
    StatxAttr: 256 {
        mask: u32,
        blksize: u32,
        attributes: u64,
        nlink: u32,
        uid: u32,
        gid: u32,
        mode: u16,
        spare0: u16,
        ino: u64,
        size: u64,
        blocks: u64,
        attributes_mask: u64,
        atime: StatxTime,
        btime: StatxTime,
        ctime: StatxTime,
        mtime: StatxTime,
        rdev_major: u32,
        rdev_minor: u32,
        dev_major: u32,
        dev_minor: u32,
        spare2: [u64; 14],
    }

    /// `struct fuse_statx_in`
    StatxIn: 24 {
        getattr_flags: u32,
        reserved: u32,
        handle: u64,
        flags: u32,
        mask: u32,
    }

    /// `struct fuse_statx_out`
    StatxOut: 288 {
        valid: u64,
        valid_nanoseconds: u32,
        flags: u32,
        spare: [u64; 2],
        stat: StatxAttr,
    }
}

impl From<&StatxIn> for StatxRequest {
    fn from(wire: &StatxIn) -> Self {
        Self {
            handle: (wire.getattr_flags & 1 != 0).then_some(wire.handle),
            flags: wire.flags,
            mask: StatxMask::from_bits(wire.mask),
        }
    }
}

impl From<Timestamp> for StatxTime {
    fn from(time: Timestamp) -> Self {
        Self { seconds: time.seconds, nanoseconds: time.nanoseconds, reserved: 0 }
    }
}

impl From<&Statx> for StatxOut {
    fn from(statx: &Statx) -> Self {
        Self {
            valid: statx.attr_valid.as_secs(),
            valid_nanoseconds: statx.attr_valid.subsec_nanos(),
            stat: statx.into(),
            ..Self::default()
        }
    }
}

impl From<&Statx> for StatxAttr {
    fn from(statx: &Statx) -> Self {
        let attr = &statx.attr;
        let (rdev_major, rdev_minor) = attr.device();
        Self {
            mask: statx.mask.bits(),
            blksize: attr.blksize,
            attributes: statx.attributes,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            mode: attr.mode as u16,
            ino: attr.ino,
            size: attr.size,
            blocks: attr.blocks,
            attributes_mask: statx.attributes_mask,
            atime: attr.atime.into(),
            btime: attr.btime.into(),
            ctime: attr.ctime.into(),
            mtime: attr.mtime.into(),
            rdev_major,
            rdev_minor,
            ..Self::default()
        }
    }
}
