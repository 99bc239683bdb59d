//! Copying by reference: the copy's extents refer to the blocks of the source.

use crate::change::Change;
use crate::extent::{Extent, Source};
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX};
use crate::quota::Admission;
use crate::{Attributes, Error, Inode, Privileges, Result, View, Volume};
use std::collections::BTreeMap;
use std::ops::Range;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePoint {
    /// The file.
    pub inode: Inode,
    /// Where in it, in bytes.
    pub offset: u64,
}

impl FilePoint {
    /// So many bytes behind.
    pub fn plus(self, bytes: u64) -> Self {
        Self { offset: self.offset.saturating_add(bytes), ..self }
    }
}

impl Volume {
    /// Copies a range to another file, or to another place of the same one, without copying data. Gives how many bytes it copied:
    /// 0 behind the end of the source, and fewer than asked for at its end, or where the range has more extents than one operation
    /// takes; the caller goes on behind them.
    pub fn clone_range(&self, from: FilePoint, to: FilePoint, length: u64, privileges: Privileges) -> Result<u64> {
        self.with_room(|| self.clone_some(from, to, length, privileges))
    }

    fn clone_some(&self, from: FilePoint, to: FilePoint, length: u64, privileges: Privileges) -> Result<u64> {
        let _operation = self.begin()?;
        let _locks = self.locks.write_all(&[from.inode, to.inode]);
        self.clone_locked(self, from, to, length, privileges)
    }

    /// As [`Volume::clone_range`], out of a kept state of this volume.
    pub fn clone_out_of(
        &self,
        source: &View,
        from: FilePoint,
        to: FilePoint,
        length: u64,
        privileges: Privileges,
    ) -> Result<u64> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(to.inode);
        self.clone_locked(source, from, to, length, privileges)
    }

    fn clone_locked(
        &self,
        source: &View,
        from: FilePoint,
        to: FilePoint,
        length: u64,
        privileges: Privileges,
    ) -> Result<u64> {
        let source_size = source.file(from.inode)?.size;
        let mut attributes = self.file(to.inode)?;
        let length = length.min(source_size.saturating_sub(from.offset));
        if length == 0 {
            return Ok(0);
        }
        attributes.check_may_write(to.offset)?;
        let end = to.offset.checked_add(length).filter(|end| *end <= FILE_BYTES_MAX).ok_or(Error::FileTooLarge)?;
        let is_newest = std::ptr::eq(source, &raw const **self);
        if is_newest && from.inode == to.inode && from.offset < end && to.offset < from.offset + length {
            return Err(Error::Invalid("a range cannot be copied onto itself"));
        }
        self.check_room(2 * INLINE_BYTES_MAX as u64)?;
        let before = attributes.counted_bytes();
        let (copied, admission) = match source.inline_content(from.inode, source_size)? {
            Some(content) => {
                let admission = self.admit_exactly(2 * INLINE_BYTES_MAX as u64, || {
                    self.added_by_write(to.inode, &attributes, to.offset, end)
                })?;
                let bytes = content.slice(from.offset as usize..(from.offset + length) as usize);
                self.counting(to.inode, &mut attributes, to.offset, end, |attributes| {
                    self.put_bytes(to.inode, attributes, to.offset, &bytes)
                })?;
                (length, admission)
            }
            None => self.counting(to.inode, &mut attributes, to.offset, end, |attributes| {
                self.clone_extents(source, from, to, length, attributes)
            })?,
        };
        self.drop_privileges(to.inode, &mut attributes, privileges)?;
        attributes.size = attributes.size.max(to.offset + copied);
        attributes.touch_content(self.now());
        self.counts.allocation_changed(before, attributes.counted_bytes());
        drop(admission);
        self.layers.overlay.change(to.inode, Change::Attributes(attributes.into()));
        Ok(copied)
    }

    /// Gives how many bytes one operation copies, admitted until they are counted.
    fn clone_extents(
        &self,
        source: &View,
        from: FilePoint,
        to: FilePoint,
        length: u64,
        attributes: &mut Attributes,
    ) -> Result<(u64, Admission<'_>)> {
        let (extents, source_end) = source.layers.first_extents(from.inode, from.offset, from.offset + length)?;
        let (_, target_end) = self.layers.first_extents(to.inode, to.offset, to.offset + length)?;
        let copied = (source_end - from.offset).min(target_end - to.offset);
        let admission = self.admit_exactly(copied, || {
            let replaced = self.allocated_in(to.inode, attributes, to.offset, to.offset + copied)?;
            Ok(clones(from.offset..from.offset + copied, &extents)
                .map(|(_, part)| part.length as u64)
                .sum::<u64>()
                .saturating_sub(replaced))
        })?;
        if let Some(content) = self.inline_content(to.inode, attributes.size)? {
            self.spill(to.inode, attributes, content)?;
        }
        let removed = self.cut_out(to.inode, to.offset, to.offset + copied)?;
        let mut added = 0;
        for (offset, part) in clones(from.offset..from.offset + copied, &extents) {
            added += part.length as u64;
            self.put_cut(to.inode, to.offset + offset, &part.shared());
        }
        attributes.allocated_bytes = (attributes.allocated_bytes + added).saturating_sub(removed);
        Ok((copied, admission))
    }

    /// Puts an extent, cut where chunks end.
    fn put_cut(&self, inode: Inode, offset: u64, extent: &Extent) {
        let mut done = 0;
        while done < extent.length {
            let at = offset + done as u64;
            let room = (CHUNK_BYTES - at % CHUNK_BYTES) as u32;
            let length = room.min(extent.length - done);
            self.layers.overlay.change(inode, Change::Extent { offset: at, extent: Some(extent.part(done, length)) });
            done += length;
        }
    }
}

/// The parts of extents that lie in a range, each with its offset in the range.
fn clones(range: Range<u64>, extents: &BTreeMap<u64, Extent>) -> impl Iterator<Item = (u64, Extent)> {
    extents.iter().filter_map(move |(start, extent)| {
        let first = (*start).max(range.start);
        let end = (start + extent.length as u64).min(range.end);
        (first < end).then(|| (first - range.start, extent.part((first - start) as u32, (end - first) as u32)))
    })
}

impl Extent {
    /// The same extent for one more file: its bytes never change in place again.
    fn shared(self) -> Self {
        let stored = match &self.source {
            Source::Stored(_) => None,
            Source::Dirty(block) => block.seal(),
        };
        Self { source: stored.map_or(self.source, Source::Stored), ..self }
    }
}
