//! Parts of blocks that are verified alone.
//!
//! The name of a block without links is the BLAKE3 hash of its body, and that is a tree: the name follows from the hashes of the
//! body's parts. Those of blocks that were read whole are remembered. A small read of such a block later reads, and verifies, only the
//! parts that it lies in.
//!
//! Invariants:
//! - What is remembered under a name gave that name when it was put together, so a part that fits it is as sure as a whole block.
//! - Memory is bounded. What is forgotten is read whole once more; nothing on the disk knows of parts.

use crate::Name;
use crate::limits::PART_HASHES_BYTES_MAX;
use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Bytes of a part; the last one of a block may be shorter. A power of two, so that each is a whole subtree, and as much as the
/// widest vectors hash at once.
pub const PART_BYTES: usize = 16 << 10;

/// The hashes of the parts of one body, in order; at least two.
#[derive(Debug)]
pub(crate) struct PartHashes(Box<[ChainingValue]>);

impl PartHashes {
    /// Those of a body that has several parts.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        (body.len() > PART_BYTES).then(|| Self(body.chunks(PART_BYTES).enumerate().map(hash).collect()))
    }

    /// The name of a block without links that has these parts.
    pub(crate) fn name(&self) -> Name {
        let (left, right) = split(&self.0);
        Name::from_bytes(*merge_subtrees_root(&merge(left), &merge(right), Mode::Hash).as_bytes())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether these bytes are the parts from one on.
    pub(crate) fn fit(&self, first: usize, bytes: &[u8]) -> bool {
        let mut parts = bytes.chunks(PART_BYTES).zip(first..);
        parts.all(|(part, number)| self.0.get(number) == Some(&hash((number, part))))
    }
}

fn hash((number, part): (usize, &[u8])) -> ChainingValue {
    Hasher::new().set_input_offset((number * PART_BYTES) as u64).update(part).finalize_non_root()
}

/// The hash of some of a body's parts: the part's own, or that of the node above them.
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

/// The hashes of the parts of blocks that were read lately.
pub(crate) struct Parts(Cache<Name, Arc<PartHashes>, ByCount>);

#[derive(Clone)]
struct ByCount;

impl Weighter<Name, Arc<PartHashes>> for ByCount {
    fn weight(&self, _name: &Name, hashes: &Arc<PartHashes>) -> u64 {
        (Name::BYTES + size_of_val(&*hashes.0)) as u64
    }
}

impl Default for Parts {
    fn default() -> Self {
        let blocks = PART_HASHES_BYTES_MAX as usize / (8 * size_of::<ChainingValue>());
        Self(Cache::with_weighter(blocks, PART_HASHES_BYTES_MAX, ByCount))
    }
}

impl Parts {
    /// Remembers the hashes of a block's parts, which give its name.
    pub(crate) fn remember(&self, name: Name, hashes: PartHashes) {
        debug_assert_eq!(hashes.name(), name);
        self.0.insert(name, Arc::new(hashes));
    }

    /// The hashes of a block's parts, if they are known.
    pub(crate) fn get(&self, name: &Name) -> Option<Arc<PartHashes>> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: usize) -> Vec<u8> {
        let mut body = vec![0; bytes];
        Hasher::new().update(&bytes.to_le_bytes()).finalize_xof().fill(&mut body);
        body
    }

    #[test]
    fn parts_give_the_same_name_as_the_whole() {
        for parts in 1..20 {
            for bytes in [PART_BYTES * parts + 1, PART_BYTES * parts + 1025, PART_BYTES * (parts + 1)] {
                let body = body(bytes);
                let name = PartHashes::of(&body).expect("several parts").name();
                assert_eq!(name.as_bytes(), blake3::hash(&body).as_bytes(), "{bytes} bytes");
            }
        }
        assert!(PartHashes::of(&body(PART_BYTES)).is_none());
    }

    #[test]
    fn a_part_fits_only_unchanged_and_at_its_place() {
        let mut body = body(5 * PART_BYTES - 7);
        let hashes = PartHashes::of(&body).expect("several parts");
        assert!(hashes.fit(0, &body) && hashes.fit(4, &body[4 * PART_BYTES..]));
        assert!(hashes.fit(1, &body[PART_BYTES..3 * PART_BYTES]));
        assert!(!hashes.fit(2, &body[PART_BYTES..3 * PART_BYTES]), "other parts");
        assert!(!hashes.fit(1, &body[PART_BYTES..2 * PART_BYTES - 1]), "too short");
        assert!(!hashes.fit(5, &body[..1]), "behind the end");
        body[2 * PART_BYTES] ^= 1;
        assert!(hashes.fit(1, &body[PART_BYTES..2 * PART_BYTES]));
        assert!(!hashes.fit(1, &body[PART_BYTES..3 * PART_BYTES]), "changed");
    }
}
