//! How a file system is mounted.

use std::ffi::OsString;
use std::path::PathBuf;

/// The options of a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountOptions {
    /// What `mount(8)` shows as the source. Ignored with a `block_device`.
    pub source: OsString,
    /// What `mount(8)` shows as the type, after `fuse.`; empty for none.
    pub subtype: String,
    /// Let other users in. Without it even root gets `EACCES` in a user's mount.
    pub allow_other: bool,
    /// Let the kernel check permissions by mode, owner and ACL. Without it the file system must do so itself.
    pub default_permissions: bool,
    /// No writing.
    pub read_only: bool,
    /// Ignore set-user-id and set-group-id bits.
    pub nosuid: bool,
    /// Ignore device nodes.
    pub nodev: bool,
    /// Run no programs from here.
    pub noexec: bool,
    /// Keep no access times.
    pub noatime: bool,
    /// Directory operations are synchronous.
    pub dirsync: bool,
    /// Every write is synchronous.
    pub sync: bool,
    /// Largest read request in bytes; `None`: no limit beyond `max_write`.
    pub max_read: Option<usize>,
    /// Mount as `fuseblk` over this block device. Only such a mount gets SYNCFS for `sync(2)` and DESTROY at its end.
    /// Needs root.
    pub block_device: Option<PathBuf>,
    /// Block size of a `fuseblk` mount, in bytes.
    pub block_size: u32,
}

impl Default for MountOptions {
    /// A private mount with the kernel's permission checks, without devices and set-user-id programs.
    fn default() -> Self {
        Self {
            source: "fuse".into(),
            subtype: String::new(),
            allow_other: false,
            default_permissions: true,
            read_only: false,
            nosuid: true,
            nodev: true,
            noexec: false,
            noatime: false,
            dirsync: false,
            sync: false,
            max_read: None,
            block_device: None,
            block_size: 4096,
        }
    }
}
