//! Writing.

use crate::change::Change;
use crate::dirty_block::DirtyBlock;
use crate::extent::{Extent, Source};
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Attributes, Error, Inode, Privileges, Result, Volume};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Volume {
    /// Writes at an offset, making the file longer where needed. All of the bytes are written, or it fails; only a tree that cannot
    /// be read leaves a part of them written.
    pub fn write(&self, inode: Inode, offset: u64, bytes: &[u8], privileges: Privileges) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= FILE_BYTES_MAX);
        let end = end.ok_or(Error::FileTooLarge)?;
        self.with_room(|| self.write_up_to(inode, offset, bytes, end, privileges))
    }

    fn write_up_to(&self, inode: Inode, offset: u64, bytes: &[u8], end: u64, privileges: Privileges) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        if bytes.is_empty() {
            return Ok(());
        }
        attributes.check_may_write(offset)?;
        self.check_room((bytes.len() + INLINE_BYTES_MAX) as u64)?;
        let before = attributes.counted_bytes();
        let _admission = self.admit_exactly(bytes.len() as u64 + INLINE_BYTES_MAX as u64, || {
            self.added_by_write(inode, &attributes, offset, end)
        })?;
        self.drop_privileges(inode, &mut attributes, privileges)?;
        self.counting(inode, &mut attributes, offset, end, |attributes| {
            self.put_bytes(inode, attributes, offset, bytes)
        })?;
        attributes.size = attributes.size.max(end);
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.counted_bytes());
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }

    /// By how much a write makes a file's content longer.
    pub(super) fn added_by_write(&self, inode: Inode, attributes: &Attributes, offset: u64, end: u64) -> Result<u64> {
        let size = end.max(attributes.size);
        let is_inline = self.inline_content(inode, attributes.size)?.is_some() || attributes.allocated_bytes == 0;
        if is_inline && size <= INLINE_BYTES_MAX as u64 {
            return Ok(size - attributes.allocated_bytes);
        }
        Ok(end - offset - self.allocated_in(inode, attributes, offset, end)?)
    }

    pub(super) fn put_bytes(&self, inode: Inode, attributes: &mut Attributes, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset + bytes.len() as u64;
        let inline = self.inline_content(inode, attributes.size)?;
        let is_small = end.max(attributes.size) <= INLINE_BYTES_MAX as u64;
        if is_small && (inline.is_some() || attributes.allocated_bytes == 0) {
            let mut content = inline.unwrap_or_default().to_vec();
            content.resize(end.max(attributes.size) as usize, 0);
            content[offset as usize..end as usize].copy_from_slice(bytes);
            self.set_inline(inode, attributes, content);
            return Ok(());
        }
        if let Some(content) = inline {
            self.spill(inode, attributes, content)?;
        }
        let mut at = offset;
        while at < end {
            let chunk_end = (at - at % CHUNK_BYTES + CHUNK_BYTES).min(end);
            let part = &bytes[(at - offset) as usize..(chunk_end - offset) as usize];
            self.write_chunk(inode, attributes, at, part)?;
            at = chunk_end;
        }
        Ok(())
    }

    pub(super) fn set_inline(&self, inode: Inode, attributes: &mut Attributes, content: Vec<u8>) {
        attributes.allocated_bytes = content.len() as u64;
        let record = (!content.is_empty()).then(|| content.into());
        self.layers.overlay.change(inode, Change::Inline(record));
    }

    /// Turns an inline record into an extent.
    pub(super) fn spill(&self, inode: Inode, attributes: &mut Attributes, content: Bytes) -> Result<()> {
        self.layers.overlay.change(inode, Change::Inline(None));
        attributes.allocated_bytes = 0;
        if content.is_empty() { Ok(()) } else { self.write_chunk(inode, attributes, 0, &content) }
    }

    /// Writes bytes that all lie in one chunk.
    fn write_chunk(&self, inode: Inode, attributes: &mut Attributes, offset: u64, bytes: &[u8]) -> Result<()> {
        if let Some(grown) = self.write_in_place(inode, attributes.size, offset, bytes) {
            attributes.allocated_bytes += grown;
            return Ok(());
        }
        let removed = self.cut_out(inode, offset, offset + bytes.len() as u64)?;
        attributes.allocated_bytes = (attributes.allocated_bytes + bytes.len() as u64).saturating_sub(removed);
        let epoch = self.epoch.load(Ordering::SeqCst);
        let block = DirtyBlock::new(epoch, bytes.to_vec(), &self.shared.budget);
        self.store_if_full(&block, offset + bytes.len() as u64);
        let extent = Extent { length: bytes.len() as u32, source_offset: 0, source: Source::Dirty(block) };
        self.layers.overlay.change(inode, Change::Extent { offset, extent: Some(extent) });
        Ok(())
    }

    /// Writes into bytes in memory that no commit has seen: over what is there, or at the end of it. Gives by how much the
    /// extent grew, or `None` where this cannot be done.
    fn write_in_place(&self, inode: Inode, size: u64, offset: u64, bytes: &[u8]) -> Option<u64> {
        let end = offset + bytes.len() as u64;
        let (start, extent, has_room) = self.layers.overlay.look(inode, |dirty| {
            let chunk = offset - offset % CHUNK_BYTES;
            let (start, extent) = dirty.extents.range(chunk..=offset).next_back()?;
            let nothing_follows = dirty.extents.range(start + 1..end).next().is_none();
            let nothing_below = offset >= size || dirty.hides_extents_at(chunk);
            Some((*start, extent.clone()?, nothing_follows && nothing_below))
        })??;
        let Source::Dirty(block) = &extent.source else {
            return None;
        };
        let within = (offset - start) as u32;
        let epoch = self.epoch.load(Ordering::SeqCst);
        if within + bytes.len() as u32 <= extent.length {
            return block.overwrite(epoch, extent.source_offset + within, bytes).then_some(0);
        }
        if within != extent.length || !has_room || !block.append(epoch, extent.source_offset + within, bytes) {
            return None;
        }
        self.store_if_full(block, end);
        let length = extent.length + bytes.len() as u32;
        let extent = Extent { length, ..extent };
        self.layers.overlay.change(inode, Change::Extent { offset: start, extent: Some(extent) });
        Some(bytes.len() as u64)
    }

    /// A block that reaches the end of its chunk can only be overwritten: it may as well be stored.
    fn store_if_full(&self, block: &Arc<DirtyBlock>, end: u64) {
        if end.is_multiple_of(CHUNK_BYTES)
            && let Some(flusher) = &self.shared.flusher
        {
            flusher.push(block, &self.contents.blocks);
        }
    }

    /// Makes a hole of a range. Gives how many bytes were there.
    pub(super) fn cut_out(&self, inode: Inode, from: u64, to: u64) -> Result<u64> {
        let mut removed = 0;
        for (start, extent) in self.layers.extents(inode, from, to)? {
            let end = start + extent.length as u64;
            if end <= from {
                continue;
            }
            removed += end.min(to) - start.max(from);
            let put = |offset, extent| self.layers.overlay.change(inode, Change::Extent { offset, extent });
            if end > to {
                put(to, Some(extent.part((to - start.min(to)) as u32, (end - to) as u32)));
            }
            let left = (start < from).then(|| extent.part(0, (from - start) as u32));
            put(start, left);
        }
        Ok(removed)
    }
}
