//! A set of names in little memory, which may say that it has a name that it has not (Bloom, CACM 1970).
//!
//! For garbage collection that is harmless: a dead block stays until the next collection, whose set has another salt and so
//! errs about other names.

use crate::Name;
use crate::limits::{BLOOM_BITS_PER_BLOCK, BLOOM_BYTES_MAX, BLOOM_PROBES_MAX};
use std::sync::atomic::{AtomicU64, Ordering};

/// The set. Any number of threads may add to it at the same time.
pub(crate) struct Bloom {
    words: Box<[AtomicU64]>,
    probes: u32,
    salt: u64,
}

impl Bloom {
    /// An empty set for about so many names.
    pub(crate) fn new(names: u64, salt: u64) -> Self {
        let bits_max = BLOOM_BYTES_MAX as u64 * 8;
        let words = (names.max(1) * BLOOM_BITS_PER_BLOCK).min(bits_max).div_ceil(64);
        // The number of probes that errs least is ln 2 times the bits for each name.
        let probes = (words * 64 * 69 / 100 / names.max(1)).clamp(1, BLOOM_PROBES_MAX as u64);
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect(), probes: probes as u32, salt }
    }

    /// Adds a name.
    pub(crate) fn insert(&self, name: &Name) {
        for (word, bit) in self.places(name) {
            self.words[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether the name was added. True now and then although it was not; never false although it was.
    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.places(name).all(|(word, bit)| self.words[word].load(Ordering::Relaxed) & bit != 0)
    }

    /// Memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Double hashing (Kirsch, Mitzenmacher, ESA 2006). Names are hashes already; the salt makes them others.
    fn places(&self, name: &Name) -> impl Iterator<Item = (usize, u64)> + '_ {
        let part = |from: usize| u64::from_le_bytes(name.as_bytes()[from..][..8].try_into().expect("eight bytes"));
        let first = mix(part(0) ^ self.salt);
        let step = mix(part(8) ^ self.salt.rotate_left(32)) | 1;
        let bits = self.words.len() as u128 * 64;
        (0..self.probes as u64).map(move |probe| {
            let hash = first.wrapping_add(step.wrapping_mul(probe));
            let bit = ((hash as u128 * bits) >> 64) as u64;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }
}

/// The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
pub(super) fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Block;

    fn name(number: u64) -> Name {
        Block::data(number.to_le_bytes().to_vec().into()).name()
    }

    #[test]
    fn what_was_added_is_there_and_little_else() {
        let bloom = Bloom::new(10_000, 1);
        (0..10_000).for_each(|number| bloom.insert(&name(number)));
        assert!((0..10_000).all(|number| bloom.contains(&name(number))));
        let wrong = (10_000..20_000).filter(|number| bloom.contains(&name(*number))).count();
        assert!(wrong < 100, "{wrong} of 10,000");
    }

    #[test]
    fn another_salt_errs_about_other_names() {
        let set = |salt| {
            let bloom = Bloom { words: (0..1500).map(|_| AtomicU64::new(0)).collect(), probes: 3, salt };
            (0..20_000).for_each(|number| bloom.insert(&name(number)));
            bloom
        };
        let sets = [1, 2, 3].map(set);
        let wrong = |number: &u64| sets.iter().filter(|set| set.contains(&name(*number))).count();
        let counts: Vec<_> = (20_000..30_000).map(|number| wrong(&number)).collect();
        assert!(counts.iter().filter(|count| **count > 0).count() > 2000);
        assert!(counts.iter().filter(|count| **count == 3).count() < 100);
    }

    #[test]
    fn it_never_takes_more_than_its_limit() {
        let bloom = Bloom::new(100_000_000, 0);
        assert_eq!(bloom.memory_bytes(), BLOOM_BYTES_MAX);
        assert_eq!(bloom.probes, 2);
    }
}
