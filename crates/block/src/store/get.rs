//! Reading blocks.

use super::Store;
use crate::frame::{Codec, Content, Fault, FrameHeader, Subject};
use crate::limits::AT_HAND_BYTES_MAX;
use crate::pieces::{PIECE_BYTES, PieceHashes};
use crate::{Block, Error, Location, Name, Patience, Result};
use bytes::Bytes;
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

    /// Fills a buffer with bytes of a block that lies as it is: of one whose pieces are known only those are read, others only whole.
    /// Whatever is in the way, [`Self::read_block`] tells what it is.
    pub(super) fn read_part_of_block(&self, name: &Name, offset: usize, buffer: &mut [u8], patience: Patience) -> bool {
        let known = self.pieces.get(name);
        if known.is_none() && (offset > 0 || patience == Patience::AtHand) {
            return false;
        }
        let Ok(Some(location)) = self.locate(name) else { return false };
        let body_bytes = location.data_bytes as usize;
        let is_raw = !location.has_links && location.payload_bytes == location.data_bytes;
        if !is_raw || offset + buffer.len() > body_bytes {
            return false;
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let read = |offset, buffer: &mut [u8]| self.segments.read_payload(location.position, offset, buffer, patience);
        match known {
            Some(hashes) => {
                hashes.count() == body_bytes.div_ceil(PIECE_BYTES)
                    && read_pieces(&hashes, body_bytes, offset, buffer, read)
            }
            None => buffer.len() == body_bytes && read(0, buffer) && self.has_name(buffer, name),
        }
    }

    /// Whether this is the body of the block with a name; then its pieces are remembered.
    fn has_name(&self, body: &[u8], name: &Name) -> bool {
        match PieceHashes::of(body) {
            Some(pieces) if pieces.name() == *name => {
                self.pieces.remember(*name, pieces);
                true
            }
            _ => false,
        }
    }
}

/// Fills a buffer from an offset on with what `read` gives for whole pieces, if that fits their hashes.
fn read_pieces(
    hashes: &PieceHashes,
    body_bytes: usize,
    offset: usize,
    buffer: &mut [u8],
    read: impl Fn(usize, &mut [u8]) -> bool,
) -> bool {
    let (first, end) = (offset / PIECE_BYTES, offset + buffer.len());
    let (from, to) = (first * PIECE_BYTES, end.next_multiple_of(PIECE_BYTES).min(body_bytes));
    if (from, to) == (offset, end) {
        return read(from, buffer) && hashes.fit(first, buffer);
    }
    let mut pieces = vec![0; to - from];
    let is_whole = read(from, &mut pieces) && hashes.fit(first, &pieces);
    if is_whole {
        buffer.copy_from_slice(&pieces[offset - from..end - from]);
    }
    is_whole
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
    use crate::{Block, Blocks, Compression, Error, Location, MemoryIndex, Patience, RealDisk, Store, StoreOptions};
    use std::io::IoSlice;
    use std::ops::Range;
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
    fn a_part_of_a_block_is_verified_alone_once_the_whole_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path()));
        let store = Store::create(disk.clone(), Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
        let mut body = vec![0; 5 * PIECE_BYTES - 100];
        blake3::Hasher::new().finalize_xof().fill(&mut body);
        let name = store.put(&Block::data(body.clone().into())).unwrap();
        store.sync().unwrap();
        let read = |range: Range<usize>, patience| {
            let mut buffer = vec![0; range.len()];
            store.read_part(&name, range.start, &mut buffer, patience).then_some(buffer)
        };
        let part = |range| read(range, Patience::Unlimited);
        let range = PIECE_BYTES + 10..PIECE_BYTES + 4106;
        assert_eq!(part(range.clone()), None, "nothing is known of its pieces yet");
        assert_eq!(part(0..body.len()).as_deref(), Some(&body[..]), "the whole needs nothing to be known");
        let (across, end) = (PIECE_BYTES - 1..2 * PIECE_BYTES + 1, body.len() - 5..body.len());
        let aligned = PIECE_BYTES..3 * PIECE_BYTES;
        for range in [range.clone(), across, end, aligned, 0..body.len()] {
            assert_eq!(part(range.clone()).as_deref(), Some(&body[range.clone()]));
            let at_hand = read(range.clone(), Patience::AtHand);
            assert!(at_hand.is_none_or(|found| found == body[range]));
        }
        assert_eq!(part(body.len() - 5..body.len() + 1), None, "behind the end");

        let Location { position, .. } = store.locate(&name).unwrap().unwrap();
        let segment = store.segments.open(position.segment()).unwrap();
        let place = position.offset() as u64 + (FRAME_HEADER_BYTES + 2 * PIECE_BYTES) as u64;
        segment.file().write_at(&[IoSlice::new(&[!body[2 * PIECE_BYTES]])], place).unwrap();
        for damaged in [2 * PIECE_BYTES + 100..2 * PIECE_BYTES + 200, PIECE_BYTES..3 * PIECE_BYTES, 0..body.len()] {
            assert_eq!(part(damaged), None, "what is damaged is not served");
        }
        assert_eq!(part(range.clone()).as_deref(), Some(&body[range]), "another piece is whole");
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })));
    }
}
