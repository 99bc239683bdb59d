//! What the file system tells the kernel unasked.

use super::wire;

/// The code of a notification, in place of an error number (`enum fuse_notify_code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum NotifyCode {
    Poll = 1,
    InvalidateInode = 2,
    InvalidateEntry = 3,
    Store = 4,
    Delete = 6,
    IncrementEpoch = 8,
    Prune = 9,
}

/// `FUSE_EXPIRE_ONLY`
pub(crate) const EXPIRE_ONLY: u32 = 1 << 0;

wire! {
    /// `struct fuse_notify_poll_wakeup_out`
    NotifyPoll: 8 {
        wakeup: u64,
    }

    /// `struct fuse_notify_inval_inode_out`
    NotifyInvalidateInode: 24 {
        node: u64,
        offset: i64,
        length: i64,
    }

    /// `struct fuse_notify_inval_entry_out`, then the name and a zero
    NotifyInvalidateEntry: 16 {
        parent: u64,
        name_length: u32,
        flags: u32,
    }

    /// `struct fuse_notify_delete_out`, then the name and a zero
    NotifyDelete: 24 {
        parent: u64,
        child: u64,
        name_length: u32,
        padding: u32,
    }

    /// `struct fuse_notify_store_out`, then the data
    NotifyStore: 24 {
        node: u64,
        offset: u64,
        size: u32,
        padding: u32,
    }

    /// `struct fuse_notify_prune_out`, then the node ids
    NotifyPrune: 16 {
        count: u32,
        padding: u32,
        spare: u64,
    }

    /// `struct fuse_notify_retrieve_in`
    NotifyRetrieveIn: 40 {
        dummy1: u64,
        offset: u64,
        size: u32,
        dummy2: u32,
        dummy3: u64,
        dummy4: u64,
    }
}
