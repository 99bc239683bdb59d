//! Space that is set aside for a file (fallocate(2)): it counts as taken, and is a hole for who reads or looks for data.
//!
//! Invariants:
//!
//! - What lies in extents is not taken a second time: writing into a reserved range changes neither the ranges nor how much is
//!   allocated.
//! - A file with reserved ranges has no inline content. Its flags say that it has them, so that others need not be asked.
//! - Beyond `RESERVED_RANGES_MAX` ranges the shortest go.
//!
//! A range with many extents takes several operations, from its beginning on: none keeps others waiting for long.

use super::ranges::Ranges;
use crate::change::Change;
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, RESERVED_UNIT_BYTES};
use crate::{Attributes, Error, Inode, InodeFlags, Result, Volume};

/// What setting space aside behind its end does to a file's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveSize {
    /// It stays (`FALLOC_FL_KEEP_SIZE`).
    Keep,
    /// The file becomes long enough.
    Extend,
}

impl Volume {
    /// Sets space aside for a range of a file. Its times change in any case. Gives how many bytes it did: fewer than asked for where
    /// the range has more extents than one operation takes; the caller goes on behind them. The size changes with the last ones.
    pub fn reserve(&self, inode: Inode, offset: u64, length: u64, size: ReserveSize) -> Result<u64> {
        let end = end_of(offset, length)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        attributes.check_mutable()?;
        let (_, done) = self.layers.first_extents(inode, offset, end)?;
        self.set_aside(inode, &mut attributes, offset, done)?;
        if size == ReserveSize::Extend && done == end && end > attributes.size {
            self.resize(inode, &mut attributes, end, None)?;
        }
        attributes.touch_content(self.now());
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(done - offset)
    }

    /// Makes a range of a file read as zero, with space set aside for it. Gives how many bytes it did, as [`Volume::reserve`].
    pub fn zero(&self, inode: Inode, offset: u64, length: u64, size: ReserveSize) -> Result<u64> {
        let end = end_of(offset, length)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        attributes.check_unprotected()?;
        let (_, done) = self.layers.first_extents(inode, offset, end)?;
        self.set_aside(inode, &mut attributes, offset, done)?;
        if size == ReserveSize::Extend && done == end && end > attributes.size {
            self.resize(inode, &mut attributes, end, None)?;
        }
        let before = attributes.allocated_bytes;
        self.counting(inode, &mut attributes, offset, done, |_| self.cut_out(inode, offset, done))?;
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(done - offset)
    }

    /// The caller holds the gate and the inode's lock, and puts the attributes.
    fn set_aside(&self, inode: Inode, attributes: &mut Attributes, offset: u64, end: u64) -> Result<()> {
        let (from, to) = (offset - offset % RESERVED_UNIT_BYTES, end.next_multiple_of(RESERVED_UNIT_BYTES));
        let added = to - from - self.allocated_in(inode, attributes, from, to)?;
        let _admission = self.admit(added)?;
        if added > self.room_bytes()? {
            return Err(block::Error::Full.into());
        }
        if let Some(content) = self.inline_content(inode, attributes.size)? {
            self.spill(inode, attributes, content)?;
        }
        let before = attributes.allocated_bytes;
        attributes.allocated_bytes += added;
        self.change_reserved(inode, attributes, |ranges| ranges.add(from, to))?;
        self.limit_reserved(inode, attributes)?;
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        Ok(())
    }

    /// Changes which ranges are reserved. The caller counts what is allocated in the ranges that it changes.
    pub(super) fn change_reserved(
        &self,
        inode: Inode,
        attributes: &mut Attributes,
        change: impl FnOnce(&mut Ranges),
    ) -> Result<()> {
        let mut ranges = self.reserved(inode, attributes)?;
        change(&mut ranges);
        attributes.flags.set(InodeFlags::RESERVED, !ranges.is_empty());
        let record = (!ranges.is_empty()).then(|| ranges.to_bytes());
        self.layers.overlay.change(inode, Change::Reserved(record));
        Ok(())
    }

    /// Gives up the shortest ranges, if there are too many.
    pub(super) fn limit_reserved(&self, inode: Inode, attributes: &mut Attributes) -> Result<()> {
        while let Some((start, end)) = self.reserved(inode, attributes)?.one_too_many() {
            let hole_bytes = end - start - self.content_in(inode, attributes, start, end)?;
            attributes.allocated_bytes = attributes.allocated_bytes.saturating_sub(hole_bytes);
            self.change_reserved(inode, attributes, |ranges| ranges.remove(start, end))?;
        }
        Ok(())
    }

    fn reserved(&self, inode: Inode, attributes: &Attributes) -> Result<Ranges> {
        let has_any = attributes.flags.contains(InodeFlags::RESERVED);
        Ok(if has_any { self.layers.reserved(inode)?.unwrap_or_default() } else { Ranges::default() })
    }

    /// Changes what a file has between two offsets, and counts what is allocated there anew where reserved ranges make it hard to
    /// tell otherwise.
    pub(super) fn counting<T>(
        &self,
        inode: Inode,
        attributes: &mut Attributes,
        from: u64,
        to: u64,
        change: impl FnOnce(&mut Attributes) -> Result<T>,
    ) -> Result<T> {
        if !attributes.flags.contains(InodeFlags::RESERVED) {
            return change(attributes);
        }
        let elsewhere = attributes.allocated_bytes.saturating_sub(self.allocated_in(inode, attributes, from, to)?);
        let done = change(attributes)?;
        attributes.allocated_bytes = elsewhere + self.allocated_in(inode, attributes, from, to)?;
        Ok(done)
    }

    /// Bytes of a file between two offsets that are taken: by content, or because they are reserved.
    pub(crate) fn allocated_in(&self, inode: Inode, attributes: &Attributes, from: u64, to: u64) -> Result<u64> {
        let mut bytes = self.content_in(inode, attributes, from, to)?;
        for (start, end) in self.reserved(inode, attributes)?.within(from, to) {
            bytes += end - start - self.content_in(inode, attributes, start, end)?;
        }
        Ok(bytes)
    }

    /// Bytes of a file between two offsets that are no hole.
    pub(super) fn content_in(&self, inode: Inode, attributes: &Attributes, from: u64, to: u64) -> Result<u64> {
        let overlap = |start: u64, end: u64| end.min(to).saturating_sub(start.max(from));
        if let Some(content) = self.inline_content(inode, attributes.size)? {
            return Ok(overlap(0, content.len() as u64));
        }
        let (mut bytes, mut next) = (0, Some(from - from % CHUNK_BYTES));
        while let Some(at) = next {
            let (extents, behind) = self.layers.some_extents(inode, at, to)?;
            bytes += extents.iter().map(|(start, extent)| overlap(*start, start + extent.length as u64)).sum::<u64>();
            next = behind;
        }
        Ok(bytes)
    }

    /// What a file's attributes say is allocated, counted anew: for tests.
    #[doc(hidden)]
    pub fn count_allocated(&self, inode: Inode) -> Result<u64> {
        let attributes = self.file(inode)?;
        self.allocated_in(inode, &attributes, 0, u64::MAX)
    }
}

fn end_of(offset: u64, length: u64) -> Result<u64> {
    offset.checked_add(length).filter(|end| *end <= FILE_BYTES_MAX).ok_or(Error::FileTooLarge)
}
