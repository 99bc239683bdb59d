//! Reading and changing what files hold.
//!
//! Invariants:
//!
//! - A small file has one inline record and no extents; its content is exactly as long as the file. Any other file has extents,
//!   which do not overlap, do not cross a multiple of [`CHUNK_BYTES`], and do not reach behind the file's end. What neither
//!   holds is a hole and reads as zero.
//! - A file's `allocated_bytes` is the length of its inline record or the sum of its extents.
//! - Readers take the extents under the inode's lock and read the blocks, which never change, after it.

use crate::change::Change;
use crate::dirty_block::DirtyBlock;
use crate::extent::{Extent, Source};
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Attributes, Error, Inode, Result, SetId, Volume};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What [`Volume::seek`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The next byte that is not in a hole.
    Data,
    /// The next byte in a hole; the end of the file counts as one.
    Hole,
}

/// What a stretch of a file reads from.
enum Content {
    Inline(Bytes),
    Extents(BTreeMap<u64, Extent>),
}

impl Volume {
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    pub fn read(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let (length, content) = {
            let _lock = self.locks.read(inode);
            let size = self.file(inode)?.size;
            let length = size.saturating_sub(offset).min(buffer.len() as u64) as usize;
            if length == 0 {
                return Ok(0);
            }
            (length, self.content(inode, size, offset, offset + length as u64)?)
        };
        let buffer = &mut buffer[..length];
        match content {
            Content::Inline(content) => {
                buffer.fill(0);
                let content = content.get(offset as usize..).unwrap_or_default();
                let length = content.len().min(buffer.len());
                buffer[..length].copy_from_slice(&content[..length]);
            }
            Content::Extents(extents) => self.read_extents(&extents, offset, buffer)?,
        }
        Ok(length)
    }

    fn content(&self, inode: Inode, size: u64, from: u64, to: u64) -> Result<Content> {
        if let Some(content) = self.inline_content(inode, size)? {
            return Ok(Content::Inline(content));
        }
        Ok(Content::Extents(self.layers.extents(inode, from, to)?))
    }

    fn inline_content(&self, inode: Inode, size: u64) -> Result<Option<Bytes>> {
        if size > INLINE_BYTES_MAX as u64 { Ok(None) } else { self.layers.inline(inode) }
    }

    fn read_extents(&self, extents: &BTreeMap<u64, Extent>, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset + buffer.len() as u64;
        let mut filled_to = offset;
        for (start, extent) in extents {
            let from = (*start).max(offset);
            let to = (start + extent.length as u64).min(end);
            if from >= to {
                continue;
            }
            buffer[(filled_to - offset) as usize..(from - offset) as usize].fill(0);
            let place = &mut buffer[(from - offset) as usize..(to - offset) as usize];
            self.read_source(&extent.source, extent.source_offset + (from - start) as u32, place)?;
            filled_to = to;
        }
        buffer[(filled_to - offset) as usize..].fill(0);
        Ok(())
    }

    fn read_source(&self, source: &Source, offset: u32, buffer: &mut [u8]) -> Result<()> {
        let name = match source {
            Source::Stored(name) => *name,
            Source::Dirty(dirty) => match dirty.read(offset, buffer) {
                Some(name) => name,
                None => return Ok(()),
            },
        };
        let body = self.shared.data.get(self.shared.blocks(), &name)?;
        let end = offset as usize + buffer.len();
        let part = body.get(offset as usize..end).ok_or_else(|| block::Error::Corrupt {
            what: format!("block {name} has {} bytes, an extent wants those up to {end}", body.len()),
        })?;
        buffer.copy_from_slice(part);
        Ok(())
    }

    /// Writes at an offset, making the file longer where needed. All of the bytes are written, or none.
    pub fn write(&self, inode: Inode, offset: u64, bytes: &[u8], set_id: SetId) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= FILE_BYTES_MAX);
        let end = end.ok_or(Error::FileTooLarge)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.drop_privileges(inode, &mut attributes, set_id)?;
        let before = attributes.allocated_bytes;
        self.put_bytes(inode, &mut attributes, offset, bytes)?;
        attributes.size = attributes.size.max(end);
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.allocated_bytes);
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }

    fn put_bytes(&self, inode: Inode, attributes: &mut Attributes, offset: u64, bytes: &[u8]) -> Result<()> {
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

    fn set_inline(&self, inode: Inode, attributes: &mut Attributes, content: Vec<u8>) {
        attributes.allocated_bytes = content.len() as u64;
        let record = (!content.is_empty()).then(|| content.into());
        self.layers.overlay.change(inode, Change::Inline(record));
    }

    /// Turns an inline record into an extent.
    fn spill(&self, inode: Inode, attributes: &mut Attributes, content: Bytes) -> Result<()> {
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
            flusher.push(block);
        }
    }

    /// Makes a hole of a range. Gives how many bytes were there.
    fn cut_out(&self, inode: Inode, from: u64, to: u64) -> Result<u64> {
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

    /// Makes a file longer or shorter; what is new reads as zero. The caller holds the gate and the inode's lock, and puts the
    /// attributes.
    pub(crate) fn resize(&self, inode: Inode, attributes: &mut Attributes, size: u64) -> Result<()> {
        if size > FILE_BYTES_MAX {
            return Err(Error::FileTooLarge);
        }
        let before = attributes.allocated_bytes;
        match self.inline_content(inode, attributes.size)? {
            Some(content) if size <= INLINE_BYTES_MAX as u64 => {
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

    /// Bytes of a file's extents in a range that begins at a chunk, counted piece by piece.
    fn allocated_between(&self, inode: Inode, from: u64, to: u64) -> Result<u64> {
        const PIECE_BYTES: u64 = 4096 * CHUNK_BYTES;
        let mut bytes = 0;
        let mut at = from;
        while at < to {
            let end = to.min(at.saturating_add(PIECE_BYTES));
            bytes += self.layers.extents(inode, at, end)?.values().map(|extent| extent.length as u64).sum::<u64>();
            at = end;
        }
        Ok(bytes)
    }

    /// Makes a file at least `size` bytes long.
    pub fn extend(&self, inode: Inode, size: u64) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        if size > attributes.size {
            self.resize(inode, &mut attributes, size)?;
            attributes.touch_content(self.now());
            self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        }
        Ok(())
    }

    /// Makes a hole of a range of a file, up to its end.
    pub fn punch(&self, inode: Inode, offset: u64, length: u64) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let attributes = self.file(inode)?;
        self.make_hole(inode, attributes, offset, length)
    }

    /// Makes a range of a file read as zero, and the file long enough to have it.
    pub fn zero(&self, inode: Inode, offset: u64, length: u64) -> Result<()> {
        let end = offset.checked_add(length).ok_or(Error::FileTooLarge)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.file(inode)?;
        if end > attributes.size {
            self.resize(inode, &mut attributes, end)?;
        }
        self.make_hole(inode, attributes, offset, length)
    }

    /// The caller holds the gate and the inode's lock.
    fn make_hole(&self, inode: Inode, mut attributes: Attributes, offset: u64, length: u64) -> Result<()> {
        let end = offset.saturating_add(length).min(attributes.size);
        if offset >= end {
            return Ok(());
        }
        let before = attributes.allocated_bytes;
        match self.inline_content(inode, attributes.size)? {
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
