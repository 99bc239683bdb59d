//! What the store asks of a disk: named files in folders, positioned reads and writes, and syncs that say when bytes are
//! durable. `RealDisk` is a directory of the machine; `sim` has one that keeps written and durable bytes apart.

use std::io::{self, IoSlice};
use std::sync::Arc;

/// Files in one directory tree. Paths are relative to it, with `/` between the parts.
pub trait Disk: Send + Sync {
    /// Makes a file of `length` bytes that read as zero, with its space reserved. Fails if the path exists.
    fn create(&self, path: &str, length: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that is there.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// A file's length in bytes.
    fn length(&self, path: &str) -> io::Result<u64>;

    /// The names in a folder, in no order.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a folder; one that is there already is no error.
    fn create_folder(&self, path: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Renames a file, replacing what has the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    fn sync_folder(&self, path: &str) -> io::Result<()>;

    /// The disk's space.
    fn space(&self) -> io::Result<Space>;

    /// What messages call the place: a path that a user can act on.
    fn place(&self) -> String;
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills the buffer from an offset if that waits for nothing; false if it would, or if it cannot be told.
    fn read_at_hand(&self, _buffer: &mut [u8], _offset: u64) -> bool {
        false
    }

    /// A hint: what lies here will be read soon.
    fn will_read(&self, _offset: u64, _bytes: u64) {}

    /// A hint: bytes that were never written, and that nobody is writing, are going to be written in small pieces, each with a sync.
    fn will_write(&self, _offset: u64, _bytes: u64) {}

    /// Writes all of the slices, one after another, at an offset.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes what was written durable (fdatasync: content and length).
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Cuts the file to a length, giving back what was reserved behind it.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// Space of a disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system that the store lies on.
    pub total_bytes: u64,
    /// Free for the store to use.
    pub free_bytes: u64,
}
