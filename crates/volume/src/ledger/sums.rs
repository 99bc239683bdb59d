//! How many bytes lie in blocks of the same stays.

use super::chain::Chain;
use crate::Result;
use crate::catalog::VolumeId;
use crate::codec::{Parsed, Reader, Writer};
use crate::limits::LEDGER_BATCH_BLOCKS;
use block::{Block, Note, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// First byte of the key of a sum.
const SUM: u8 = b't';

/// The number that stands for the newest state.
pub(super) const NEWEST: u32 = u32::MAX;

/// A run of states of a volume that are there: the first and the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) volume: u64,
    pub(super) first: u32,
    pub(super) last: u32,
}

type Key = Arc<[Run]>;

/// The sums, found also by the edges of their runs.
#[derive(Default)]
pub(super) struct Sums {
    bytes: BTreeMap<Key, u64>,
    edges: BTreeSet<(u64, u32, Key)>,
    changed: BTreeSet<Key>,
}

impl Sums {
    pub(super) fn add(&mut self, runs: Vec<Run>, bytes: u64) {
        if runs.is_empty() || bytes == 0 {
            return;
        }
        let key: Key = runs.into();
        for (volume, edge) in edges(&key) {
            self.edges.insert((volume, edge, key.clone()));
        }
        *self.bytes.entry(key.clone()).or_default() += bytes;
        self.changed.insert(key);
    }

    pub(super) fn subtract(&mut self, runs: Vec<Run>, bytes: u64) {
        let key: Key = runs.into();
        let Some(sum) = self.bytes.get_mut(&key) else { return };
        *sum = sum.saturating_sub(bytes);
        if *sum == 0 {
            self.take(&key);
        }
        self.changed.insert(key);
    }

    fn take(&mut self, key: &Key) -> u64 {
        for (volume, edge) in edges(key) {
            self.edges.remove(&(volume, edge, key.clone()));
        }
        self.changed.insert(key.clone());
        self.bytes.remove(key).unwrap_or(0)
    }

    fn at_edge(&self, volume: u64, edge: u32) -> Vec<Key> {
        let from = (volume, edge, Key::from([]));
        let here = self.edges.range(from..).take_while(|(of, at, _)| (*of, *at) == (volume, edge));
        here.map(|(.., key)| key.clone()).collect()
    }

    /// The newest state is kept under a number: what was in none before is in that one.
    pub(super) fn newest_is_kept(&mut self, id: VolumeId, number: u32) {
        let newest = Run { volume: id.0, first: NEWEST, last: NEWEST };
        for key in self.at_edge(id.0, NEWEST) {
            let bytes = self.take(&key);
            let mut runs: Vec<Run> = key.to_vec();
            runs.iter_mut().filter(|run| **run == newest).for_each(|run| run.first = number);
            runs.sort_unstable();
            self.add(runs, bytes);
        }
    }

    /// A state is there no more.
    pub(super) fn state_went(&mut self, id: VolumeId, number: u32, chains: &BTreeMap<VolumeId, Chain>) {
        let Some(chain) = chains.get(&id) else { return };
        for key in self.at_edge(id.0, number) {
            let bytes = self.take(&key);
            let mut runs: Vec<Run> = key
                .iter()
                .filter_map(|run| if run.volume == id.0 { run.narrowed(chain) } else { Some(*run) })
                .collect();
            runs.sort_unstable();
            self.add(runs, bytes);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[Run], u64)> {
        self.bytes.iter().map(|(key, bytes)| (&key[..], *bytes))
    }

    pub(super) fn take_notes(&mut self, notes: &mut Vec<Note>) {
        for runs in std::mem::take(&mut self.changed) {
            let sum = self.bytes.get(&runs).copied();
            notes.push((key(&runs), sum.map(|sum| encode(&runs, sum))));
        }
    }

    /// Those that are noted; `None` if they cannot be read.
    pub(super) fn load(store: &Store) -> Result<Option<Self>> {
        let (mut sums, mut from) = (Self::default(), vec![SUM]);
        loop {
            let notes = store.notes(&from, LEDGER_BATCH_BLOCKS)?;
            for (_, value) in notes.iter().take_while(|(key, _)| key.first() == Some(&SUM)) {
                let Ok((runs, bytes)) = decode(value) else { return Ok(None) };
                sums.add(runs, bytes);
            }
            match notes.last() {
                Some((last, _)) if last.first() == Some(&SUM) => from = [&last[..], &[0]].concat(),
                _ => break,
            }
        }
        sums.changed.clear();
        Ok(Some(sums))
    }
}

impl Run {
    fn narrowed(self, chain: &Chain) -> Option<Self> {
        let kept = chain.narrow(self.first, self.last.saturating_add(1));
        let (first, last) = match (kept, self.last) {
            (Some((first, _)), NEWEST) => (first, NEWEST),
            (None, NEWEST) => (NEWEST, NEWEST),
            (kept, _) => kept?,
        };
        Some(Self { first, last, ..self })
    }
}

/// What a key is found by: where its runs begin and end. Those that go on have no end, so few begin at the newest state.
fn edges(key: &Key) -> impl Iterator<Item = (u64, u32)> {
    let edges = |run: Run| {
        let last = (run.last != NEWEST).then_some(run.last);
        [Some(run.first), last].into_iter().flatten().map(move |edge| (run.volume, edge))
    };
    key.iter().copied().flat_map(edges)
}

/// The runs may be too many for a key of a note, so that has their hash.
fn key(runs: &[Run]) -> Vec<u8> {
    let name = Block::data(encode(runs, 0).into()).name();
    [&[SUM], &name.as_bytes()[..]].concat()
}

fn encode(runs: &[Run], bytes: u64) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_u64(bytes);
    for run in runs {
        value.put_u64(run.volume);
        value.put_u32(run.first);
        value.put_u32(run.last);
    }
    value
}

fn decode(value: &[u8]) -> Parsed<(Vec<Run>, u64)> {
    let (mut reader, mut runs) = (Reader(value), Vec::new());
    let bytes = reader.u64()?;
    while !reader.is_empty() {
        runs.push(Run { volume: reader.u64()?, first: reader.u32()?, last: reader.u32()? });
    }
    Ok((runs, bytes))
}
