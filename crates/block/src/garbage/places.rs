//! An exact set of places in the log, four bytes for each.

use crate::Position;
use crate::frame::FRAME_ALIGNMENT_BYTES;
use std::collections::BTreeMap;

/// The set. In each segment, the offsets of the places, sorted, in units of a frame's alignment.
#[derive(Default)]
pub(crate) struct Places {
    segments: BTreeMap<u32, Vec<u32>>,
}

/// Full vectors grow by a part of what they hold, so that little memory lies idle.
const GROWTH_PART: usize = 8;

impl Places {
    /// Adds a place; false if it was there.
    pub(crate) fn insert(&mut self, position: Position) -> bool {
        let offsets = self.segments.entry(position.segment()).or_default();
        let offset = unit(position);
        let Err(index) = offsets.binary_search(&offset) else { return false };
        if offsets.len() == offsets.capacity() {
            offsets.reserve_exact((offsets.len() / GROWTH_PART).max(GROWTH_PART));
        }
        offsets.insert(index, offset);
        true
    }

    /// Whether a place is in the set.
    pub(crate) fn contains(&self, position: Position) -> bool {
        self.segments.get(&position.segment()).is_some_and(|offsets| offsets.binary_search(&unit(position)).is_ok())
    }

    /// Memory that it takes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let entry = size_of::<(u32, Vec<u32>)>() + size_of::<usize>();
        self.segments.values().map(|offsets| entry + offsets.capacity() * size_of::<u32>()).sum()
    }
}

fn unit(position: Position) -> u32 {
    position.offset() / FRAME_ALIGNMENT_BYTES as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_the_set_once_it_was_added() {
        let mut places = Places::default();
        let at = |number: u32| Position::new(number % 7 + 1, number.wrapping_mul(2_654_435_761) >> 8 << 3);
        for number in 0..5_000 {
            let is_new = !places.contains(at(number));
            assert_eq!(places.insert(at(number)), is_new);
        }
        assert!((0..5_000).all(|number| places.contains(at(number)) && !places.insert(at(number))));
        assert!(!places.contains(Position::new(8, 64)));
    }

    #[test]
    fn a_place_takes_little_more_than_four_bytes() {
        let mut places = Places::default();
        for segment in 1..=40 {
            (0..4_000).for_each(|number| assert!(places.insert(Position::new(segment, number * 16_384))));
        }
        assert!(places.memory_bytes() < 160_000 * 5, "{}", places.memory_bytes());
    }
}
