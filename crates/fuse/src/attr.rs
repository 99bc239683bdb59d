//! What the kernel knows of a file besides its name and its data.

use crate::{Timestamp, flags::flags};
use std::time::Duration;

/// An inode's attributes, as `stat(2)` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attr {
    /// The inode number that users see; it may differ from the node id.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the data.
    pub mtime: Timestamp,
    /// Last change of data or attributes.
    pub ctime: Timestamp,
    /// Creation; only `statx` shows it.
    pub btime: Timestamp,
    /// File type and permissions: `S_IFMT | 0o7777`.
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node, as the kernel encodes it (see [`Attr::device`]).
    pub rdev: u32,
    /// Preferred size of I/O, in bytes; 0 leaves it to the kernel.
    pub blksize: u32,
    /// See [`AttrFlags`].
    pub flags: AttrFlags,
}

impl Attr {
    /// Major and minor number of `rdev`, which holds 12 bits of the one and 20 of the other.
    pub const fn device(&self) -> (u32, u32) {
        let minor = (self.rdev & 0xff) | ((self.rdev >> 12) & 0xfff00);
        ((self.rdev >> 8) & 0xfff, minor)
    }
}

flags! {
    /// What the kernel should know of an inode beyond `stat(2)`.
    AttrFlags: u32 {
        /// The root of another mount (`FUSE_ATTR_SUBMOUNT`).
        SUBMOUNT = 1 << 0;
        /// Use direct access (`FUSE_ATTR_DAX`).
        DAX = 1 << 1;
    }
}

/// Attributes, and how long the kernel may use them without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachedAttr {
    /// The attributes.
    pub attr: Attr,
    /// For how long; zero: ask every time.
    pub attr_valid: Duration,
}

/// The answer to a lookup, and to everything else that makes a name.
///
/// Each one that reaches the kernel counts as one lookup of `node`; [`Filesystem::forget`](crate::Filesystem::forget)
/// takes them back. A `node` of 0 says that the name does not exist and lets the kernel remember that for `entry_valid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The node id under which the kernel will ask for the inode; the root's is [`ROOT`](crate::ROOT).
    pub node: u64,
    /// Makes `(node, generation)` unique when node ids are used again. Only NFS exports look at it.
    pub generation: u64,
    /// The inode's attributes.
    pub attr: Attr,
    /// How long the name may be cached.
    pub entry_valid: Duration,
    /// How long the attributes may be cached.
    pub attr_valid: Duration,
}

impl Entry {
    /// "There is no such name", remembered by the kernel for this long.
    pub fn negative(entry_valid: Duration) -> Self {
        Self { entry_valid, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_come_apart_as_the_kernel_puts_them_together() {
        let rdev = 0x103 << 8 | 0x45 | 0x678 << 20;
        assert_eq!(Attr { rdev, ..Attr::default() }.device(), (0x103, 0x67845));
    }
}
