//! Making files longer and shorter, and holes.

use crate::change::Change;
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Attributes, Error, Inode, Result, Volume};

impl Volume {
    /// Makes a file longer or shorter; what is new reads as zero. The caller holds the gate and the inode's lock, and puts the
    /// attributes.
    pub(crate) fn resize(&self, inode: Inode, attributes: &mut Attributes, size: u64) -> Result<()> {
        if size > FILE_BYTES_MAX {
            return Err(Error::FileTooLarge);
        }
        let before = attributes.allocated_bytes;
        match self.inline_content(inode, attributes.size)? {
            Some(content) if size <= INLINE_BYTES_MAX as u64 => {
                self.check_quota(size.saturating_sub(attributes.size))?;
                let mut content = content.to_vec();
                content.resize(size as usize, 0);
                self.set_inline(inode, attributes, content);
            }
            Some(content) => self.spill(inode, attributes, content)?,
            None if size < attributes.size => self.shorten(inode, attributes, size)?,
            None => {}
        }
        attributes.size = size;
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        Ok(())
    }

    fn shorten(&self, inode: Inode, attributes: &mut Attributes, size: u64) -> Result<()> {
        let chunk_end = size.next_multiple_of(CHUNK_BYTES);
        let mut removed = self.cut_out(inode, size, chunk_end)?;
        if size == 0 {
            removed = attributes.allocated_bytes;
        } else if attributes.size > chunk_end {
            removed += self.allocated_between(inode, chunk_end, attributes.size)?;
        }
        self.layers.overlay.change(inode, Change::Clear { from: chunk_end });
        attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(removed);
        Ok(())
    }

    /// Bytes of a file's extents in a range that begins at a chunk.
    fn allocated_between(&self, inode: Inode, from: u64, to: u64) -> Result<u64> {
        let mut bytes = 0;
        let mut next = Some(from);
        while let Some(from) = next {
            let (extents, behind) = self.layers.some_extents(inode, from, to)?;
            bytes += extents.values().map(|extent| extent.length as u64).sum::<u64>();
            next = behind;
        }
        Ok(bytes)
    }

    /// Makes a file at least `size` bytes long, as fallocate(2) does; its times change in any case. No space is set aside.
    pub fn extend(&self, inode: Inode, size: u64) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        attributes.check_mutable()?;
        if size > attributes.size {
            self.resize(inode, &mut attributes, size)?;
        }
        attributes.touch_content(self.now());
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }

    /// Makes a hole of a range of a file, up to its end.
    pub fn punch(&self, inode: Inode, offset: u64, length: u64) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let attributes = self.file(inode)?;
        attributes.check_unprotected()?;
        self.make_hole(inode, attributes, offset, length)
    }

    /// Makes a range of a file read as zero, and the file long enough to have it.
    pub fn zero(&self, inode: Inode, offset: u64, length: u64) -> Result<()> {
        let end = offset.checked_add(length).ok_or(Error::FileTooLarge)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        attributes.check_unprotected()?;
        if end > attributes.size {
            self.resize(inode, &mut attributes, end)?;
        }
        self.make_hole(inode, attributes, offset, length)
    }

    /// The caller holds the gate and the inode's lock.
    fn make_hole(&self, inode: Inode, mut attributes: Attributes, offset: u64, length: u64) -> Result<()> {
        let end = offset.saturating_add(length).min(attributes.size);
        let before = attributes.allocated_bytes;
        match self.inline_content(inode, attributes.size)? {
            _ if offset >= end => {}
            Some(content) => {
                let mut content = content.to_vec();
                content[offset as usize..end as usize].fill(0);
                self.set_inline(inode, &mut attributes, content);
            }
            None => {
                let removed = self.cut_out(inode, offset, end)?;
                attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(removed);
            }
        }
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }
}
