//! Reading blocks.

use super::Store;
use crate::frame::{Codec, Content, Fault, FrameHeader, Subject};
use crate::limits::AT_HAND_BYTES_MAX;
use crate::pieces::{PIECE_BYTES, PieceHashes};
use crate::{Block, Error, Location, Name, Result};
use bytes::Bytes;
use std::ops::Range;
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
        self.verified(name, &header, payload)
    }

    /// The block with this name, if it is small and the system has it in memory. Whatever is in the way, [`Self::read_block`] tells
    /// what it is.
    pub(super) fn read_block_at_hand(&self, name: &Name) -> Option<Block> {
        let location = self.locate(name).ok()??;
        if location.payload_bytes > AT_HAND_BYTES_MAX {
            return None;
        }
        let (header, payload) = self.segments.read_at_hand(location)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.verified(name, &header, payload).ok()
    }

    fn verified(&self, name: &Name, header: &FrameHeader, payload: Bytes) -> Result<Block> {
        if header.subject != Subject::Block(*name) {
            return Err(Error::Corrupt { what: "another frame is there".to_owned() });
        }
        let Content { links, body } = Content::unpack(header, payload).map_err(corrupt)?;
        let block = Block { links, body };
        let pieces =
            if header.codec == Codec::Raw && block.links.is_empty() { PieceHashes::of(&block.body) } else { None };
        let found = pieces.as_ref().map_or_else(|| block.name(), PieceHashes::name);
        match pieces {
            _ if found != *name && !self.sabotaged.skip_names.load(Ordering::Relaxed) => {
                return Err(Error::Corrupt { what: "the content does not match its name".to_owned() });
            }
            Some(pieces) if found == *name => self.pieces.remember(*name, pieces),
            _ => {}
        }
        Ok(block)
    }

    /// Some bytes of a block whose pieces are known. Whatever is in the way, reading the whole block tells what it is.
    pub(super) fn read_piece(&self, name: &Name, range: Range<usize>) -> Option<Bytes> {
        let hashes = self.pieces.get(name)?;
        let location = self.locate(name).ok()??;
        let body_bytes = location.data_bytes as usize;
        let is_raw = !location.has_links && location.payload_bytes == location.data_bytes;
        if !is_raw || hashes.count() != body_bytes.div_ceil(PIECE_BYTES) || range.end > body_bytes {
            return None;
        }
        let first = range.start / PIECE_BYTES;
        let (from, to) = (first * PIECE_BYTES, range.end.next_multiple_of(PIECE_BYTES).min(body_bytes));
        self.reads.fetch_add(1, Ordering::Relaxed);
        let pieces = self.segments.read_payload(location.position, from..to).ok()?;
        let is_whole = pieces.len() == to - from && hashes.fit(first, &pieces);
        is_whole.then(|| Bytes::from(pieces).slice(range.start - from..range.end - from))
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
    use crate::frame::{Draft, FRAME_HEADER_BYTES};
    use crate::pieces::PIECE_BYTES;
    use crate::recovery::entry;
    use crate::{Block, Blocks, Compression, Error, Location, MemoryIndex, RealDisk, Store, StoreOptions};
    use std::io::IoSlice;
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

    #[test]
    fn a_piece_of_a_block_that_was_read_is_verified_alone() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path()));
        let store = Store::create(disk.clone(), Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
        let mut body = vec![0; 5 * PIECE_BYTES - 100];
        blake3::Hasher::new().finalize_xof().fill(&mut body);
        let name = store.put(&Block::data(body.clone().into())).unwrap();
        store.sync().unwrap();
        let range = PIECE_BYTES + 10..PIECE_BYTES + 4106;
        assert_eq!(store.get_piece(&name, range.clone()), None, "nothing is known of its pieces yet");
        store.get(&name).unwrap();
        assert_eq!(store.get_piece(&name, range.clone()).as_deref(), Some(&body[range.clone()]));
        let (across, end) = (PIECE_BYTES - 1..2 * PIECE_BYTES + 1, body.len() - 5..body.len());
        assert_eq!(store.get_piece(&name, across.clone()).as_deref(), Some(&body[across]));
        assert_eq!(store.get_piece(&name, end.clone()).as_deref(), Some(&body[end]));
        assert_eq!(store.get_piece(&name, body.len() - 5..body.len() + 1), None, "behind the end");

        let Location { position, .. } = store.locate(&name).unwrap().unwrap();
        let segment = store.segments.open(position.segment()).unwrap();
        let place = position.offset() as u64 + (FRAME_HEADER_BYTES + 2 * PIECE_BYTES) as u64;
        segment.file().write_at(&[IoSlice::new(&[!body[2 * PIECE_BYTES]])], place).unwrap();
        let damaged = 2 * PIECE_BYTES + 100..2 * PIECE_BYTES + 200;
        assert_eq!(store.get_piece(&name, damaged), None, "what is damaged is not served");
        assert_eq!(store.get_piece(&name, range.clone()).as_deref(), Some(&body[range]), "another piece is whole");
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })));
    }
}
