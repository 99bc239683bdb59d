//! Records that follow from who wrote them and in which place, so that a file of them can be checked byte by byte.

use crate::real::chance::Chance;
use anyhow::{Result, bail};
use std::collections::BTreeMap;

const CONTENT_BYTES_MAX: usize = 3000;
/// Where the kernel may cut a write in two (`fuse_fill_write_pages`: behind a page that it has not read).
const PAGE_BYTES: usize = 4096;

/// The record that a writer writes in a place, counted from 1.
pub(super) fn record(writer: u32, number: u64) -> Vec<u8> {
    let mut chance = Chance::new(number << 8 | u64::from(writer));
    let length = 1 + chance.within(0..CONTENT_BYTES_MAX);
    [&writer.to_le_bytes()[..], &number.to_le_bytes(), &chance.bytes(length)].concat()
}

/// How many records of each writer a file holds. Fails unless each writer's are there from the first on, in order, with nothing
/// between or behind them. Only the last may be cut, and only where the kernel cuts a write.
pub(super) fn count(bytes: &[u8], writers: &[u32]) -> Result<BTreeMap<u32, u64>> {
    let mut counts: BTreeMap<u32, u64> = writers.iter().map(|writer| (*writer, 0)).collect();
    let mut rest = bytes;
    while !rest.is_empty() {
        let next = counts.iter().map(|(writer, count)| (*writer, record(*writer, count + 1)));
        let next: Vec<(u32, Vec<u8>)> = next.collect();
        if let Some((writer, record)) = next.iter().find(|(_, record)| rest.starts_with(record)) {
            counts.entry(*writer).and_modify(|count| *count += 1);
            rest = &rest[record.len()..];
            continue;
        }
        let is_cut = bytes.len().is_multiple_of(PAGE_BYTES) && next.iter().any(|(_, record)| record.starts_with(rest));
        match is_cut {
            true => break,
            false => bail!("no record that comes next is at byte {} of {}", bytes.len() - rest.len(), bytes.len()),
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_two_writers_are_counted() {
        let file = [record(1, 1), record(2, 1), record(1, 2)].concat();
        assert_eq!(count(&file, &[1, 2]).unwrap(), BTreeMap::from([(1, 2), (2, 1)]));
        assert_eq!(count(&[], &[1]).unwrap(), BTreeMap::from([(1, 0)]));
    }

    #[test]
    fn a_hole_garbage_and_a_torn_record_are_noticed() {
        let is_noticed = |file: &[u8]| count(file, &[1]).is_err();
        assert!(is_noticed(&[record(1, 1), record(1, 3)].concat()), "a hole");
        assert!(is_noticed(&record(1, 2)), "the first is missing");
        assert!(is_noticed(&[record(1, 1), vec![0; 4096]].concat()), "zeros");
        let mut garbage = record(1, 1);
        garbage[15] ^= 1;
        assert!(is_noticed(&garbage), "garbage");
        let torn = record(1, 1);
        assert!(is_noticed(&torn[..torn.len() - 1]), "torn anywhere");
    }

    #[test]
    fn the_last_record_may_be_cut_between_two_pages() {
        let file: Vec<u8> = (1..=10).flat_map(|number| record(1, number)).collect();
        let counts = count(&file[..2 * PAGE_BYTES], &[1]).unwrap();
        assert!((1..10).contains(&counts[&1]));
    }
}
