//! Finding data and holes.

use crate::limits::CHUNK_BYTES;
use crate::{Error, Inode, Result, Volume};

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
        const PIECE_BYTES: u64 = 1024 * CHUNK_BYTES;
        let mut data_to = offset;
        let mut at = offset;
        while at < size {
            let end = size.min((at - at % CHUNK_BYTES).saturating_add(PIECE_BYTES));
            for (start, extent) in self.layers.extents(inode, at, end)? {
                let extent_end = start + extent.length as u64;
                if extent_end <= offset {
                    continue;
                }
                match what {
                    Seek::Data => return Ok(start.max(offset)),
                    Seek::Hole if start > data_to => return Ok(data_to),
                    Seek::Hole => data_to = data_to.max(extent_end),
                }
            }
            if what == Seek::Hole && data_to < end {
                return Ok(data_to);
            }
            at = end;
        }
        if what == Seek::Data { Err(Error::BehindEnd) } else { Ok(data_to.min(size)) }
    }
}
