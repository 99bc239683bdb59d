//! Reading blocks.

use super::Store;
use crate::frame::{Content, Fault, Subject};
use crate::{Block, Error, Location, Name, Result};
use std::sync::atomic::Ordering;

impl Store {
    /// The block with this name, verified.
    pub(super) fn read_block(&self, name: &Name) -> Result<Block> {
        let read = self.read_at_its_place(name, |location| self.read_block_at(name, location));
        match read {
            Err(error) if super::damage::is_damage(&error) => self.copies.block(name).ok_or(error),
            read => read,
        }
    }

    /// Reads a block where it lies. A collection may move it between the look into the index and the read: whoever meets an
    /// error looks again.
    pub(crate) fn read_at_its_place<T>(&self, name: &Name, read: impl Fn(Location) -> Result<T>) -> Result<T> {
        let missing = || Error::Missing { name: *name };
        let mut location = self.locate(name)?.ok_or_else(missing)?;
        loop {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let error = match read(location) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let now = self.locate(name)?.ok_or_else(missing)?;
            if now.position == location.position {
                let error = name_block(error, name, location);
                self.note_failed_read(name, &error);
                return Err(error);
            }
            location = now;
        }
    }

    /// Recent blocks first: a block moves from there to the index, never back.
    pub(crate) fn locate(&self, name: &Name) -> Result<Option<Location>> {
        match self.recent.get(name) {
            Some(entry) => Ok(Some(entry.location)),
            None => self.index.get(name),
        }
    }

    fn read_block_at(&self, name: &Name, location: Location) -> Result<Block> {
        let (header, payload) = self.segments.read(location)?;
        if header.subject != Subject::Block(*name) {
            return Err(Error::Corrupt { what: "another frame is there".to_owned() });
        }
        let Content { links, body } = Content::unpack(&header, payload).map_err(corrupt)?;
        let block = Block { links, body };
        if block.name() != *name && !self.sabotaged.skip_names.load(Ordering::Relaxed) {
            return Err(Error::Corrupt { what: "the content does not match its name".to_owned() });
        }
        Ok(block)
    }
}

fn corrupt(fault: Fault) -> Error {
    Error::Corrupt { what: fault.to_string() }
}

/// Says which block is damaged and where it lies.
pub(super) fn name_block(error: Error, name: &Name, location: Location) -> Error {
    let Error::Corrupt { what } = error else { return error };
    let (segment, offset) = (location.position.segment(), location.position.offset());
    Error::Corrupt { what: format!("block {name} in segment {segment} at {offset}: {what}") }
}

#[cfg(test)]
mod tests {
    use crate::frame::Draft;
    use crate::recovery::entry;
    use crate::{Block, Blocks, Compression, Error, MemoryIndex, RealDisk, Store, StoreOptions};
    use std::sync::Arc;

    #[test]
    fn content_under_a_wrong_name_is_refused_although_its_checksums_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path()));
        let store = Store::create(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
        let (block, name) = (Block::data("one".into()), Block::data("another".into()).name());
        let draft = Draft::block(name, &block, Compression::None).unwrap();
        let written = |position| store.recent.insert(name, entry(position, draft.header()));
        store.log.append(&draft, written).unwrap();
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })));
    }
}
