//! Making files longer and shorter, and holes.

use crate::change::Change;
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Attributes, Error, Inode, InodeFlags, Kind, Result, Volume};

/// What a file has behind its new end, counted before anything was locked: it may have many extents there.
pub(crate) struct CountedTail {
    counted_of: Attributes,
    allocated_bytes: u64,
}

impl CountedTail {
    /// Whether nothing has changed the file's content since: whatever does sets its times.
    fn is_of(&self, attributes: &Attributes) -> bool {
        let content = |of: &Attributes| (of.size, of.allocated_bytes, of.modified, of.changed, of.flags);
        content(&self.counted_of) == content(attributes)
    }
}

impl Volume {
    /// Counts what a file loses if it gets shorter. The caller holds no lock.
    pub(crate) fn count_tail(&self, inode: Inode, size: u64) -> Result<Option<CountedTail>> {
        if size == 0 {
            return Ok(None);
        }
        let counted_of = self.existing(inode)?;
        if counted_of.kind != Kind::File || size >= counted_of.size {
            return Ok(None);
        }
        let allocated_bytes = self.allocated_in(inode, &counted_of, size, u64::MAX)?;
        Ok(Some(CountedTail { counted_of, allocated_bytes }))
    }

    /// Makes a file longer or shorter; what is new reads as zero. The caller holds the gate and the inode's lock, and puts the
    /// attributes.
    pub(crate) fn resize(
        &self,
        inode: Inode,
        attributes: &mut Attributes,
        size: u64,
        tail: Option<CountedTail>,
    ) -> Result<()> {
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
                self.shorten(inode, attributes, size, tail)?
            }
            None => {}
        }
        attributes.size = size;
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        drop(admission);
        Ok(())
    }

    /// What is reserved behind the new end goes, too, also when the size stays.
    fn shorten(&self, inode: Inode, attributes: &mut Attributes, size: u64, tail: Option<CountedTail>) -> Result<()> {
        let removed = match tail.filter(|tail| tail.is_of(attributes)) {
            _ if size == 0 => attributes.allocated_bytes,
            Some(tail) => tail.allocated_bytes,
            None => self.allocated_in(inode, attributes, size, u64::MAX)?,
        };
        let chunk_end = size.next_multiple_of(CHUNK_BYTES);
        self.cut_out(inode, size, chunk_end)?;
        self.layers.overlay.change(inode, Change::Clear { from: chunk_end });
        attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(removed);
        self.release(inode, attributes, size, u64::MAX)
    }

    /// Takes away what is reserved in a range.
    fn release(&self, inode: Inode, attributes: &mut Attributes, from: u64, to: u64) -> Result<()> {
        let has_any = attributes.flags.contains(InodeFlags::RESERVED);
        if has_any { self.change_reserved(inode, attributes, |ranges| ranges.remove(from, to)) } else { Ok(()) }
    }

    /// Makes a hole of a range of a file, up to its end. Gives how many bytes it did: fewer than asked for where the range has more
    /// extents than one operation takes; the caller goes on behind them.
    pub fn punch(&self, inode: Inode, offset: u64, length: u64) -> Result<u64> {
        let end = offset.saturating_add(length);
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let attributes = self.file(inode)?;
        attributes.check_unprotected()?;
        let is_inside = offset < end.min(attributes.size);
        let done = if is_inside { self.layers.first_extents(inode, offset, end)?.1 } else { end };
        self.make_hole(inode, attributes, offset, done - offset)?;
        Ok(done - offset)
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
