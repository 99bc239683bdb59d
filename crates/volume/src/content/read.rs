//! Reading.

use crate::extent::{Extent, Source};
use crate::limits::{AT_HAND_BYTES_MAX, INLINE_BYTES_MAX};
use crate::{Inode, Result, View, Volume};
use block::{Name, Patience};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What a stretch of a file reads from.
enum Content {
    Inline(Bytes),
    Extents(BTreeMap<u64, Extent>),
}

impl Volume {
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    ///
    /// What is read is chosen under a lock, and read without: if it is written over or removed meanwhile, a block of it may have
    /// been collected. Then the content is chosen anew.
    pub fn read(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self.read_chosen(inode, offset, buffer) {
            Err(error) if error.is_missing_block() => self.read_chosen(inode, offset, buffer),
            result => result,
        }
    }

    /// As [`Volume::read`], if the data is at hand; `None` if a disk would have to be waited for, or if there is much to do. The buffer
    /// may be filled in part then.
    pub fn read_at_hand(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<Option<usize>> {
        let found = self.choose(inode, offset, buffer.len())?;
        self.read_found_at_hand(found, offset, buffer)
    }

    fn read_chosen(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let found = self.choose(inode, offset, buffer.len())?;
        self.read_stored(inode, found, offset, buffer)
    }

    fn choose(&self, inode: Inode, offset: u64, length: usize) -> Result<(usize, Content)> {
        let _lock = self.locks.read(inode);
        self.find_content(inode, offset, length)
    }
}

/// Fills a buffer with bytes of a block from an offset on; false ends the read.
type Fetch<'a> = &'a dyn Fn(&Name, usize, &mut [u8]) -> Result<bool>;

impl View {
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    pub fn read(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let found = self.find_content(inode, offset, buffer.len())?;
        self.read_stored(inode, found, offset, buffer)
    }

    /// As [`View::read`], if the data is at hand; see [`Volume::read_at_hand`].
    pub fn read_at_hand(&self, inode: Inode, offset: u64, buffer: &mut [u8]) -> Result<Option<usize>> {
        let found = self.find_content(inode, offset, buffer.len())?;
        self.read_found_at_hand(found, offset, buffer)
    }

    fn read_found_at_hand(&self, found: (usize, Content), offset: u64, buffer: &mut [u8]) -> Result<Option<usize>> {
        let contents = &self.contents;
        let is_short = found.0 <= AT_HAND_BYTES_MAX;
        let fetch = |name: &Name, offset, place: &mut [u8]| match is_short {
            true => contents.data.read(&*contents.blocks, name, offset, place, Patience::AtHand),
            false => contents.data.peek(name, offset, place),
        };
        self.read_content(found, offset, buffer, &fetch)
    }

    fn read_stored(&self, inode: Inode, found: (usize, Content), offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let contents = &self.contents;
        if let Content::Extents(extents) = &found.1 {
            // The first is read at once.
            let first = extents.values().next().and_then(|extent| extent.source.stored_name());
            self.announce(extents.values().skip(1), first);
            // What is damaged ahead is for the read that gets there to say.
            if let Some(ahead) = contents.read_streams.note(inode, offset..offset + found.0 as u64)
                && let Ok(extents) = self.layers.extents(inode, ahead.start, ahead.end)
            {
                self.announce(extents.values(), None);
            }
        }
        let fetch = |name: &Name, offset, place: &mut [u8]| {
            contents.data.read(&*contents.blocks, name, offset, place, Patience::Unlimited)
        };
        let read = self.read_content(found, offset, buffer, &fetch);
        read.map(|length| length.expect("the store has a block or says why not"))
    }

    /// Tells the store of blocks that will be read soon, but for those that lie in memory. Extents that follow on each other often lie in
    /// one block.
    fn announce<'a>(&self, extents: impl Iterator<Item = &'a Extent>, mut said: Option<Name>) {
        let contents = &self.contents;
        let names = extents.filter_map(|extent| extent.source.stored_name());
        let others = names.filter(|name| said.replace(*name) != Some(*name) && !contents.data.has(name));
        others.for_each(|name| contents.blocks.will_get(&name));
    }

    /// Where up to `length` bytes of a file are to be had, and how many there are.
    fn find_content(&self, inode: Inode, offset: u64, length: usize) -> Result<(usize, Content)> {
        let size = self.file(inode)?.size;
        let length = size.saturating_sub(offset).min(length as u64) as usize;
        if length == 0 {
            return Ok((0, Content::Extents(BTreeMap::new())));
        }
        Ok((length, self.content(inode, size, offset, offset + length as u64)?))
    }

    fn read_content(
        &self,
        (length, content): (usize, Content),
        offset: u64,
        buffer: &mut [u8],
        fetch: Fetch<'_>,
    ) -> Result<Option<usize>> {
        let buffer = &mut buffer[..length];
        match content {
            _ if length == 0 => {}
            Content::Inline(content) => {
                buffer.fill(0);
                let content = content.get(offset as usize..).unwrap_or_default();
                let length = content.len().min(buffer.len());
                buffer[..length].copy_from_slice(&content[..length]);
            }
            Content::Extents(extents) => {
                return Ok(read_extents(&extents, offset, buffer, fetch)?.then_some(length));
            }
        }
        Ok(Some(length))
    }

    fn content(&self, inode: Inode, size: u64, from: u64, to: u64) -> Result<Content> {
        if let Some(content) = self.inline_content(inode, size)? {
            return Ok(Content::Inline(content));
        }
        Ok(Content::Extents(self.layers.extents(inode, from, to)?))
    }

    /// The inline record of a file that is small enough to have one.
    pub(crate) fn inline_content(&self, inode: Inode, size: u64) -> Result<Option<Bytes>> {
        if size > INLINE_BYTES_MAX as u64 { Ok(None) } else { self.layers.inline(inode) }
    }
}

fn read_extents(extents: &BTreeMap<u64, Extent>, offset: u64, buffer: &mut [u8], fetch: Fetch<'_>) -> Result<bool> {
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
        if !read_source(&extent.source, extent.source_offset + (from - start) as u32, place, fetch)? {
            return Ok(false);
        }
        filled_to = to;
    }
    buffer[(filled_to - offset) as usize..].fill(0);
    Ok(true)
}

/// False if the read ends here.
fn read_source(source: &Source, offset: u32, buffer: &mut [u8], fetch: Fetch<'_>) -> Result<bool> {
    let name = match source {
        Source::Stored(name) => *name,
        Source::Dirty(dirty) => match dirty.read(offset, buffer) {
            Some(name) => name,
            None => return Ok(true),
        },
    };
    fetch(&name, offset as usize, buffer)
}
