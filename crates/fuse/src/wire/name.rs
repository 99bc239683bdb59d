//! Making, renaming and linking names.

use super::wire;

wire! {
    /// `struct fuse_mknod_in`
    MknodIn: 16 {
        mode: u32,
        rdev: u32,
        umask: u32,
        padding: u32,
    }

    /// `struct fuse_mkdir_in`
    MkdirIn: 8 {
        mode: u32,
        umask: u32,
    }

    /// `struct fuse_rename_in`
    RenameIn: 8 {
        new_parent: u64,
    }

    /// `struct fuse_rename2_in`
    Rename2In: 16 {
        new_parent: u64,
        flags: u32,
        padding: u32,
    }

    /// `struct fuse_link_in`
    LinkIn: 8 {
        old_node: u64,
    }
}
