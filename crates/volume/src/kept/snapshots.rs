//! Snapshots: kept roots with names.

use super::changes::Changes;
use super::key::{self, KeptId, Kind};
use super::root::KeptRoot;
use super::{Kept, snapshot_name};
use crate::root::Root;
use crate::{Error, Result, Timestamp};
use block::Name;
use bytes::Bytes;
use std::ops::Bound;

/// A snapshot, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The name.
    pub name: String,
    /// When the state was that of the volume.
    pub taken: Timestamp,
    /// Whether it must not be deleted.
    pub is_held: bool,
    /// The state.
    pub root: KeptRoot,
}

impl Snapshot {
    pub(super) fn of(root: KeptRoot) -> Self {
        Self { name: root.name.clone(), taken: root.taken(), is_held: root.is_held, root }
    }
}

/// The snapshots of a volume, the oldest first, as they were when the listing began. They are read as it goes on.
pub struct Snapshots(pub(super) Box<dyn Iterator<Item = Result<Snapshot>> + Send>);

impl Iterator for Snapshots {
    type Item = Result<Snapshot>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

/// Why something about a snapshot failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A snapshot has the name already.
    #[error("there is a snapshot {name} already; choose another name, or delete or rename that one")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No snapshot has the name.
    #[error("there is no snapshot {name}; `pantala snapshot list` shows all")]
    NoSuchSnapshot {
        /// The name.
        name: String,
    },
    /// The name cannot be a snapshot's.
    #[error("{name:?} cannot be a snapshot's name: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The snapshot is held.
    #[error("the snapshot {name} is held; `pantala snapshot release {name}` lets it be deleted")]
    Held {
        /// The name.
        name: String,
    },
    /// Somebody reads the snapshot.
    #[error("the snapshot {name} is in use: somebody has a file open in it, or works in one of its directories")]
    InUse {
        /// The name.
        name: String,
    },
    /// The volume failed.
    #[error(transparent)]
    Volume(#[from] Error),
}

impl From<tree::Error> for SnapshotError {
    fn from(error: tree::Error) -> Self {
        Self::Volume(error.into())
    }
}

impl Kept {
    /// The snapshot with a name.
    pub(crate) fn snapshot(&self, name: &str) -> std::result::Result<Snapshot, SnapshotError> {
        let no_such = || SnapshotError::NoSuchSnapshot { name: name.into() };
        if name.len() > crate::limits::SNAPSHOT_LABEL_BYTES_MAX {
            return Err(no_such());
        }
        let (key, _) = self.tree.get(&key::by_name(name))?.ok_or_else(no_such)?;
        let damaged = || Error::Damaged { inode: 0, what: "the name of a snapshot" };
        let id = KeptId::parse(&key).ok_or_else(damaged)?;
        Ok(Snapshot::of(self.get(id)?.ok_or_else(damaged)?))
    }

    pub(crate) fn snapshots_since(&self, time: Timestamp) -> Result<Snapshots> {
        let roots = self.range(KeptId::first_at(Kind::Snapshot, time), Bound::Unbounded)?;
        Ok(Snapshots(Box::new(roots.map(|root| root.map(Snapshot::of)))))
    }

    /// Up to a number of the names of snapshots, in their order, behind one or from the first.
    pub(crate) fn snapshot_names(&self, behind: &str, count: usize) -> Result<Vec<String>> {
        let from = key::by_name(behind);
        let names = self.tree.range(&from, Bound::Excluded(&key::end_of_names()))?;
        let parse = |entry: tree::Result<(Bytes, Bytes, Option<Name>)>| {
            let (key, ..) = entry?;
            let name = key::parse_name(&key).ok_or(Error::Damaged { inode: 0, what: "the name of a snapshot" })?;
            Ok(name.to_owned())
        };
        let names = names.map(parse).filter(|name| name.as_ref().ok().is_none_or(|name| name != behind));
        names.take(count).collect()
    }

    /// Refuses what cannot be the name of a new snapshot, with its label.
    pub(crate) fn check_new_name(&self, name: &str, label: &str) -> std::result::Result<(), SnapshotError> {
        snapshot_name::check(name).map_err(|why| SnapshotError::BadName { name: name.into(), why })?;
        match self.tree.get(&key::by_name(label))? {
            Some(_) => Err(SnapshotError::NameTaken { name: name.into() }),
            None => Ok(()),
        }
    }

    /// With a snapshot of a state. Its name was checked.
    pub(crate) fn with_snapshot(&self, root: &Root, name: &str, is_held: bool) -> Result<Self> {
        let id = self.free_id(Kind::Snapshot, root.taken)?;
        let mut changes = Changes::default();
        changes.put(&KeptRoot::of(root, id, name, is_held));
        changes.put_name(name, id);
        self.with(changes)
    }

    /// Without a snapshot.
    pub(crate) fn without_snapshot(&self, snapshot: &Snapshot) -> Result<Self> {
        let mut changes = Changes::default();
        changes.delete(snapshot.root.id);
        changes.delete_name(&snapshot.name);
        self.with(changes)
    }

    /// With a snapshot under another name, which was checked.
    pub(crate) fn with_snapshot_renamed(&self, snapshot: &Snapshot, name: &str) -> Result<Self> {
        let mut changes = Changes::default();
        changes.delete_name(&snapshot.name);
        changes.put_name(name, snapshot.root.id);
        changes.put(&KeptRoot { name: name.into(), ..snapshot.root.clone() });
        self.with(changes)
    }

    /// With a snapshot held or not.
    pub(crate) fn with_snapshot_held(&self, snapshot: &Snapshot, is_held: bool) -> Result<Self> {
        let mut changes = Changes::default();
        changes.put(&KeptRoot { is_held, ..snapshot.root.clone() });
        self.with(changes)
    }
}
