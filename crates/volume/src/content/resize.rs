//! Making files longer and shorter, and holes.

use crate::change::Change;
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Attributes, Error, Inode, InodeFlags, Result, Volume};

impl Volume {
    /// Makes a file longer or shorter; what is new reads as zero. The caller holds the gate and the inode's lock, and puts the
    /// attributes.
    pub(crate) fn resize(&self, inode: Inode, attributes: &mut Attributes, size: u64) -> Result<()> {
        if size > FILE_BYTES_MAX {
            return Err(Error::FileTooLarge);
        }
        let before = attributes.allocated_bytes;
        let mut admission = None;
        match self.inline_content(inode, attributes.size)? {
            Some(content) if size <= INLINE_BYTES_MAX as u64 => {
                admission = Some(self.admit(size.saturating_sub(attributes.size))?);
                let mut content = content.to_vec();
                content.resize(size as usize, 0);
                self.set_inline(inode, attributes, content);
            }
            Some(content) => self.spill(inode, attributes, content)?,
            None if size < attributes.size
                || size == attributes.size && attributes.flags.contains(InodeFlags::RESERVED) =>
            {
                self.shorten(inode, attributes, size)?
            }
            None => {}
        }
        attributes.size = size;
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        drop(admission);
        Ok(())
    }

    /// What is reserved behind the new end goes, too, also when the size stays.
    fn shorten(&self, inode: Inode, attributes: &mut Attributes, size: u64) -> Result<()> {
        let chunk_end = size.next_multiple_of(CHUNK_BYTES);
        self.counting(inode, attributes, size, u64::MAX, |attributes| {
            let mut removed = self.cut_out(inode, size, chunk_end)?;
            if size == 0 {
                removed = attributes.allocated_bytes;
            } else if attributes.size > chunk_end {
                removed += self.content_in(inode, attributes, chunk_end, attributes.size)?;
            }
            self.layers.overlay.change(inode, Change::Clear { from: chunk_end });
            attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(removed);
            self.release(inode, attributes, size, u64::MAX)
        })
    }

    /// Takes away what is reserved in a range.
    fn release(&self, inode: Inode, attributes: &mut Attributes, from: u64, to: u64) -> Result<()> {
        let has_any = attributes.flags.contains(InodeFlags::RESERVED);
        if has_any { self.change_reserved(inode, attributes, |ranges| ranges.remove(from, to)) } else { Ok(()) }
    }

    /// Makes a hole of a range of a file, up to its end. A range with many extents takes several operations, from its beginning on:
    /// what waits in memory stays bounded.
    pub fn punch(&self, inode: Inode, offset: u64, length: u64) -> Result<()> {
        let end = offset.saturating_add(length);
        let mut from = offset;
        loop {
            from = self.punch_some(inode, from, end)?;
            if from >= end {
                return Ok(());
            }
        }
    }

    /// Gives up to where there is a hole now.
    fn punch_some(&self, inode: Inode, from: u64, end: u64) -> Result<u64> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let attributes = self.file(inode)?;
        attributes.check_unprotected()?;
        let done = if from < end.min(attributes.size) { self.layers.first_extents(inode, from, end)?.1 } else { end };
        self.make_hole(inode, attributes, from, done - from)?;
        Ok(done)
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
                self.counting(inode, &mut attributes, offset, end, |attributes| {
                    let removed = self.cut_out(inode, offset, end)?;
                    attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(removed);
                    self.release(inode, attributes, offset, end)
                })?;
                self.limit_reserved(inode, &mut attributes)?;
            }
        }
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }
}
