//! Which segments are worth rewriting.

use crate::limits::{LIVE_PERCENT_MAX, LIVE_PERCENT_MAX_WHEN_OUT, LIVE_PERCENT_MAX_WHEN_SHORT};

/// How much a collection may write for what it frees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thrift {
    /// At most as much as it frees.
    #[default]
    Usual,
    /// More, since space is short: up to three times what it frees.
    SpaceIsShort,
    /// Much more, since there is none left: up to nine times what it frees.
    SpaceIsOut,
    /// Whatever it takes: nothing that is dead stays, in no segment.
    Purge,
}

/// A segment that a collection may rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) number: u32,
    /// Bytes on the disk.
    pub(super) bytes: u64,
    /// Bytes of frames that are still needed.
    pub(super) live_bytes: u64,
    /// Whether all in it is needed, as far as that was asked.
    pub(super) is_all_alive: bool,
}

/// The segments to rewrite, those first that free most for what is written.
pub(super) fn choose(mut candidates: Vec<Candidate>, thrift: Thrift) -> Vec<Candidate> {
    let percent_max = match thrift {
        Thrift::Usual => LIVE_PERCENT_MAX,
        Thrift::SpaceIsShort => LIVE_PERCENT_MAX_WHEN_SHORT,
        Thrift::SpaceIsOut => LIVE_PERCENT_MAX_WHEN_OUT,
        Thrift::Purge => 100,
    };
    candidates.retain(|candidate| candidate.live_percent() <= percent_max && !candidate.is_all_alive);
    candidates.sort_by_key(|candidate| (candidate.live_percent(), candidate.number));
    candidates
}

impl Candidate {
    fn live_percent(&self) -> u64 {
        (self.live_bytes * 100).div_ceil(self.bytes.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emptiest_come_first_and_the_fuller_ones_only_when_space_is_short() {
        let candidate = |number, live_bytes| Candidate { number, bytes: 1000, live_bytes, is_all_alive: false };
        let all = vec![candidate(1, 500), candidate(2, 0), candidate(3, 750), candidate(4, 751), candidate(5, 501)];
        let numbers = |thrift| choose(all.clone(), thrift).iter().map(|chosen| chosen.number).collect::<Vec<_>>();
        assert_eq!(numbers(Thrift::Usual), [2, 1]);
        assert_eq!(numbers(Thrift::SpaceIsShort), [2, 1, 5, 3]);
        assert_eq!(numbers(Thrift::SpaceIsOut), [2, 1, 5, 3, 4]);
        let mut all = vec![candidate(1, 999), candidate(2, 1000), candidate(3, 1000)];
        all[2].is_all_alive = true;
        assert_eq!(choose(all, Thrift::Purge).iter().map(|chosen| chosen.number).collect::<Vec<_>>(), [1, 2]);
    }
}
