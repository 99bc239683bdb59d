//! Snapshots and history beside the model: what each kept state must show is a copy of the model from its time.

use crate::workload::dump;
use sim::Random;
use std::collections::BTreeMap;
use volume::{Inode, Snapshot, SnapshotError, Timestamp, Volume};

type Dump = Vec<String>;

/// Copies of the model.
#[derive(Clone, Default)]
pub(crate) struct KeptModel {
    /// The snapshots that must be there: what they show, and whether they are held.
    pub(crate) snapshots: BTreeMap<String, (Dump, bool)>,
    /// What a user saw from a second of the clock on.
    states: BTreeMap<i64, Dump>,
}

impl KeptModel {
    /// Takes note of what a user sees from now on. The clock is at `seconds`.
    pub(crate) fn saw(&mut self, seconds: u64, state: Dump) {
        self.states.insert(seconds as i64, state);
    }

    /// Whether a snapshot of a name shows a state.
    pub(crate) fn shows(&self, name: &str, state: &Dump) -> bool {
        self.snapshots.get(name).is_some_and(|(shown, _)| shown == state)
    }

    /// The snapshots that show a state.
    pub(crate) fn names_of<'a>(&'a self, state: &'a Dump) -> impl Iterator<Item = String> + 'a {
        self.snapshots.iter().filter(move |(_, (shown, _))| shown == state).map(|(name, _)| name.clone())
    }

    fn state_at(&self, time: Timestamp) -> &Dump {
        self.states.range(..=time.seconds).next_back().expect("nothing is kept from before the beginning").1
    }

    /// Does one operation on snapshots, with the result that the model expects. Gives the model after it.
    pub(crate) fn step(&self, random: &mut Random, volume: &Volume, now: &Dump) -> Self {
        let name = |random: &mut Random| format!("snapshot{}", random.below(6));
        let (name, other) = (name(random), name(random));
        let is_held = random.percent(20);
        let mut after = self.clone();
        let found = self.snapshots.get(&name).cloned();
        let (result, expected) = match random.below(8) {
            0..=3 => {
                let expected = if found.is_some() { Err("taken") } else { Ok(()) };
                after.snapshots.entry(name.clone()).or_insert((now.clone(), is_held));
                (volume.create_snapshot(&name, is_held).map(drop), expected)
            }
            4 | 5 => {
                let expected = match found {
                    None => Err("missing"),
                    Some((_, true)) => Err("held"),
                    Some((_, false)) => {
                        after.snapshots.remove(&name);
                        Ok(())
                    }
                };
                (volume.delete_snapshot(&name), expected)
            }
            6 => {
                let expected = match found {
                    None => Err("missing"),
                    Some(_) if self.snapshots.contains_key(&other) => Err("taken"),
                    Some(snapshot) => {
                        after.snapshots.remove(&name);
                        after.snapshots.insert(other.clone(), snapshot);
                        Ok(())
                    }
                };
                (volume.rename_snapshot(&name, &other), expected)
            }
            _ => {
                let expected = found.is_some().then_some(()).ok_or("missing");
                after.snapshots.entry(name.clone()).and_modify(|(_, held)| *held = is_held);
                (volume.hold_snapshot(&name, is_held), expected)
            }
        };
        let result = result.map_err(reason);
        assert_eq!(result, expected, "{name}, {other}");
        if result.is_ok() { after } else { self.clone() }
    }

    /// The snapshots of a volume, by what a user sees of them.
    pub(crate) fn found(volume: &Volume) -> BTreeMap<String, (Dump, bool)> {
        let by_time: Vec<Snapshot> = volume.snapshots().unwrap().map(Result::unwrap).collect();
        assert!(by_time.is_sorted_by_key(|snapshot| snapshot.taken));
        let mut names: Vec<_> = by_time.iter().map(|snapshot| snapshot.name.clone()).collect();
        names.sort();
        assert_eq!(volume.snapshot_names("", usize::MAX).unwrap(), names);
        let show = |snapshot: Snapshot| {
            assert_eq!(volume.snapshot(&snapshot.name).unwrap(), snapshot);
            let state = dump(&volume.open_kept(&snapshot.root).unwrap(), Inode::ROOT).unwrap();
            (snapshot.name, (state, snapshot.is_held))
        };
        by_time.into_iter().map(show).collect()
    }

    /// Compares everything that the volume keeps with the copies.
    pub(crate) fn check(&self, volume: &Volume, seconds: u64) {
        assert_eq!(Self::found(volume), self.snapshots);
        let (first, last) = (time(i64::MIN), time(i64::MAX));
        let all: Vec<_> = volume.kept_roots(first, last).unwrap().map(Result::unwrap).collect();
        assert!(all.is_sorted_by_key(|root| root.taken()));
        for root in &all {
            let found = dump(&volume.open_kept(root).unwrap(), Inode::ROOT).unwrap();
            assert_eq!(&found, self.state_at(root.taken()), "the state kept at {}", root.id());
            assert_eq!(volume.kept_root(root.id()).unwrap().as_ref(), Some(root));
        }
        for seconds in 0..seconds as i64 {
            let expected = all.iter().rev().find(|root| root.taken() <= time(seconds));
            assert_eq!(
                volume.kept_at(time(seconds)).unwrap().as_ref().map(|root| root.tree()),
                expected.map(|root| root.tree())
            );
        }
    }
}

pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanoseconds: 0 }
}

fn reason(error: SnapshotError) -> &'static str {
    match error {
        SnapshotError::NameTaken { .. } => "taken",
        SnapshotError::NoSuchSnapshot { .. } => "missing",
        SnapshotError::Held { .. } => "held",
        SnapshotError::BadName { .. } => "bad",
        SnapshotError::InUse { .. } => "in use",
        SnapshotError::Volume(_) => "volume",
    }
}
