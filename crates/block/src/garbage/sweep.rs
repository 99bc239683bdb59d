//! The sweep: one pass over the index, which removes what is not marked.

use super::Alive;
use super::marks::Marks;
use crate::limits::{SWEEP_STEP_ENTRIES_FIRST, SWEEP_STEP_ENTRIES_MAX};
use crate::{Blocks, IndexUpdate, Location, Name, Position, Result, Store};
use std::collections::BTreeMap;

/// A pass that is under way.
pub(super) struct Sweep {
    /// Where it goes on.
    next: Name,
    /// Entries of the next step. It doubles up to a limit: so a small store too is swept in several steps, and tests come between.
    entries: usize,
    /// Bytes of the frames in each segment that stay in the index.
    pub(super) live_bytes: BTreeMap<u32, u64>,
}

impl Sweep {
    /// A pass from the first name on. Everything below the collection's start is in the index then, and the index says that it
    /// is being swept.
    pub(super) fn begin(store: &Store, start: Position) -> Result<Self> {
        store.sync()?;
        store.flush_index()?;
        let turn = store.indexed.turn();
        let whole_from = start.max(store.indexed.whole_from());
        store.apply_to_index(&turn, &IndexUpdate { whole_from, ..store.unchanged() })?;
        let next = Name::from_bytes([0; Name::BYTES]);
        Ok(Self { next, entries: SWEEP_STEP_ENTRIES_FIRST, live_bytes: BTreeMap::new() })
    }

    /// Goes on; false when the pass has ended.
    pub(super) fn step(&mut self, store: &Store, marks: &Marks, alive: &Alive) -> Result<bool> {
        let turn = store.indexed.turn();
        let entries = store.index.scan(&self.next, self.entries)?;
        let next = entries.last().and_then(|(name, _)| successor(name));
        let mut update = store.unchanged();
        entries.iter().for_each(|entry| self.judge(store, marks, entry, &mut update));
        let is_end = entries.len() < self.entries || next.is_none();
        if is_end {
            update.whole_from = Position::START;
            update.removed_streams =
                store.roots.others_below(|stream| alive.streams.contains_key(&stream), marks.start);
        }
        if is_end || !update.removed.is_empty() {
            store.apply_to_index(&turn, &update)?;
        }
        if is_end {
            store.roots.forget(&update.removed_streams);
            store.garbage.barrier.end();
        }
        self.next = next.unwrap_or(self.next);
        self.entries = SWEEP_STEP_ENTRIES_MAX.min(self.entries * 2);
        Ok(!is_end)
    }

    fn judge(&mut self, store: &Store, marks: &Marks, entry: &(Name, Location), update: &mut IndexUpdate) {
        let (name, location) = entry;
        let bytes = location.frame_bytes() as u64;
        let is_alive = marks.is_alive(name, location);
        store.report(|progress| {
            let (blocks, sum) = match is_alive {
                true => (&mut progress.live_blocks, &mut progress.live_bytes),
                false => (&mut progress.dead_blocks, &mut progress.dead_bytes),
            };
            *blocks += 1;
            *sum += bytes;
        });
        if is_alive {
            *self.live_bytes.entry(location.position.segment()).or_default() += bytes;
        } else {
            update.removed.push(*name);
            update.totals.remove(location);
        }
    }
}

/// The name behind another one; `None` behind the last.
fn successor(name: &Name) -> Option<Name> {
    let mut bytes = *name.as_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(Name::from_bytes(bytes));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_one_another_as_numbers_do() {
        let name = |last: [u8; 2]| {
            let mut bytes = [7; Name::BYTES];
            bytes[Name::BYTES - 2..].copy_from_slice(&last);
            Name::from_bytes(bytes)
        };
        assert_eq!(successor(&name([3, 4])), Some(name([3, 5])));
        assert_eq!(successor(&name([3, 255])), Some(name([4, 0])));
        assert_eq!(successor(&Name::from_bytes([255; Name::BYTES])), None);
    }
}
