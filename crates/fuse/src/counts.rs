//! How many requests of each kind came.
//!
//! Each thread that serves counts for itself, so that counting costs no more than an addition; who asks sums up.

use crate::wire::Opcode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Above every number of a request that is known.
const NUMBERS: usize = 64;

/// One thread's counts, by the request's number.
#[derive(Debug)]
pub(crate) struct Counts([AtomicU64; NUMBERS]);

impl Default for Counts {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; NUMBERS])
    }
}

impl Counts {
    /// Notes a request. Only one thread does so.
    pub(crate) fn add(&self, opcode: Opcode) {
        let count = &self.0[opcode as usize % NUMBERS];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The sums of all threads, by the request's name; only of requests that came.
pub(crate) fn sums<'a>(counts: impl Iterator<Item = &'a Counts> + Clone) -> Vec<(&'static str, u64)> {
    let sum = |opcode: Opcode| {
        let one = |counts: &Counts| counts.0[opcode as usize % NUMBERS].load(Ordering::Relaxed);
        (opcode.name(), counts.clone().map(one).sum())
    };
    Opcode::ALL.iter().copied().map(sum).filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_threads_are_added() {
        let threads = [Counts::default(), Counts::default()];
        threads[0].add(Opcode::Lookup);
        threads[1].add(Opcode::Lookup);
        threads[1].add(Opcode::Statx);
        assert_eq!(sums(threads.iter()), [("Lookup", 2), ("Statx", 1)]);
    }

    #[test]
    fn every_request_has_a_place_of_its_own() {
        assert!(Opcode::ALL.iter().all(|opcode| (*opcode as usize) < NUMBERS));
    }
}
