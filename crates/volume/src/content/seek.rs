//! Finding data and holes.

use crate::limits::CHUNK_BYTES;
use crate::{Error, Inode, Result, View, Volume};
use std::ops::Deref;

/// What [`Volume::seek`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The next byte that is not in a hole.
    Data,
    /// The next byte in a hole; the end of the file counts as one.
    Hole,
}

impl Volume {
    /// The next offset, from one on, of what is looked for. `BehindEnd` (ENXIO) as lseek(2) has it.
    pub fn seek(&self, inode: Inode, offset: u64, what: Seek) -> Result<u64> {
        let _lock = self.locks.read(inode);
        self.deref().seek(inode, offset, what)
    }
}

impl View {
    /// As [`Volume::seek`].
    pub fn seek(&self, inode: Inode, offset: u64, what: Seek) -> Result<u64> {
        let size = self.file(inode)?.size;
        if offset >= size {
            return Err(Error::BehindEnd);
        }
        if self.inline_content(inode, size)?.is_some() {
            return Ok(if what == Seek::Data { offset } else { size });
        }
        self.seek_extents(inode, offset, size, what)
    }

    fn seek_extents(&self, inode: Inode, offset: u64, size: u64, what: Seek) -> Result<u64> {
        let mut data_to = offset;
        let mut next = Some(offset - offset % CHUNK_BYTES);
        while let Some(from) = next {
            let (extents, behind) = self.layers.some_extents(inode, from, size)?;
            for (start, extent) in extents {
                let extent_end = start + extent.length as u64;
                match what {
                    _ if extent_end <= offset => {}
                    Seek::Data => return Ok(start.max(offset)),
                    Seek::Hole if start > data_to => return Ok(data_to),
                    Seek::Hole => data_to = extent_end,
                }
            }
            next = behind;
        }
        if what == Seek::Data { Err(Error::BehindEnd) } else { Ok(data_to.min(size)) }
    }
}
