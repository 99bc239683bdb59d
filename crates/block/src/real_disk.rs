//! A directory of this machine as a [`Disk`].

use crate::{Disk, DiskFile, Space};
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, fdatasync, fstatfs, statvfs};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Written at once where the file system cannot reserve space.
const ZEROS_BYTES: usize = 1 << 20;

/// What statfs(2) calls ext2, ext3 and ext4.
const EXT4_MAGIC: u64 = 0xef53;

/// What statfs(2) calls XFS.
const XFS_MAGIC: u64 = 0x5846_5342;

/// A directory.
pub struct RealDisk {
    root: PathBuf,
    /// Whether files may be written once they are open.
    is_writable: bool,
}

impl RealDisk {
    /// The disk below a directory that is there.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), is_writable: true }
    }

    /// The disk below a directory that may lie where nothing can be written.
    pub(crate) fn to_read(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), is_writable: false }
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path(path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        if let Err(error) = reserve(&file, length) {
            // The reason why there is no file counts, not whether its remains could be removed.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Arc::new(RealFile { file }))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(self.is_writable).open(self.path(path))?;
        Ok(Arc::new(RealFile { file }))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(path))?.len())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.path(folder))?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(path))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        File::open(self.path(path))?.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let space = statvfs(&self.root)?;
        Ok(Space { total_bytes: space.f_blocks * space.f_frsize, free_bytes: space.f_bavail * space.f_frsize })
    }

    fn place(&self) -> String {
        self.root.display().to_string()
    }
}

struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn read_at_hand(&self, buffer: &mut [u8], offset: u64) -> bool {
        let length = buffer.len();
        let read = preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
        read.is_ok_and(|read| read == length)
    }

    fn will_read(&self, offset: u64, bytes: u64) {
        // A hint that is not taken changes nothing.
        let _ = fadvise(&self.file, offset, NonZeroU64::new(bytes), Advice::WillNeed);
    }

    fn will_write(&self, offset: u64, bytes: u64) {
        if overwrites_in_place(&self.file) {
            // A hint that is not taken changes nothing; what a failed write did to the file, the next sync says.
            let _ = write_zeros(&self.file, offset, bytes);
        }
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut slices = slices.to_vec();
        let mut rest = &mut slices[..];
        let mut offset = offset;
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match pwritev(&self.file, rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    IoSlice::advance_slices(&mut rest, length);
                    offset += length as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

/// Reserves a new file's space, so that a full disk is noticed now.
fn reserve(file: &File, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, 0, length),
        result => Ok(result?),
    }
}

fn write_zeros(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min(length as usize)];
    let mut done = 0;
    while done < length {
        let bytes = (length - done).min(ZEROS_BYTES as u64);
        file.write_all_at(&zeros[..bytes as usize], offset + done)?;
        done += bytes;
    }
    Ok(())
}

/// Whether the file system keeps what is written over where it lies, and notes in a journal of its own what is written for the first
/// time. Those that write everything to new places would only write more.
fn overwrites_in_place(file: &File) -> bool {
    fstatfs(file).is_ok_and(|statistics| matches!(statistics.f_type as u64, EXT4_MAGIC | XFS_MAGIC))
}

/// Makes a directory, and those above it.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_file_has_its_length_and_takes_slices_at_an_offset() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = RealDisk::new(folder.path());
        let file = disk.create("a", 4096).expect("space");
        file.write_at(&[IoSlice::new(b""), IoSlice::new(b"one"), IoSlice::new(b"two")], 10).expect("writable");
        let mut bytes = [1; 8];
        assert_eq!(file.read_at(&mut bytes, 9).expect("readable"), 8);
        assert_eq!(&bytes, b"\0onetwo\0");
        assert_eq!(file.length().expect("a length"), 4096);
        // Not every file system can tell what waits; those that can just wrote it.
        let mut at_hand = [1; 6];
        assert!(!file.read_at_hand(&mut at_hand, 10) || &at_hand == b"onetwo");
        assert!(!file.read_at_hand(&mut [0; 8], 4090), "the file ends before");
        assert_eq!(disk.create("a", 1).err().map(|error| error.kind()), Some(io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn a_file_that_finds_no_space_is_not_left_behind() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = RealDisk::new(folder.path());
        assert!(disk.create("a", 1 << 55).is_err());
        assert!(disk.list("").expect("a list").is_empty());
    }
}
