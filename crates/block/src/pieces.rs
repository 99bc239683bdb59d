//! Pieces of blocks that are verified alone.
//!
//! The name of a block without links is the BLAKE3 hash of its body, and that is a tree: the name follows from the hashes of the
//! body's pieces. Those of blocks that were read whole are remembered. A small read of such a block later reads, and verifies, only the
//! pieces that it lies in.
//!
//! Invariants:
//! - What is remembered under a name gave that name when it was put together, so a piece that fits it is as sure as a whole block.
//! - Memory is bounded. What is forgotten is read whole once more; nothing on the disk knows of pieces.

use crate::Name;
use crate::limits::PIECE_HASHES_BYTES_MAX;
use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Bytes of a piece; the last one of a block may be shorter. A power of two, so that each is a whole subtree, and as much as the
/// widest vectors hash at once.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// The hashes of the pieces of one body, in order; at least two.
#[derive(Debug)]
pub(crate) struct PieceHashes(Box<[ChainingValue]>);

impl PieceHashes {
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

/// The hashes of the pieces of blocks that were read lately.
pub(crate) struct Pieces(Cache<Name, Arc<PieceHashes>, ByCount>);

#[derive(Clone)]
struct ByCount;

impl Weighter<Name, Arc<PieceHashes>> for ByCount {
    fn weight(&self, _name: &Name, hashes: &Arc<PieceHashes>) -> u64 {
        (Name::BYTES + size_of_val(&*hashes.0)) as u64
    }
}

impl Default for Pieces {
    fn default() -> Self {
        let blocks = PIECE_HASHES_BYTES_MAX as usize / (8 * size_of::<ChainingValue>());
        Self(Cache::with_weighter(blocks, PIECE_HASHES_BYTES_MAX, ByCount))
    }
}

impl Pieces {
    /// Remembers the hashes of a block's pieces, which give its name.
    pub(crate) fn remember(&self, name: Name, hashes: PieceHashes) {
        debug_assert_eq!(hashes.name(), name);
        self.0.insert(name, Arc::new(hashes));
    }

    /// The hashes of a block's pieces, if they are known.
    pub(crate) fn get(&self, name: &Name) -> Option<Arc<PieceHashes>> {
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
