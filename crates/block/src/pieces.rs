//! Pieces of blocks that are verified alone.
//!
//! The name of a block without links is the BLAKE3 hash of its body, and that is a tree: the name follows from the hashes of the
//! body's pieces. They stand behind a body that is stored raw. A small read of such a block reads them, compares them with the name,
//! remembers them, and then reads and verifies only the pieces that it lies in. The second small read of a block is taken as a sign of
//! more, and all of its body is fetched in one piece: where reads go all over more than memory holds, few blocks see a second one.
//!
//! Invariants:
//! - What is remembered under a name gave that name when it was put together, so a piece that fits it is as sure as a whole block:
//!   the hashes on the disk are trusted no more than the body.
//! - Memory is bounded. What is forgotten is read once more.

use crate::limits::PIECE_HASHES_BYTES_MAX;
use crate::{Block, Name};
use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of a piece; the last one of a block may be shorter. A power of two, so that each is a whole subtree, and as much as the
/// widest vectors hash at once.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// The hashes of the pieces of one body, in order; at least two.
#[derive(Debug)]
pub(crate) struct PieceHashes(Box<[ChainingValue]>);

impl PieceHashes {
    /// Bytes of those of a body of some length; none if it is a single piece.
    pub(crate) const fn bytes_of(body_bytes: usize) -> usize {
        if body_bytes > PIECE_BYTES { body_bytes.div_ceil(PIECE_BYTES) * size_of::<ChainingValue>() } else { 0 }
    }

    /// A block's name, and the hashes of its pieces if it has several and no links.
    pub(crate) fn with_name(block: &Block) -> (Name, Option<Self>) {
        let hashes = if block.links.is_empty() { Self::of(&block.body) } else { None };
        (hashes.as_ref().map_or_else(|| block.name(), Self::name), hashes)
    }

    /// Those that stand behind the body of the block with a name; `None` if they are not.
    pub(crate) fn of_block(name: &Name, bytes: &[u8]) -> Option<Self> {
        let hashes = <[ChainingValue]>::ref_from_bytes(bytes).ok().filter(|hashes| hashes.len() > 1)?;
        Some(Self(hashes.into())).filter(|hashes| hashes.name() == *name)
    }

    /// As they stand behind the body.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Those of a body that has several pieces.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        (body.len() > PIECE_BYTES).then(|| Self(body.chunks(PIECE_BYTES).enumerate().map(hash).collect()))
    }

    /// The name of a block without links that has these pieces.
    pub(crate) fn name(&self) -> Name {
        let (left, right) = split(&self.0);
        Name::from_bytes(*merge_subtrees_root(&merge(left), &merge(right), Mode::Hash).as_bytes())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether these bytes are the pieces from one on.
    pub(crate) fn fit(&self, first: usize, bytes: &[u8]) -> bool {
        let mut pieces = bytes.chunks(PIECE_BYTES).zip(first..);
        pieces.all(|(piece, number)| self.0.get(number) == Some(&hash((number, piece))))
    }
}

fn hash((number, piece): (usize, &[u8])) -> ChainingValue {
    Hasher::new().set_input_offset((number * PIECE_BYTES) as u64).update(piece).finalize_non_root()
}

/// The hash of some of a body's pieces: the piece's own, or that of the node above them.
fn merge(hashes: &[ChainingValue]) -> ChainingValue {
    match hashes {
        [one] => *one,
        several => {
            let (left, right) = split(several);
            merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
        }
    }
}

/// BLAKE3 fills the left side: it has the largest power of two that leaves something to the right one.
fn split(hashes: &[ChainingValue]) -> (&[ChainingValue], &[ChainingValue]) {
    hashes.split_at(hashes.len().next_power_of_two() / 2)
}

/// What is known of a block that was read.
pub(crate) struct Known {
    /// Of its pieces.
    pub(crate) hashes: PieceHashes,
    /// Whether all of its body was read, or fetched.
    is_fetched: AtomicBool,
}

impl Known {
    /// Whether all of the body is to be fetched now: once.
    pub(crate) fn is_to_be_fetched(&self) -> bool {
        !self.is_fetched.load(Ordering::Relaxed) && !self.is_fetched.swap(true, Ordering::Relaxed)
    }
}

/// The blocks that were read lately, and have several pieces.
pub(crate) struct Pieces(Cache<Name, Arc<Known>, ByCount>);

#[derive(Clone)]
struct ByCount;

impl Weighter<Name, Arc<Known>> for ByCount {
    fn weight(&self, _name: &Name, known: &Arc<Known>) -> u64 {
        (Name::BYTES + size_of::<Known>() + size_of_val(&*known.hashes.0)) as u64
    }
}

