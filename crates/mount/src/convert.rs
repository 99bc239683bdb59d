//! The volume's words in the kernel's, and back.

use fuse::{Attr, CachedAttr, Entry, Errno, FileKind, SetAttr, SetTime, Timestamp};
use std::time::Duration;
use volume::{AttributeChanges, Attributes, Error, Inode, Kind, Privileges, TimeChange};

/// How long the kernel may keep names and attributes: nobody else changes them, so as long as it likes.
pub(crate) const VALID: Duration = Duration::from_secs(365 * 24 * 3600);

/// Inode numbers are never used again, so all are of one generation, unless a two-way sync displaced one; the kernel wants another one
/// for the top directory.
fn generation(inode: Inode) -> u64 {
    (inode != Inode::ROOT) as u64
}

/// The size of reads and writes that programs are told to prefer, in bytes.
const BLOCK_BYTES: u32 = 4096;

/// What `st_blocks` counts in, in bytes.
const SECTOR_BYTES: u64 = 512;

pub(crate) fn errno(error: Error) -> Errno {
    if matches!(error.errno(), libc::EIO | libc::EROFS) {
        tracing::error!(%error, "an operation failed");
    }
    Errno::new(error.errno())
}

pub(crate) fn attr(inode: Inode, attributes: &Attributes) -> Attr {
    Attr {
        ino: inode.0,
        size: attributes.size,
        blocks: attributes.allocated_bytes.div_ceil(SECTOR_BYTES),
        atime: timestamp(attributes.accessed),
        mtime: timestamp(attributes.modified),
        ctime: timestamp(attributes.changed),
        btime: timestamp(attributes.born),
        mode: attributes.mode(),
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: attributes.device,
        blksize: BLOCK_BYTES,
        ..Attr::default()
    }
}

pub(crate) fn cached(inode: Inode, attributes: &Attributes, valid: Duration) -> CachedAttr {
    CachedAttr { attr: attr(inode, attributes), attr_valid: valid }
}

pub(crate) fn entry(inode: Inode, attributes: &Attributes, valid: Duration) -> Entry {
    Entry {
        node: inode.0,
        generation: generation(inode),
        attr: attr(inode, attributes),
        entry_valid: valid,
        attr_valid: valid,
    }
}

fn timestamp(time: volume::Timestamp) -> Timestamp {
    Timestamp { seconds: time.seconds, nanoseconds: time.nanoseconds }
}

fn time_change(time: SetTime) -> TimeChange {
    match time {
        SetTime::Now => TimeChange::Now,
        SetTime::At(Timestamp { seconds, nanoseconds }) => TimeChange::To(volume::Timestamp { seconds, nanoseconds }),
    }
}

pub(crate) fn changes(set: &SetAttr, privileges: Privileges) -> AttributeChanges {
    AttributeChanges {
        permissions: set.mode.map(|mode| mode & 0o7777),
        uid: set.uid,
        gid: set.gid,
        size: set.size,
        accessed: set.atime.map(time_change),
        modified: set.mtime.map(time_change),
        privileges,
    }
}

pub(crate) fn seek(seek: fuse::Seek) -> volume::Seek {
    match seek {
        fuse::Seek::Data => volume::Seek::Data,
        fuse::Seek::Hole => volume::Seek::Hole,
    }
}

pub(crate) fn file_kind(kind: Kind) -> FileKind {
    FileKind::from_mode(kind.mode_bits())
}
