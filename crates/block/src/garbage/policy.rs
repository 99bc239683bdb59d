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
}

/// A segment that a collection may rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) number: u32,
    /// Bytes on the disk.
    pub(super) bytes: u64,
    /// Bytes of frames that are still needed.
    pub(super) live_bytes: u64,
}

/// The segments to rewrite, those first that free most for what is written.
pub(super) fn choose(mut candidates: Vec<Candidate>, thrift: Thrift) -> Vec<Candidate> {
    let percent_max = match thrift {
        Thrift::Usual => LIVE_PERCENT_MAX,
        Thrift::SpaceIsShort => LIVE_PERCENT_MAX_WHEN_SHORT,
        Thrift::SpaceIsOut => LIVE_PERCENT_MAX_WHEN_OUT,
    };
    candidates.retain(|candidate| candidate.live_percent() <= percent_max);
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
        let candidate = |number, live_bytes| Candidate { number, bytes: 1000, live_bytes };
        let all = vec![candidate(1, 500), candidate(2, 0), candidate(3, 750), candidate(4, 751), candidate(5, 501)];
        let numbers = |thrift| choose(all.clone(), thrift).iter().map(|chosen| chosen.number).collect::<Vec<_>>();
        assert_eq!(numbers(Thrift::Usual), [2, 1]);
        assert_eq!(numbers(Thrift::SpaceIsShort), [2, 1, 5, 3]);
        assert_eq!(numbers(Thrift::SpaceIsOut), [2, 1, 5, 3, 4]);
    }
}
