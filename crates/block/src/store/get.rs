//! Reading blocks.

use super::Store;
use crate::frame::{Content, Fault, FrameHeader, Subject};
use crate::limits::AT_HAND_BYTES_MAX;
use crate::pieces::{Known, PIECE_BYTES, PieceHashes};
use crate::{Block, Error, Location, Name, Part, Patience, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Store {
    /// The block with this name, verified.
    pub(super) fn read_block(&self, name: &Name) -> Result<Block> {
        self.read_located_block(name, self.locate_or_miss(name))
    }

    /// As [`Self::read_block`], with what a look into the index gave.
    fn read_located_block(&self, name: &Name, located: Result<Location>) -> Result<Block> {
        let read_at = |location| self.read_block_at(name, location);
        match located.and_then(|location| self.read_from_its_place(name, location, read_at)) {
            Err(error) if super::damage::is_damage(&error) => self.copies.block(name).ok_or(error),
            read => read,
        }
    }

    /// Reads a block where it lies. A collection may move it between the look into the index and the read: whoever meets an
    /// error looks again.
    pub(crate) fn read_at_its_place<T>(&self, name: &Name, read: impl Fn(Location) -> Result<T>) -> Result<T> {
        self.read_from_its_place(name, self.locate_or_miss(name)?, read)
    }

    fn read_from_its_place<T>(
        &self,
        name: &Name,
        mut location: Location,
        read: impl Fn(Location) -> Result<T>,
    ) -> Result<T> {
        loop {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let error = match read(location) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let now = self.locate_or_miss(name)?;
            if now.position == location.position {
                let error = name_block(error, name, location);
                self.note_failed_read(name, &error);
                return Err(error);
            }
            location = now;
        }
    }

    fn locate_or_miss(&self, name: &Name) -> Result<Location> {
        self.locate(name)?.ok_or(Error::Missing { name: *name })
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
        self.read_at_hand(name, self.locate(name).ok()??)
    }

    fn read_at_hand(&self, name: &Name, location: Location) -> Option<Block> {
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
        let content = Content::unpack(header, payload).map_err(corrupt)?;
        match content.verify(name) {
            Err(fault) if !self.sabotaged.skip_names.load(Ordering::Relaxed) => return Err(corrupt(fault)),
            Ok(Some(hashes)) if header.codec.is_raw() => self.pieces.remember(*name, hashes),
            _ => {}
        }
        Ok(content.block)
    }

    /// Reads bytes of a block: alone if they can be verified alone, or else the whole block.
    pub(super) fn read_part_of_block(
        &self,
        name: &Name,
        offset: usize,
        buffer: &mut [u8],
        patience: Patience,
    ) -> Result<Part> {
        let located = self.locate_or_miss(name);
        if let Ok(location) = located
            && self.read_alone(name, location, offset, buffer, patience)
        {
            return Ok(Part::Filled);
        }
        match patience {
            Patience::Unlimited => self.read_located_block(name, located).map(Part::Whole),
            Patience::AtHand => {
                let block = located.ok().and_then(|location| self.read_at_hand(name, location));
                Ok(block.map_or(Part::Later, Part::Whole))
            }
        }
    }

    /// Fills a buffer with bytes of a block that lies as it is. Whatever is in the way, [`Self::read_block`] tells what it is.
    fn read_alone(
        &self,
        name: &Name,
        location: Location,
        offset: usize,
        buffer: &mut [u8],
        patience: Patience,
    ) -> bool {
        let body_bytes = location.data_bytes as usize;
        let end = offset + buffer.len();
        if !location.is_raw() || end > body_bytes {
            return false;
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let read = |offset, buffer: &mut [u8]| self.segments.read_payload(location.position, offset, buffer, patience);
        let (from, to) = pieces_around(offset, end, body_bytes);
        let will_read = |from, to| match patience {
            Patience::Unlimited => self.segments.will_read_payload(location.position, from, to - from),
            Patience::AtHand => {}
        };
        let known = match self.pieces.get(name) {
            // The whole body gives the hashes as well.
            None if buffer.len() == body_bytes => {
                return patience == Patience::Unlimited && read(0, buffer) && self.has_name(buffer, name);
            }
            None if location.has_hashes() => {
                // The pieces are fetched while the hashes are.
                will_read(from, to);
                self.stored_hashes(name, body_bytes, read)
            }
            Some(known) if patience == Patience::Unlimited && known.is_to_be_fetched() => {
                // The pieces first: nobody waits for the rest.
                will_read(from, to);
                will_read(0, body_bytes);
                Some(known)
            }
            known => known,
        };
        known.is_some_and(|known| {
            let hashes = &known.hashes;
            hashes.count() == body_bytes.div_ceil(PIECE_BYTES) && read_pieces(hashes, body_bytes, offset, buffer, read)
        })
    }

    /// Whether this is the body of the block with a name; then its pieces are remembered.
    fn has_name(&self, body: &[u8], name: &Name) -> bool {
        let hashes = PieceHashes::of(body).filter(|hashes| hashes.name() == *name);
        hashes.map(|hashes| self.pieces.remember(*name, hashes)).is_some()
    }

    /// The hashes that stand behind a body, if they give the block's name; then they are remembered.
    fn stored_hashes(
        &self,
        name: &Name,
        body_bytes: usize,
        read: impl Fn(usize, &mut [u8]) -> bool,
    ) -> Option<Arc<Known>> {
        let mut bytes = vec![0; PieceHashes::bytes_of(body_bytes)];
        let hashes = if read(body_bytes, &mut bytes) { PieceHashes::of_block(name, &bytes) } else { None };
        hashes.map(|hashes| self.pieces.remember_part(*name, hashes))
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
    let (from, to) = pieces_around(offset, end, body_bytes);
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

/// Where the pieces begin and end that a stretch of a body lies in.
fn pieces_around(offset: usize, end: usize, body_bytes: usize) -> (usize, usize) {
    (offset - offset % PIECE_BYTES, end.next_multiple_of(PIECE_BYTES).min(body_bytes))
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
    use crate::pieces::{PIECE_BYTES, PieceHashes};
    use crate::recovery::entry;
    use crate::{Block, Blocks, Compression, DamagedSubject, Error, Location, MemoryIndex, Name, Part, Patience};
    use crate::{Position, RealDisk, Store, StoreOptions};
    use std::io::IoSlice;
    use std::ops::{ControlFlow, Range};
    use std::path::Path;
    use std::sync::Arc;

    #[test]
    fn content_under_a_wrong_name_is_refused_although_its_checksums_are_right() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let (block, name) = (Block::data("one".into()), Block::data("another".into()).name());
        write(&store, name, &block, None);
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })));
    }

    /// Writes a frame as it is said, whether that is right or not.
    fn write(store: &Store, name: Name, block: &Block, hashes: Option<PieceHashes>) {
        let draft = Draft::block(name, block, hashes, Compression::None).unwrap();
        let written = |position| store.recent.insert(name, entry(position, draft.header()));
        store.log.append(&draft, written).unwrap();
        store.sync().unwrap();
    }

    fn incompressible(bytes: usize, seed: u8) -> Vec<u8> {
        let mut body = vec![0; bytes];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut body);
        body
    }

    /// What is read alone; `None` if the store gives the whole block instead, or nothing.
    fn read_alone(store: &Store, name: &Name, range: Range<usize>, patience: Patience) -> Option<Vec<u8>> {
        let mut buffer = vec![0; range.len()];
        let part = store.read_part(name, range.start, &mut buffer, patience);
        matches!(part, Ok(Part::Filled)).then_some(buffer)
    }

    /// Flips the bits of a byte of a block's payload on the disk.
    fn damage(store: &Store, name: &Name, offset: usize, byte: u8) {
        let Location { position, .. } = store.locate(name).unwrap().unwrap();
        let segment = store.segments.open(position.segment()).unwrap();
        let place = position.offset() as u64 + (FRAME_HEADER_BYTES + offset) as u64;
        segment.file().write_at(&[IoSlice::new(&[!byte])], place).unwrap();
    }

    #[test]
    fn a_part_of_a_block_is_verified_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let body = incompressible(5 * PIECE_BYTES - 100, 0);
        let name = store.put(&Block::data(body.clone().into())).unwrap();
        store.sync().unwrap();
        let part = |range| read_alone(&store, &name, range, Patience::Unlimited);
        let range = PIECE_BYTES + 10..PIECE_BYTES + 4106;
        let (across, end) = (PIECE_BYTES - 1..2 * PIECE_BYTES + 1, body.len() - 5..body.len());
        let aligned = PIECE_BYTES..3 * PIECE_BYTES;
        for range in [range.clone(), across, end, aligned, 0..body.len()] {
            assert_eq!(part(range.clone()).as_deref(), Some(&body[range.clone()]));
            let at_hand = read_alone(&store, &name, range.clone(), Patience::AtHand);
            assert!(at_hand.is_none_or(|found| found == body[range]));
        }
        assert_eq!(part(body.len() - 5..body.len() + 1), None, "behind the end");
        damage(&store, &name, 2 * PIECE_BYTES, body[2 * PIECE_BYTES]);
        for damaged in [2 * PIECE_BYTES + 100..2 * PIECE_BYTES + 200, PIECE_BYTES..3 * PIECE_BYTES, 0..body.len()] {
            assert_eq!(part(damaged), None, "what is damaged is not served");
        }
        assert_eq!(part(range.clone()).as_deref(), Some(&body[range]), "another piece is whole");
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn a_body_without_hashes_behind_it_is_read_whole_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let body = incompressible(3 * PIECE_BYTES, 0);
        let (block, range) = (Block::data(body.clone().into()), PIECE_BYTES..PIECE_BYTES + 10);
        write(&store, block.name(), &block, None);
        let part = || read_alone(&store, &block.name(), range.clone(), Patience::Unlimited);
        assert_eq!(part(), None);
        assert_eq!(part().as_deref(), Some(&body[range.clone()]));
    }

    #[test]
    fn hashes_of_other_pieces_are_not_believed_and_a_scrub_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let (body, other) = (incompressible(3 * PIECE_BYTES, 0), incompressible(3 * PIECE_BYTES, 1));
        let block = Block::data(body.into());
        let name = block.name();
        write(&store, name, &block, PieceHashes::of(&other));
        assert_eq!(read_alone(&store, &name, 5..10, Patience::Unlimited), None);
        assert_eq!(store.get(&name).unwrap(), block, "the body is what its name says");
        let mut damages = Vec::new();
        store.verify(Position::START, u64::MAX, &mut |damage| damages.push((damage.subject, damage.what))).unwrap();
        let expected = (DamagedSubject::Block(name), "the hashes of its pieces do not match".to_owned());
        assert_eq!(damages, [expected]);
        let mut sent = Vec::new();
        let send = &mut |packed| {
            sent.push(packed);
            Ok(ControlFlow::Continue(()))
        };
        store.read_packed(&[name], send).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let error = self::store(elsewhere.path()).put_packed(&sent[0]).unwrap_err().to_string();
        assert!(error.contains("the hashes of its pieces do not match"), "{error}");
    }

    #[test]
    fn damaged_hashes_cost_the_whole_block() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let block = Block::data(incompressible(3 * PIECE_BYTES, 0).into());
        let name = store.put(&block).unwrap();
        store.sync().unwrap();
        let (_, hashes) = PieceHashes::with_name(&block);
        damage(&store, &name, block.body.len() + 40, hashes.unwrap().as_bytes()[40]);
        assert_eq!(read_alone(&store, &name, 5..10, Patience::Unlimited), None);
        assert!(matches!(store.get(&name), Err(Error::Corrupt { .. })), "its checksum covers the hashes");
    }

    fn store(folder: &Path) -> Store {
        let disk = Arc::new(RealDisk::new(folder));
        Store::create(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap()
    }
}
