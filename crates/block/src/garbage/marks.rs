//! What a collection has found alive.

use super::bloom::Bloom;
use super::places::Places;
use crate::limits::{EXACT_LEAVES_MAX, REVIVED_MAX};
use crate::{Location, Name, Position};
use parking_lot::Mutex;

/// Marks on blocks without links.
enum Leaves {
    /// Where one that is dead may pass for alive.
    Names(Bloom),
    /// Where none does.
    Places(Mutex<Places>),
}

impl Leaves {
    fn insert(&self, name: &Name, position: Position) {
        match self {
            Self::Names(names) => names.insert(name),
            Self::Places(places) => drop(places.lock().insert(position)),
        }
    }

    fn contains(&self, name: &Name, position: Position) -> bool {
        match self {
            Self::Names(names) => names.contains(name),
            Self::Places(places) => places.lock().contains(position),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Names(names) => names.memory_bytes(),
            Self::Places(places) => places.lock().memory_bytes(),
        }
    }
}

/// Marks on the blocks that lie below a place of the log. What lies behind it was put since and is alive.
pub(crate) struct Marks {
    /// Where the log ended when the collection began.
    pub(crate) start: Position,
    /// Marked blocks without links.
    leaves: Leaves,
    /// Marked blocks with links: what they link to is marked, or is going to be. Exact, since a block that wrongly passes for
    /// marked would hide what lies below it.
    inner: Mutex<Places>,
    /// Blocks with links that were put again although nothing had marked them: they are alive, and are still to be followed.
    revived: Mutex<Vec<Name>>,
}

impl Marks {
    /// No marks yet, for a store with so many blocks.
    pub(crate) fn new(start: Position, blocks: u64, salt: u64) -> Self {
        Self::with(start, Leaves::Names(Bloom::new(blocks, salt)))
    }

    /// No marks yet, of a collection after which no dead block may be left. Of a store with many blocks they are as of any other: then
    /// it takes several, each with another salt.
    pub(crate) fn exact(start: Position, blocks: u64, salt: u64) -> Self {
        match blocks <= EXACT_LEAVES_MAX {
            true => Self::with(start, Leaves::Places(Mutex::default())),
            false => Self::new(start, blocks, salt),
        }
    }

    fn with(start: Position, leaves: Leaves) -> Self {
        Self { start, leaves, inner: Mutex::default(), revived: Mutex::default() }
    }

    /// Whether no dead block passes for alive.
    pub(crate) fn are_exact(&self) -> bool {
        matches!(self.leaves, Leaves::Places(_))
    }

    /// Marks a block that the collection came to. True if it has links that have not been followed.
    pub(crate) fn mark(&self, name: &Name, location: &Location) -> bool {
        if location.has_links {
            return self.inner.lock().insert(location.position);
        }
        if location.position < self.start {
            self.leaves.insert(name, location.position);
        }
        false
    }

    /// Marks a block that is put again, while the collection is still marking. False if there is no room to remember it: then it
    /// has to be written anew.
    pub(crate) fn revive(&self, name: &Name, location: &Location) -> bool {
        if location.position >= self.start {
            return true;
        }
        if !location.has_links {
            self.leaves.insert(name, location.position);
            return true;
        }
        if self.inner.lock().contains(location.position) {
            return true;
        }
        let mut revived = self.revived.lock();
        let has_room = revived.len() < REVIVED_MAX;
        if has_room {
            revived.push(*name);
        }
        has_room
    }

    /// Takes the blocks that were revived since the last call.
    pub(crate) fn take_revived(&self) -> Vec<Name> {
        std::mem::take(&mut self.revived.lock())
    }

    /// Whether a block is alive, once all is marked.
    pub(crate) fn is_alive(&self, name: &Name, location: &Location) -> bool {
        location.position >= self.start
            || if location.has_links {
                self.inner.lock().contains(location.position)
            } else {
                self.leaves.contains(name, location.position)
            }
    }

    /// Memory that the marks take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.leaves.memory_bytes() + self.inner.lock().memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bloom::mix;
    use super::*;
    use crate::limits::{BLOOM_BITS_PER_BLOCK, BLOOM_BYTES_MAX};

    /// About what a block of 64 KiB takes.
    const FRAME_BYTES: u64 = 64 << 10;

    const SEGMENT_BYTES: u64 = 64 << 20;

    fn name(number: u64) -> Name {
        let mut bytes = [0; Name::BYTES];
        bytes[..8].copy_from_slice(&mix(number).to_le_bytes());
        bytes[8..16].copy_from_slice(&mix(!number).to_le_bytes());
        Name::from_bytes(bytes)
    }

    fn location(number: u64, has_links: bool) -> Location {
        let place = number * FRAME_BYTES;
        let (segment, offset) = ((place / SEGMENT_BYTES) as u32 + 1, (place % SEGMENT_BYTES) as u32);
        Location { position: Position::new(segment, offset), payload_bytes: 1, data_bytes: 0, has_links }
    }

    /// A store of small files has a block with links for each forty, spread over all segments at worst. `MARKS_BLOCKS=100000000`
    /// tries it in full.
    #[test]
    fn the_memory_of_marks_stays_within_its_bound() {
        let blocks = std::env::var("MARKS_BLOCKS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
        let marks = Marks::new(Position::new(u32::MAX, 0), blocks, 7);
        for number in 0..blocks {
            marks.mark(&name(number), &location(number, number.is_multiple_of(40)));
        }
        let memory_bytes = marks.memory_bytes();
        let (inner, segments) = (blocks / 40, blocks * FRAME_BYTES / SEGMENT_BYTES + 1);
        let leaves_bytes = (blocks * BLOOM_BITS_PER_BLOCK / 8).min(BLOOM_BYTES_MAX as u64);
        assert!(memory_bytes as u64 <= leaves_bytes + 8 + inner * 5 + segments * 80, "{memory_bytes}");
        assert!(memory_bytes <= 64 << 20, "{memory_bytes}");
        let is_alive = |number: &u64| marks.is_alive(&name(*number), &location(*number, number.is_multiple_of(40)));
        assert!((0..blocks).step_by(997).all(|number| is_alive(&number)));
        let dead = blocks..blocks + 100_000;
        let wrong = dead.clone().filter(|number| !number.is_multiple_of(40)).filter(is_alive).count();
        assert!(dead.filter(|number| number.is_multiple_of(40)).all(|number| !is_alive(&number)), "exact with links");
        println!("{blocks} blocks: {memory_bytes} bytes, {wrong} of 97,500 dead blocks without links pass for alive");
        assert!(wrong < 20_000, "{wrong}");
    }
}