impl Default for Pieces {
    fn default() -> Self {
        let blocks = PIECE_HASHES_BYTES_MAX as usize / (8 * size_of::<ChainingValue>());
        Self(Cache::with_weighter(blocks, PIECE_HASHES_BYTES_MAX, ByCount))
    }
}

impl Pieces {
    /// Remembers a block that was read whole, with the hashes of its pieces, which give its name.
    pub(crate) fn remember(&self, name: Name, hashes: PieceHashes) {
        self.insert(name, hashes, true);
    }

    /// Remembers a block of which a part is read.
    pub(crate) fn remember_part(&self, name: Name, hashes: PieceHashes) -> Arc<Known> {
        self.insert(name, hashes, false)
    }

    fn insert(&self, name: Name, hashes: PieceHashes, is_fetched: bool) -> Arc<Known> {
        debug_assert_eq!(hashes.name(), name);
        let known = Arc::new(Known { hashes, is_fetched: is_fetched.into() });
        self.0.insert(name, known.clone());
        known
    }

    /// What is known of a block.
    pub(crate) fn get(&self, name: &Name) -> Option<Arc<Known>> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: usize) -> Vec<u8> {
        let mut body = vec![0; bytes];
        Hasher::new().update(&(bytes as u64).to_le_bytes()).finalize_xof().fill(&mut body);
        body
    }

    #[test]
    fn parts_give_the_same_name_as_the_whole() {
        for pieces in 1..20 {
            for bytes in [PIECE_BYTES * pieces + 1, PIECE_BYTES * pieces + 1025, PIECE_BYTES * (pieces + 1)] {
                let body = body(bytes);
                let name = PieceHashes::of(&body).expect("several pieces").name();
                assert_eq!(name.as_bytes(), blake3::hash(&body).as_bytes(), "{bytes} bytes");
            }
        }
        assert!(PieceHashes::of(&body(PIECE_BYTES)).is_none());
    }

    #[test]
    fn only_hashes_that_give_the_name_are_taken_from_a_disk() {
        for bytes in [PIECE_BYTES + 1, 5 * PIECE_BYTES, 1 << 20] {
            let (name, hashes) = PieceHashes::with_name(&Block::data(body(bytes).into()));
            let stored = hashes.expect("several pieces").as_bytes().to_vec();
            assert_eq!(stored.len(), PieceHashes::bytes_of(bytes));
            assert!(PieceHashes::of_block(&name, &stored).is_some());
            for position in (0..stored.len()).step_by(31) {
                let mut other = stored.clone();
                other[position] ^= 1;
                assert!(PieceHashes::of_block(&name, &other).is_none(), "byte {position}");
            }
            for wrong in [&stored[..stored.len() - 1], &stored[..size_of::<ChainingValue>()], &[]] {
                assert!(PieceHashes::of_block(&name, wrong).is_none(), "{} bytes", wrong.len());
            }
        }
        assert_eq!(PieceHashes::bytes_of(PIECE_BYTES), 0);
    }

    #[test]
    fn a_body_is_to_be_fetched_once_and_only_if_a_part_of_it_was_read() {
        let pieces = Pieces::default();
        let (name, hashes) = PieceHashes::with_name(&Block::data(body(2 * PIECE_BYTES).into()));
        pieces.remember_part(name, hashes.expect("several pieces"));
        let is_to_be_fetched = || pieces.get(&name).expect("remembered").is_to_be_fetched();
        assert!(is_to_be_fetched() && !is_to_be_fetched());
        let (name, hashes) = PieceHashes::with_name(&Block::data(body(3 * PIECE_BYTES).into()));
        pieces.remember(name, hashes.expect("several pieces"));
        assert!(!pieces.get(&name).expect("remembered").is_to_be_fetched());
    }

    #[test]
    fn a_piece_fits_only_unchanged_and_at_its_place() {
        let mut body = body(5 * PIECE_BYTES - 7);
        let hashes = PieceHashes::of(&body).expect("several pieces");
        assert!(hashes.fit(0, &body) && hashes.fit(4, &body[4 * PIECE_BYTES..]));
        assert!(hashes.fit(1, &body[PIECE_BYTES..3 * PIECE_BYTES]));
        assert!(!hashes.fit(2, &body[PIECE_BYTES..3 * PIECE_BYTES]), "other pieces");
        assert!(!hashes.fit(1, &body[PIECE_BYTES..2 * PIECE_BYTES - 1]), "too short");
        assert!(!hashes.fit(5, &body[..1]), "behind the end");
        body[2 * PIECE_BYTES] ^= 1;
        assert!(hashes.fit(1, &body[PIECE_BYTES..2 * PIECE_BYTES]));
        assert!(!hashes.fit(1, &body[PIECE_BYTES..3 * PIECE_BYTES]), "changed");
    }
}
