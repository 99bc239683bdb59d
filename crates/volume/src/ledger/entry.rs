//! What the ledger knows of a block.

use super::chain::Chain;
use super::sums::{NEWEST, Run};
use crate::catalog::VolumeId;
use crate::codec::{Parsed, Reader, Writer};
use std::collections::BTreeMap;

/// In which states a block is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// What it takes in the log.
    pub(super) bytes: u64,
    /// In the order in which they began, those of a volume behind one another.
    stays: Vec<Stay>,
}

/// A run of states that a block is in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stay {
    volume: u64,
    /// The first state.
    from: u32,
    /// Behind the last state; [`NEWEST`] while it is in the state at the cursor.
    behind: u32,
    /// Places in the tree at the cursor.
    places: u64,
}

impl Entry {
    /// Takes note that in the state `number` the block has more places in the volume's tree, or fewer. `None` if it cannot be so.
    pub(super) fn change(&mut self, volume: VolumeId, number: u32, places: i64) -> Option<()> {
        let is_of = |stay: &&mut Stay| stay.volume == volume.0;
        let open = self.stays.iter_mut().filter(is_of).find(|stay| stay.behind == NEWEST);
        let Some(stay) = open else {
            let places = u64::try_from(places).ok()?;
            match self.stays.iter_mut().filter(is_of).find(|stay| stay.behind == number) {
                Some(stay) => (stay.behind, stay.places) = (NEWEST, places),
                None => self.stays.push(Stay { volume: volume.0, from: number, behind: NEWEST, places }),
            }
            return Some(());
        };
        stay.places = stay.places.checked_add_signed(places)?;
        if stay.places == 0 {
            stay.behind = number;
        }
        self.stays.retain(|stay| stay.from < stay.behind);
        Some(())
    }

    /// Drops stays of which no state is left.
    pub(super) fn forget_what_went(&mut self, chains: &BTreeMap<VolumeId, Chain>) {
        self.stays.retain(|stay| stay.run(chains).is_some() || is_at_edge(stay, chains));
    }

    /// The stays as far as their states are still there.
    pub(super) fn key(&self, chains: &BTreeMap<VolumeId, Chain>) -> Vec<Run> {
        let mut runs: Vec<Run> = self.stays.iter().filter_map(|stay| stay.run(chains)).collect();
        runs.sort_unstable();
        runs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stays.is_empty()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::new();
        value.put_u64(self.bytes);
        for stay in &self.stays {
            value.put_u64(stay.volume);
            value.put_u32(stay.from);
            value.put_u32(stay.behind);
            value.put_u64(stay.places);
        }
        value
    }

    pub(super) fn decode(value: &[u8]) -> Parsed<Self> {
        let mut reader = Reader(value);
        let mut entry = Self { bytes: reader.u64()?, stays: Vec::new() };
        while !reader.is_empty() {
            let (volume, from, behind) = (reader.u64()?, reader.u32()?, reader.u32()?);
            entry.stays.push(Stay { volume, from, behind, places: reader.u64()? });
        }
        Ok(entry)
    }
}

/// Whether a stay ended at the state that is being gone to: a later part of the same step may go on with it.
fn is_at_edge(stay: &Stay, chains: &BTreeMap<VolumeId, Chain>) -> bool {
    chains.get(&VolumeId(stay.volume)).is_some_and(|chain| chain.next == stay.behind)
}

impl Stay {
    fn run(&self, chains: &BTreeMap<VolumeId, Chain>) -> Option<Run> {
        let chain = chains.get(&VolumeId(self.volume))?;
        let kept = chain.narrow(self.from, self.behind);
        let (first, last) = match (kept, self.behind) {
            (Some((first, _)), NEWEST) => (first, NEWEST),
            (None, NEWEST) => (NEWEST, NEWEST),
            (kept, _) => kept?,
        };
        Some(Run { volume: self.volume, first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_goes_and_comes_back_in_one_step_never_went() {
        let mut entry = Entry::default();
        entry.change(VolumeId(1), 3, 2).unwrap();
        let before = entry.clone();
        entry.change(VolumeId(1), 5, -2).unwrap();
        assert_ne!(entry, before);
        entry.change(VolumeId(1), 5, 2).unwrap();
        assert_eq!(entry, before);
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn a_block_without_places_cannot_lose_one() {
        assert_eq!(Entry::default().change(VolumeId(1), 0, -1), None);
    }
}
