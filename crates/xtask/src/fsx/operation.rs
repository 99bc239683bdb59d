//! What the exerciser of ranges does to its files, one call each.

use crate::real::chance::Chance;
use std::ops::Range;

/// The files fit into every cache.
pub(super) const FILE_BYTES_MAX: usize = 128 << 10;
/// What one call touches, at most.
const RANGE_BYTES_MAX: usize = 8 << 10;
/// One file, and another to copy from and to.
pub(super) const FILES: usize = 2;

/// A range of one of the files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Read(Place),
    Write(Place),
    ReadMapped(Place),
    WriteMapped(Place),
    Truncate {
        file: usize,
        size: usize,
    },
    Punch(Place),
    Zero {
        place: Place,
        keep_size: bool,
    },
    Allocate {
        place: Place,
        keep_size: bool,
    },
    /// Never of a range to one that it overlaps, which is an error.
    Copy {
        from: Place,
        file: usize,
        offset: usize,
    },
    SyncMapped {
        file: usize,
    },
    Sync {
        file: usize,
    },
}

impl Operation {
    pub(super) fn random(chance: &mut Chance) -> Operation {
        let place = Place::random(chance);
        let file = place.file;
        let keep_size = chance.within(0..2) == 0;
        match chance.within(0..1000) {
            0..160 => Operation::Read(place),
            160..320 => Operation::Write(place),
            320..480 => Operation::ReadMapped(place),
            480..640 => Operation::WriteMapped(place),
            640..720 => Operation::Truncate { file, size: chance.within(0..FILE_BYTES_MAX + 1) },
            720..790 => Operation::Punch(place),
            790..890 => Operation::Zero { place, keep_size },
            890..930 => Operation::Allocate { place, keep_size },
            930..997 => Operation::copy(place, chance),
            997..999 => Operation::SyncMapped { file },
            _ => Operation::Sync { file },
        }
    }

    fn copy(from: Place, chance: &mut Chance) -> Operation {
        let target = Place::random(chance);
        let offset = target.range.start.min(FILE_BYTES_MAX - from.range.len());
        let overlaps = offset < from.range.end && from.range.start < offset + from.range.len();
        let file = match overlaps {
            true => (from.file + 1) % FILES,
            false => target.file,
        };
        Operation::Copy { from, file, offset }
    }
}

impl Place {
    fn random(chance: &mut Chance) -> Place {
        let length = chance.within(1..RANGE_BYTES_MAX + 1);
        let start = chance.within(0..FILE_BYTES_MAX - length + 1);
        Place { file: chance.within(0..FILES), range: start..start + length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_copy_overlaps_itself_and_none_is_too_long() {
        let mut chance = Chance::new(3);
        let copies = std::iter::repeat_with(|| Operation::random(&mut chance)).take(10_000).filter_map(|operation| {
            let Operation::Copy { from, file, offset } = operation else { return None };
            Some((from, file, offset..offset + 1))
        });
        let mut count = 0;
        for (Place { file, range }, target, start) in copies {
            let to = start.start..start.start + range.len();
            assert!(to.end <= FILE_BYTES_MAX);
            assert!(file != target || to.end <= range.start || range.end <= to.start);
            count += 1;
        }
        assert!(count > 100);
    }
}
