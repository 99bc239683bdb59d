//! One segment's file. Every error names it.

use crate::{DiskFile, Error, Result};
use std::sync::Arc;

/// An open segment.
pub(crate) struct SegmentFile {
    /// The segment's number.
    pub(crate) number: u32,
    /// What messages call the file.
    pub(crate) path: String,
    file: Arc<dyn DiskFile>,
}

impl SegmentFile {
    /// The segment with this number.
    pub(crate) fn new(number: u32, path: String, file: Arc<dyn DiskFile>) -> Self {
        Self { number, path, file }
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// Reads up to a number of bytes at an offset; fewer only at the end of the file.
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        self.read_into(&mut buffer, offset, bytes)?;
        Ok(buffer)
    }

    /// As [`Self::read`], into a buffer that is there.
    pub(crate) fn read_into(&self, buffer: &mut Vec<u8>, offset: u64, bytes: usize) -> Result<()> {
        buffer.resize(bytes, 0);
        let length = self.file.read_at(buffer, offset).map_err(|source| Error::disk("read", &self.path, source))?;
        buffer.truncate(length);
        Ok(())
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync().map_err(|source| Error::disk("sync", &self.path, source))
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> Result<u64> {
        self.file.length().map_err(|source| Error::disk("measure", &self.path, source))
    }

    /// Cuts the file.
    pub(crate) fn truncate(&self, length: u64) -> Result<()> {
        self.file.truncate(length).map_err(|source| Error::disk("cut", &self.path, source))
    }
}
