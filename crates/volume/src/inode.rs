//! What an inode is.

use crate::InodeFlags;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An inode's number in its volume: never used again after the inode is gone, below [`crate::limits::INODE_NUMBER_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode(pub u64);

impl Inode {
    /// The volume's top directory.
    pub const ROOT: Self = Self(1);

    /// The directory of inodes that no name leads to any more but that somebody may still have open. It has no name itself.
    pub(crate) const ORPHANS: Self = Self(2);

    /// The first number for an inode that somebody makes.
    pub(crate) const FIRST: Self = Self(16);
}

/// Nanoseconds are below one billion; seconds count from 1970 and may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
            Err(before) => Self::before_epoch(before.duration()),
        }
    }
}

impl Timestamp {
    /// Before every other time.
    pub const FIRST: Self = Self { seconds: i64::MIN, nanoseconds: 0 };

    /// After every other time.
    pub const LAST: Self = Self { seconds: i64::MAX, nanoseconds: 999_999_999 };

    fn before_epoch(before: Duration) -> Self {
        match (before.as_secs() as i64, before.subsec_nanos()) {
            (seconds, 0) => Self { seconds: -seconds, nanoseconds: 0 },
            (seconds, nanoseconds) => Self { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
        }
    }
}

/// What kind of thing an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A fifo.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
}

impl Kind {
    /// The kind that a mode's type bits name.
    pub fn of_mode(mode: u32) -> Option<Self> {
        match mode & libc::S_IFMT {
            libc::S_IFREG => Some(Self::File),
            libc::S_IFDIR => Some(Self::Directory),
            libc::S_IFLNK => Some(Self::Symlink),
            libc::S_IFIFO => Some(Self::Fifo),
            libc::S_IFSOCK => Some(Self::Socket),
            libc::S_IFCHR => Some(Self::CharacterDevice),
            libc::S_IFBLK => Some(Self::BlockDevice),
            _ => None,
        }
    }

    /// The type bits of a mode.
    pub fn mode_bits(self) -> u32 {
        match self {
            Self::File => libc::S_IFREG,
            Self::Directory => libc::S_IFDIR,
            Self::Symlink => libc::S_IFLNK,
            Self::Fifo => libc::S_IFIFO,
            Self::Socket => libc::S_IFSOCK,
            Self::CharacterDevice => libc::S_IFCHR,
            Self::BlockDevice => libc::S_IFBLK,
        }
    }
}

/// An inode's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// The permission bits of the mode (07777).
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of names; of a directory, 2 and its subdirectories.
    pub links: u32,
    /// Device number of a device node.
    pub device: u32,
    /// Length of a file or link target in bytes; number of entries of a directory.
    pub size: u64,
    /// Bytes that the content takes, before compression.
    pub allocated_bytes: u64,
    /// Bytes of its extended attributes, names and values; without those that were set before this was counted.
    pub xattr_bytes: u64,
    /// When it was last read, as far as anybody said so.
    pub accessed: Timestamp,
    /// Last change of the content.
    pub modified: Timestamp,
    /// Last change of content or attributes.
    pub changed: Timestamp,
    /// When it was made.
    pub born: Timestamp,
    /// Of a directory, the one that holds it. Of anything else, the one that held it when it got its last name, or 0 if nobody noted
    /// that: its names may have changed since.
    pub parent: u64,
    /// What chattr(1) sets.
    pub flags: InodeFlags,
}

impl Attributes {
    /// Type and permission bits together.
    pub fn mode(&self) -> u32 {
        self.kind.mode_bits() | self.permissions
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// What it counts in its volume, beside that it is there.
    pub(crate) fn counted_bytes(&self) -> u64 {
        self.allocated_bytes + self.xattr_bytes
    }

    /// The content changed just now.
    pub(crate) fn touch_content(&mut self, now: Timestamp) {
        self.modified = now;
        self.changed = now;
    }
}
