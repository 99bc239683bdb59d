//! Sets of bytes, as ranges.

use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::limits::{FILE_BYTES_MAX, RESERVED_RANGES_MAX, RESERVED_UNIT_BYTES};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Ranges of bytes that neither overlap nor touch, by their starts, with their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the bytes from `from` up to `to`.
    pub(crate) fn add(&mut self, mut from: u64, mut to: u64) {
        let touching: Vec<_> = self.0.range(..=to).filter(|(_, end)| **end >= from).map(|(s, e)| (*s, *e)).collect();
        for (start, end) in touching {
            self.0.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.0.insert(from, to);
    }

    /// Takes the bytes from `from` up to `to` away.
    pub(crate) fn remove(&mut self, from: u64, to: u64) {
        let touched: Vec<_> = self.0.range(..to).filter(|(_, end)| **end > from).map(|(s, e)| (*s, *e)).collect();
        for (start, end) in touched {
            self.0.remove(&start);
            if start < from {
                self.0.insert(start, from);
            }
            if end > to {
                self.0.insert(to, end);
            }
        }
    }

    /// What of the bytes from `from` up to `to` is in it.
    pub(crate) fn within(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> {
        let overlap = move |(start, end): (&u64, &u64)| ((*start).max(from), (*end).min(to));
        self.0.range(..to).map(overlap).filter(|(start, end)| start < end)
    }

    /// The shortest range, if there are more than are kept.
    pub(crate) fn one_too_many(&self) -> Option<(u64, u64)> {
        let shortest = || self.0.iter().min_by_key(|(start, end)| *end - *start).map(|(start, end)| (*start, *end));
        (self.0.len() > RESERVED_RANGES_MAX).then(shortest)?
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(16 * self.0.len());
        for (start, end) in &self.0 {
            bytes.put_u64(*start);
            bytes.put_u64(*end);
        }
        bytes.into()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Parsed<Self> {
        let mut reader = Reader(bytes);
        let (mut ranges, mut last_end) = (BTreeMap::new(), None);
        while !reader.is_empty() {
            let (start, end) = (reader.u64()?, reader.u64()?);
            let is_behind = last_end.is_none_or(|last_end| start > last_end);
            if !is_behind || start >= end || end > FILE_BYTES_MAX + RESERVED_UNIT_BYTES {
                return Err(Malformed::Bytes);
            }
            ranges.insert(start, end);
            last_end = Some(end);
        }
        if ranges.is_empty() { Err(Malformed::Bytes) } else { Ok(Self(ranges)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one_and_what_is_taken_away_splits_them() {
        let mut ranges = Ranges::default();
        [(10, 20), (30, 40), (20, 30), (50, 60)].into_iter().for_each(|(from, to)| ranges.add(from, to));
        assert_eq!(ranges.0, BTreeMap::from([(10, 40), (50, 60)]));
        ranges.remove(15, 55);
        assert_eq!(ranges.0, BTreeMap::from([(10, 15), (55, 60)]));
        assert_eq!(ranges.within(12, 58).collect::<Vec<_>>(), [(12, 15), (55, 58)]);
        assert_eq!(ranges.within(15, 55).count(), 0);
        assert_eq!(Ranges::parse(&ranges.to_bytes()), Ok(ranges));
    }

    #[test]
    fn bytes_that_are_no_ranges_are_refused() {
        let bytes = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        for bad in [&[][..], &[5], &[5, 5], &[5, 9, 9, 12], &[5, 9, 1, 3], &[0, u64::MAX]] {
            assert!(Ranges::parse(&bytes(bad)).is_err(), "{bad:?}");
        }
    }
}
