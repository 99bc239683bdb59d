//! What takes the space, and what comes back.

use super::Books;
use super::chain::Chain;
use super::sums::{NEWEST, Run};
use crate::catalog::VolumeId;
use crate::shared::Shared;
use crate::{KeptId, Pool, PoolError, Timestamp, Volume};
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Where the space of a pool is. Every block that a tree of files leads to counts once, with what it takes in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceUse {
    /// The volumes' states of this moment are in it.
    pub as_of: Timestamp,
    /// Blocks of a newest state, in bytes.
    pub newest_bytes: u64,
    /// Blocks of no newest state that a snapshot keeps, in bytes.
    pub snapshots_bytes: u64,
    /// Blocks that history alone keeps, in bytes.
    pub history_bytes: u64,
    /// Per volume what would come back.
    pub volumes: Vec<VolumeUse>,
}

/// What would come back if parts of a volume were deleted, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeUse {
    /// Which volume.
    pub id: VolumeId,
    /// All that is in the newest state and nowhere else.
    pub newest_bytes: u64,
    /// All snapshots.
    pub snapshots_bytes: u64,
    /// The whole history.
    pub history_bytes: u64,
    /// All snapshots and the whole history.
    pub past_bytes: u64,
    /// The whole volume with its past.
    pub volume_bytes: u64,
}

/// What would come back if one snapshot were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotUse {
    /// Which one.
    pub id: KeptId,
    /// Bytes that nothing else needs.
    pub bytes: u64,
}

impl Pool {
    /// Where the space is, as of the volumes' last checkpoints.
    pub fn space_use(&self) -> Result<SpaceUse, PoolError> {
        Ok(self.with_books(Books::space_use)?)
    }

    /// What each snapshot of a volume keeps alone.
    pub fn snapshot_uses(&self, id: VolumeId) -> Result<Vec<SnapshotUse>, PoolError> {
        Ok(self.with_books(|books| books.snapshot_uses(id))?)
    }

    /// What would come back if these kept roots of a volume went together.
    pub fn freed_by(&self, id: VolumeId, going: &HashSet<KeptId>) -> Result<u64, PoolError> {
        Ok(self.with_books(|books| books.freed(id, |root| root.is_some_and(|root| going.contains(&root)), false))?)
    }

    fn with_books<R>(&self, read: impl FnOnce(&Books) -> R) -> crate::Result<R> {
        let (shared, volumes): (&Shared, Vec<Arc<Volume>>) = self.ledger_parts();
        shared.ledger.with_books(shared, &volumes, read)
    }
}

impl Books {
    fn space_use(&self) -> SpaceUse {
        let snapshots: BTreeMap<u64, Chosen> = self.chosen(|root| root.is_some_and(KeptId::is_snapshot));
        let (mut newest_bytes, mut snapshots_bytes, mut history_bytes) = (0, 0, 0);
        for (runs, bytes) in self.sums.iter() {
            let has_snapshot = |run: &Run| snapshots.get(&run.volume).is_some_and(|chosen| chosen.count(run) > 0);
            *match runs {
                runs if runs.iter().any(|run| run.last == NEWEST) => &mut newest_bytes,
                runs if runs.iter().any(has_snapshot) => &mut snapshots_bytes,
                _ => &mut history_bytes,
            } += bytes;
        }
        let volumes = self.chains.keys().map(|id| self.volume_use(*id)).collect();
        SpaceUse { as_of: self.as_of, newest_bytes, snapshots_bytes, history_bytes, volumes }
    }

    fn volume_use(&self, id: VolumeId) -> VolumeUse {
        VolumeUse {
            id,
            newest_bytes: self.freed(id, |_| false, true),
            snapshots_bytes: self.freed(id, |root| root.is_some_and(KeptId::is_snapshot), false),
            history_bytes: self.freed(id, |root| root.is_some_and(|root| !root.is_snapshot()), false),
            past_bytes: self.freed(id, |root| root.is_some(), false),
            volume_bytes: self.freed(id, |_| true, true),
        }
    }

    fn snapshot_uses(&self, id: VolumeId) -> Vec<SnapshotUse> {
        let Some(chain) = self.chains.get(&id) else { return Vec::new() };
        let snapshot = |(number, key): (&u32, &Bytes)| {
            let root = KeptId::parse(key).filter(|root| root.is_snapshot())?;
            Some((*number, (root, 0)))
        };
        let mut uses: BTreeMap<u32, (KeptId, u64)> = chain.states().iter().filter_map(snapshot).collect();
        for (runs, bytes) in self.sums.iter() {
            if let [Run { volume, first, last }] = runs
                && (*volume, first) == (id.0, last)
                && let Some((_, sum)) = uses.get_mut(first)
            {
                *sum += bytes;
            }
        }
        uses.into_values().map(|(id, bytes)| SnapshotUse { id, bytes }).collect()
    }

    /// Bytes of the blocks all of whose states go. Those of two-way syncs are no kept roots.
    fn freed(&self, id: VolumeId, goes: impl Fn(Option<KeptId>) -> bool, newest_goes: bool) -> u64 {
        let Some(chain) = self.chains.get(&id) else { return 0 };
        let going = Chosen::new(chain, &goes);
        let is_covered = |run: &Run| {
            let is_newest = run.last == NEWEST;
            run.volume == id.0 && (!is_newest || newest_goes) && going.has_all(run)
        };
        self.sums.iter().filter(|(runs, _)| runs.iter().all(is_covered)).map(|(_, bytes)| bytes).sum()
    }

    fn chosen(&self, is_chosen: impl Fn(Option<KeptId>) -> bool) -> BTreeMap<u64, Chosen> {
        self.chains.iter().map(|(id, chain)| (id.0, Chosen::new(chain, &is_chosen))).collect()
    }
}

/// Some of a volume's states, so that they are quickly counted.
struct Chosen {
    numbers: Vec<u32>,
    /// How many of the states before each are chosen; one more than there are states.
    before: Vec<usize>,
}

impl Chosen {
    fn new(chain: &Chain, is_chosen: &impl Fn(Option<KeptId>) -> bool) -> Self {
        let numbers = chain.states().keys().copied().collect();
        let mut before = vec![0];
        for root in chain.states().values() {
            before.push(before[before.len() - 1] + is_chosen(KeptId::parse(root)) as usize);
        }
        Self { numbers, before }
    }

    /// The states of a run, as places in the list.
    fn places(&self, run: &Run) -> (usize, usize) {
        let first = self.numbers.partition_point(|number| *number < run.first);
        (first, self.numbers.partition_point(|number| *number <= run.last).max(first))
    }

    fn count(&self, run: &Run) -> usize {
        let (first, behind) = self.places(run);
        self.before[behind] - self.before[first]
    }

    fn has_all(&self, run: &Run) -> bool {
        let (first, behind) = self.places(run);
        self.count(run) == behind - first
    }
}
