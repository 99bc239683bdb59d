//! Opening, closing and the rarer operations on open files.

use super::wire;
use crate::{LockOwner, OpenFlags, Opened, ReleaseOptions, StatFs};

/// `FUSE_OPEN_KILL_SUIDGID`
const OPEN_KILL_SUIDGID: u32 = 1 << 0;
/// `FUSE_RELEASE_FLUSH`
const RELEASE_FLUSH: u32 = 1 << 0;
/// `FUSE_RELEASE_FLOCK_UNLOCK`
const RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;
/// `FUSE_FSYNC_FDATASYNC`
const FSYNC_FDATASYNC: u32 = 1 << 0;

wire! {
    /// `struct fuse_open_in`
    OpenIn: 8 {
        flags: u32,
        open_flags: u32,
    }

    /// `struct fuse_create_in`
    CreateIn: 16 {
        flags: u32,
        mode: u32,
        umask: u32,
        open_flags: u32,
    }

    /// `struct fuse_open_out`
    OpenOut: 16 {
        handle: u64,
        open_flags: u32,
        backing_id: i32,
    }

    /// `struct fuse_release_in`
    ReleaseIn: 24 {
        handle: u64,
        flags: u32,
        release_flags: u32,
        lock_owner: u64,
    }

    /// `struct fuse_flush_in`
    FlushIn: 24 {
        handle: u64,
        unused: u32,
        padding: u32,
        lock_owner: u64,
    }

    /// `struct fuse_fsync_in`
    FsyncIn: 16 {
        handle: u64,
        flags: u32,
        padding: u32,
    }

    /// `struct fuse_access_in`
    AccessIn: 8 {
        mask: u32,
        padding: u32,
    }

    /// `struct fuse_interrupt_in`
    InterruptIn: 8 {
        unique: u64,
    }

    /// `struct fuse_bmap_in`
    BmapIn: 16 {
        block: u64,
        block_size: u32,
        padding: u32,
    }

    /// `struct fuse_syncfs_in`
    SyncfsIn: 8 {
        padding: u64,
    }

    /// `struct fuse_kstatfs`, all there is in `struct fuse_statfs_out`
    StatFsOut: 80 {
        blocks: u64,
        blocks_free: u64,
        blocks_available: u64,
        files: u64,
        files_free: u64,
        block_size: u32,
        name_length_max: u32,
        fragment_size: u32,
        padding: u32,
        spare: [u32; 6],
    }
}

impl From<&OpenIn> for OpenFlags {
    fn from(wire: &OpenIn) -> Self {
        Self { bits: wire.flags as i32, kill_suidgid: wire.open_flags & OPEN_KILL_SUIDGID != 0 }
    }
}

impl From<&CreateIn> for OpenFlags {
    fn from(wire: &CreateIn) -> Self {
        Self { bits: wire.flags as i32, kill_suidgid: wire.open_flags & OPEN_KILL_SUIDGID != 0 }
    }
}

impl From<&Opened> for OpenOut {
    fn from(opened: &Opened) -> Self {
        Self { handle: opened.handle, open_flags: opened.flags.bits(), backing_id: 0 }
    }
}

impl From<&ReleaseIn> for ReleaseOptions {
    fn from(wire: &ReleaseIn) -> Self {
        let unlock = wire.release_flags & RELEASE_FLOCK_UNLOCK != 0;
        Self {
            open_flags: OpenFlags { bits: wire.flags as i32, kill_suidgid: false },
            flush: wire.release_flags & RELEASE_FLUSH != 0,
            unlock_flock: unlock.then_some(LockOwner(wire.lock_owner)),
        }
    }
}

impl FsyncIn {
    pub(crate) fn data_only(&self) -> bool {
        self.flags & FSYNC_FDATASYNC != 0
    }
}

impl From<&StatFs> for StatFsOut {
    fn from(stat: &StatFs) -> Self {
        Self {
            blocks: stat.blocks,
            blocks_free: stat.blocks_free,
            blocks_available: stat.blocks_available,
            files: stat.files,
            files_free: stat.files_free,
            block_size: stat.block_size,
            name_length_max: stat.name_length_max,
            fragment_size: stat.fragment_size,
            ..Self::default()
        }
    }
}
