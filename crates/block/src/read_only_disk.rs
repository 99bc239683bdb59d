//! A disk of which nothing is changed.

use crate::{Disk, DiskFile, Space};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

/// Reads from another disk and refuses every change of it. A sync has nothing to do.
pub(crate) struct ReadOnlyDisk(pub(crate) Arc<dyn Disk>);

fn refused<T>() -> io::Result<T> {
    Err(ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadOnlyDisk {
    fn create(&self, _path: &str, _length: u64) -> io::Result<Arc<dyn DiskFile>> {
        refused()
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ReadOnlyFile(self.0.open(path)?)))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        self.0.length(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn create_folder(&self, _path: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _path: &str) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        refused()
    }

    fn sync_folder(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        self.0.space()
    }

    fn place(&self) -> String {
        self.0.place()
    }
}

struct ReadOnlyFile(Arc<dyn DiskFile>);

impl DiskFile for ReadOnlyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn read_at_hand(&self, buffer: &mut [u8], offset: u64) -> bool {
        self.0.read_at_hand(buffer, offset)
    }

    fn will_read(&self, offset: u64, bytes: u64) {
        self.0.will_read(offset, bytes);
    }

    fn write_at(&self, _slices: &[IoSlice<'_>], _offset: u64) -> io::Result<()> {
        refused()
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn truncate(&self, _length: u64) -> io::Result<()> {
        refused()
    }
}
