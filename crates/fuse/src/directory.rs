//! Where the entries of a directory listing go.
//!
//! The kernel asks for a piece of the listing from a cookie on and gives a buffer. A cookie is the file system's own number
//! for "after this entry"; 0 is the beginning. Cookies must stay right while the directory changes.

use crate::{Entry, wire};
use zerocopy::IntoBytes;

/// What a directory entry leads to, as `d_type` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A named pipe.
    Fifo,
    /// A character device.
    CharacterDevice,
    /// A directory.
    Directory,
    /// A block device.
    BlockDevice,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
    /// Not known without a look at the inode.
    Unknown,
}

impl FileKind {
    /// The kind that a mode's `S_IFMT` bits name.
    pub const fn from_mode(mode: u32) -> Self {
        match mode & libc::S_IFMT {
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFCHR => Self::CharacterDevice,
            libc::S_IFDIR => Self::Directory,
            libc::S_IFBLK => Self::BlockDevice,
            libc::S_IFREG => Self::File,
            libc::S_IFLNK => Self::Symlink,
            libc::S_IFSOCK => Self::Socket,
            _ => Self::Unknown,
        }
    }

    const fn number(self) -> u32 {
        let number = match self {
            Self::Fifo => libc::DT_FIFO,
            Self::CharacterDevice => libc::DT_CHR,
            Self::Directory => libc::DT_DIR,
            Self::BlockDevice => libc::DT_BLK,
            Self::File => libc::DT_REG,
            Self::Symlink => libc::DT_LNK,
            Self::Socket => libc::DT_SOCK,
            Self::Unknown => libc::DT_UNKNOWN,
        };
        number as u32
    }
}

/// The buffer of a READDIR.
#[derive(Debug)]
pub struct DirectoryBuffer<'a> {
    records: Records<'a>,
}

impl<'a> DirectoryBuffer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { records: Records { buffer, length: 0 } }
    }

    /// Adds an entry; `next` is the cookie of what comes after it. `false`: it does not fit and was not added; stop.
    #[must_use = "an entry that does not fit must come again with the next request"]
    pub fn push(&mut self, ino: u64, next: u64, kind: FileKind, name: &[u8]) -> bool {
        self.records.push(&[], ino, next, kind, name)
    }

    pub(crate) fn length(&self) -> usize {
        self.records.length
    }
}

/// The buffer of a READDIRPLUS: entries with their inodes' attributes.
#[derive(Debug)]
pub struct DirectoryPlusBuffer<'a> {
    records: Records<'a>,
}

impl<'a> DirectoryPlusBuffer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { records: Records { buffer, length: 0 } }
    }

    /// Adds an entry as if it had been looked up; `next` is the cookie of what comes after it.
    ///
    /// `true`: it was added and counts as one lookup of `entry.node`. `false`: it does not fit and does not count; stop.
    /// For `.` and `..`, which the kernel never counts, use [`push_name`](Self::push_name).
    #[must_use = "an entry that does not fit must come again with the next request"]
    pub fn push(&mut self, entry: &Entry, next: u64, name: &[u8]) -> bool {
        let kind = FileKind::from_mode(entry.attr.mode);
        let header = wire::EntryOut::from(entry);
        self.records.push(header.as_bytes(), entry.attr.ino, next, kind, name)
    }

    /// Adds a name without attributes, not counted as a lookup.
    #[must_use = "an entry that does not fit must come again with the next request"]
    pub fn push_name(&mut self, ino: u64, next: u64, kind: FileKind, name: &[u8]) -> bool {
        let header = wire::EntryOut::default();
        self.records.push(header.as_bytes(), ino, next, kind, name)
    }

    /// Whether an entry with a name of this many bytes still fits: asked before work that a full buffer would waste.
    pub fn fits(&self, name_length: usize) -> bool {
        let header = size_of::<wire::EntryOut>();
        self.records.length + Records::size(header, name_length) <= self.records.buffer.len()
    }

    pub(crate) fn length(&self) -> usize {
        self.records.length
    }
}

/// Directory records one after another, each padded to 8 bytes.
#[derive(Debug)]
struct Records<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl Records<'_> {
    fn size(header_length: usize, name_length: usize) -> usize {
        (header_length + size_of::<wire::DirectoryEntry>() + name_length).next_multiple_of(8)
    }

    fn push(&mut self, header: &[u8], ino: u64, next: u64, kind: FileKind, name: &[u8]) -> bool {
        let end = self.length + Self::size(header.len(), name.len());
        let Some(record) = self.buffer.get_mut(self.length..end) else {
            return false;
        };
        let entry = wire::DirectoryEntry { ino, off: next, name_length: name.len() as u32, kind: kind.number() };
        let (head, rest) = record.split_at_mut(header.len());
        let (middle, rest) = rest.split_at_mut(size_of::<wire::DirectoryEntry>());
        let (tail, padding) = rest.split_at_mut(name.len());
        head.copy_from_slice(header);
        middle.copy_from_slice(entry.as_bytes());
        tail.copy_from_slice(name);
        padding.fill(0);
        self.length = end;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_padded_and_a_full_buffer_says_so() {
        let mut bytes = [0xff; 70];
        let mut entries = DirectoryBuffer::new(&mut bytes);
        assert!(entries.push(7, 1, FileKind::File, b"abc"));
        assert!(entries.push(8, 2, FileKind::Directory, b"12345678"));
        assert!(!entries.push(9, 3, FileKind::File, b"x"));
        assert_eq!(entries.length(), 64);
        assert_eq!(&bytes[24..32], b"abc\0\0\0\0\0");
        assert_eq!(bytes[20], libc::DT_REG);
    }

    #[test]
    fn an_entry_with_attributes_takes_128_bytes_more() {
        let mut bytes = [0; 320];
        let mut entries = DirectoryPlusBuffer::new(&mut bytes);
        assert!(entries.fits(8));
        assert!(entries.push(&Entry { node: 5, ..Entry::default() }, 1, b"12345678"));
        assert!(entries.fits(8) && !entries.fits(9));
        assert!(entries.push_name(1, 2, FileKind::Directory, b".."));
        assert_eq!(entries.length(), 320);
        assert!(!entries.fits(1));
    }
}
