//! A file in memory (mmap(2)), touched only where the file is.
//!
//! Invariant: only one process of a play acts at a time, so what is within the size when an access begins is so until it ends,
//! and no access raises SIGBUS but those of [`Mapping::touch`], which a child makes.

use super::raw;
use rustix::io::{Errno, Result};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};
use std::ffi::c_void;
use std::os::fd::{AsFd, OwnedFd};

/// Longer than a chunk of a file.
const MAPPING_BYTES: usize = 192 << 10;

pub(crate) struct Mapping {
    start: *mut c_void,
    is_writable: bool,
    /// To ask for the size. A mapping keeps its file open in any case.
    file: OwnedFd,
}

impl Mapping {
    pub(crate) fn new(file: impl AsFd, shared: bool, writable: bool) -> Result<Mapping> {
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let flags = if shared { MapFlags::SHARED } else { MapFlags::PRIVATE };
        let asked = rustix::io::dup(&file)?;
        // SAFETY: without a fixed address, the kernel maps where nothing else is.
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), MAPPING_BYTES, protection, flags, &file, 0) }?;
        Ok(Mapping { start, is_writable: writable, file: asked })
    }

    /// What of the range is within the file. `None` if that is nothing.
    fn within_file(&self, offset: usize, bytes: usize) -> Result<Option<usize>> {
        let size = rustix::fs::fstat(&self.file)?.st_size as u64;
        let end = size.min(MAPPING_BYTES as u64).min((offset + bytes) as u64) as usize;
        Ok(end.checked_sub(offset).filter(|length| *length > 0))
    }

    pub(crate) fn read(&self, offset: usize, bytes: usize) -> Result<Option<Vec<u8>>> {
        let Some(length) = self.within_file(offset, bytes)? else { return Ok(None) };
        let mut read = vec![0; length];
        // SAFETY: the range is within the mapping and within the file (the module's invariant).
        unsafe { std::ptr::copy_nonoverlapping(self.start.cast::<u8>().add(offset), read.as_mut_ptr(), length) };
        Ok(Some(read))
    }

    /// Writes as much as is within the file, and tells how much that was.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> Result<Option<usize>> {
        if !self.is_writable {
            return Err(Errno::ACCESS);
        }
        let Some(length) = self.within_file(offset, bytes.len())? else { return Ok(None) };
        // SAFETY: as for reads, and the mapping is writable.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.cast::<u8>().add(offset), length) };
        Ok(Some(length))
    }

    /// Has a child read or write one byte, wherever it is. What lies behind the end in the last page is only read: where it gets to
    /// is not defined. Tells by which signal the child died.
    pub(crate) fn touch(&self, offset: usize, write: bool) -> Result<Option<i32>> {
        const PAGE_BYTES: u64 = 4096;
        let size = rustix::fs::fstat(&self.file)?.st_size as u64;
        let is_behind_end = (size..size.next_multiple_of(PAGE_BYTES)).contains(&(offset as u64));
        let byte = self.start.cast::<u8>().wrapping_add(offset.min(MAPPING_BYTES - 1));
        let child = raw::fork(|| {
            // SAFETY: the byte is within the mapping. If there is no file below it, this process dies, which is what is asked.
            unsafe {
                match write && !is_behind_end {
                    true => byte.write_volatile(0x5a),
                    false => drop(byte.read_volatile()),
                }
            }
        })?;
        raw::signal_of(child)
    }

    /// Writes what has changed to the file system, which may keep it in memory.
    pub(crate) fn flush(&self) -> Result<()> {
        raw::sync_file_range(self.file.as_fd())
    }

    pub(crate) fn sync(&self) -> Result<()> {
        // SAFETY: it is this mapping and no more.
        unsafe { rustix::mm::msync(self.start, MAPPING_BYTES, MsyncFlags::SYNC) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is its own, and nobody has a reference into it.
        let _ = unsafe { rustix::mm::munmap(self.start, MAPPING_BYTES) };
    }
}
