//! Extended attributes.

use super::wire;
use crate::{SetXattrMode, SetXattrOptions};

/// `FUSE_SETXATTR_ACL_KILL_SGID`
const ACL_KILL_SGID: u32 = 1 << 0;

wire! {
    /// `struct fuse_setxattr_in`
    SetxattrIn: 16 {
        size: u32,
        flags: u32,
        setxattr_flags: u32,
        padding: u32,
    }

    /// `struct fuse_getxattr_in`, also for LISTXATTR
    GetxattrIn: 8 {
        size: u32,
        padding: u32,
    }

    /// `struct fuse_getxattr_out`
    GetxattrOut: 8 {
        size: u32,
        padding: u32,
    }
}

/// [`SetxattrIn`] without `SETXATTR_EXT`: up to `flags`.
pub(crate) const SETXATTR_IN_SIZE_OLD: usize = 8;

impl SetxattrIn {
    /// The options, unless there is a flag that is not known.
    pub(crate) fn options(&self) -> Option<SetXattrOptions> {
        const BOTH: i32 = libc::XATTR_CREATE | libc::XATTR_REPLACE;
        let mode = match self.flags as i32 {
            0 => SetXattrMode::Set,
            libc::XATTR_CREATE => SetXattrMode::Create,
            libc::XATTR_REPLACE => SetXattrMode::Replace,
            BOTH => SetXattrMode::CreateAndReplace,
            _ => return None,
        };
        Some(SetXattrOptions { mode, acl_kill_sgid: self.setxattr_flags & ACL_KILL_SGID != 0 })
    }
}
