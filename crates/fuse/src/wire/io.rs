//! Reading, writing and the operations around them.

use super::wire;
use crate::{CopyPoint, Ioctl, LockOwner, OpenFlags, Poll, PollWakeup, ReadOptions, Seek, WriteOptions};

/// `FUSE_READ_LOCKOWNER`
const READ_LOCKOWNER: u32 = 1 << 1;
/// `FUSE_WRITE_CACHE`
const WRITE_CACHE: u32 = 1 << 0;
/// `FUSE_WRITE_LOCKOWNER`
const WRITE_LOCKOWNER: u32 = 1 << 1;
/// `FUSE_WRITE_KILL_SUIDGID`
const WRITE_KILL_SUIDGID: u32 = 1 << 2;
/// `FUSE_IOCTL_UNRESTRICTED`
pub(crate) const IOCTL_UNRESTRICTED: u32 = 1 << 1;
/// `FUSE_IOCTL_32BIT`
const IOCTL_32BIT: u32 = 1 << 3;
/// `FUSE_IOCTL_DIR`
const IOCTL_DIR: u32 = 1 << 4;
/// `FUSE_POLL_SCHEDULE_NOTIFY`
const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;

wire! {
    /// `struct fuse_read_in`, for files and directories
    ReadIn: 40 {
        handle: u64,
        /// Bytes in a file, a cookie in a directory.
        offset: u64,
        size: u32,
        read_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    /// `struct fuse_write_in`
    WriteIn: 40 {
        handle: u64,
        offset: u64,
        size: u32,
        write_flags: u32,
        lock_owner: u64,
        flags: u32,
        padding: u32,
    }

    /// `struct fuse_write_out`
    WriteOut: 8 {
        size: u32,
        padding: u32,
    }

    /// `struct fuse_fallocate_in`
    FallocateIn: 32 {
        handle: u64,
        offset: u64,
        length: u64,
        mode: u32,
        padding: u32,
    }

    /// `struct fuse_lseek_in`
    LseekIn: 24 {
        handle: u64,
        offset: u64,
        whence: u32,
        padding: u32,
    }

    /// `struct fuse_lseek_out`
    LseekOut: 8 {
        offset: u64,
    }

    /// `struct fuse_copy_file_range_in`
    CopyFileRangeIn: 56 {
        handle_in: u64,
        offset_in: u64,
        node_out: u64,
        handle_out: u64,
        offset_out: u64,
        length: u64,
        flags: u64,
    }

    /// `struct fuse_copy_file_range_out`
    CopyFileRangeOut: 8 {
        bytes_copied: u64,
    }

    /// `struct fuse_ioctl_in`
    IoctlIn: 32 {
        handle: u64,
        flags: u32,
        command: u32,
        argument: u64,
        in_size: u32,
        out_size: u32,
    }

    /// `struct fuse_ioctl_out`
    IoctlOut: 16 {
        result: i32,
        flags: u32,
        in_iovs: u32,
        out_iovs: u32,
    }

    /// `struct fuse_poll_in`
    PollIn: 24 {
        handle: u64,
        wakeup: u64,
        flags: u32,
        events: u32,
    }

    /// `struct fuse_poll_out`
    PollOut: 8 {
        events: u32,
        padding: u32,
    }
}

impl From<&ReadIn> for ReadOptions {
    fn from(wire: &ReadIn) -> Self {
        let owned = wire.read_flags & READ_LOCKOWNER != 0;
        Self {
            open_flags: OpenFlags { bits: wire.flags as i32, kill_suidgid: false },
            lock_owner: owned.then_some(LockOwner(wire.lock_owner)),
        }
    }
}

impl From<&WriteIn> for WriteOptions {
    fn from(wire: &WriteIn) -> Self {
        let owned = wire.write_flags & WRITE_LOCKOWNER != 0;
        Self {
            open_flags: OpenFlags { bits: wire.flags as i32, kill_suidgid: false },
            lock_owner: owned.then_some(LockOwner(wire.lock_owner)),
            cached: wire.write_flags & WRITE_CACHE != 0,
            kill_suidgid: wire.write_flags & WRITE_KILL_SUIDGID != 0,
        }
    }
}

impl LseekIn {
    pub(crate) fn seek(&self) -> Option<Seek> {
        match self.whence as i32 {
            libc::SEEK_DATA => Some(Seek::Data),
            libc::SEEK_HOLE => Some(Seek::Hole),
            _ => None,
        }
    }
}

impl CopyFileRangeIn {
    pub(crate) fn source(&self, node: u64) -> CopyPoint {
        CopyPoint { node, handle: self.handle_in, offset: self.offset_in }
    }

    pub(crate) fn destination(&self) -> CopyPoint {
        CopyPoint { node: self.node_out, handle: self.handle_out, offset: self.offset_out }
    }
}

impl From<&IoctlIn> for Ioctl {
    fn from(wire: &IoctlIn) -> Self {
        Self {
            command: wire.command,
            argument: wire.argument,
            directory: wire.flags & IOCTL_DIR != 0,
            compat_32: wire.flags & IOCTL_32BIT != 0,
        }
    }
}

impl From<&PollIn> for Poll {
    fn from(wire: &PollIn) -> Self {
        let waits = wire.flags & POLL_SCHEDULE_NOTIFY != 0;
        Self { events: wire.events, wakeup: waits.then_some(PollWakeup(wire.wakeup)) }
    }
}
