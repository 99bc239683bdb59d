//! What a volume keeps of its past: snapshots, which have names, and history, which checkpoints make.
//!
//! Both are **kept roots**, entries of a tree of their own, the kept tree. Its root stands in the volume's root record beside that
//! of the file system, so one durable record changes both together, and links from the newest root record lead to everything
//! that is kept. Its entries are sorted by time; a second entry per snapshot finds it by name.
//!
//! Invariants:
//!
//! - A [`Kept`] is a value: a change gives another one, and only a checkpoint puts that in force.
//! - Each snapshot has exactly one entry by name, and the other way round.
//! - History is the business of checkpoints and of the [`Retention`] alone, snapshots that of whoever made them.
//!
//! What this module deliberately does not know: what is in the trees that it keeps.

mod archive;
mod changes;
mod edited;
mod history;
mod key;
mod labels;
mod meetings;
mod operations;
mod pins;
mod received;
mod retention;
mod rollback;
mod root;
mod schedule;
mod snapshot_name;
mod snapshots;
mod versions;
mod witness;

pub use archive::Archive;
pub use key::KeptId;
pub use meetings::{Meeting, Peer};
pub use retention::{BadRetention, Retention};
pub use root::KeptRoot;
pub(crate) use schedule::SCHEDULE_SETTING;
pub use schedule::Schedule;
pub use snapshots::{Snapshot, SnapshotError, Snapshots};
pub use versions::{Deleted, Version};
pub use witness::{Age, Witness, Witnesses};

use crate::{Error, Result, Timestamp};
pub(crate) use history::Sweep;
pub(crate) use pins::{Going, Pin, Pins};

use block::Name;
use bytes::Bytes;
use changes::Changes;
use std::ops::Bound;
use std::sync::Arc;
use tree::{Nodes, Tree};

/// The setting of a volume that says which history is kept.
pub(crate) const RETENTION_SETTING: &str = "retention";

/// The kept roots of a volume, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    tree: Tree,
}

impl Kept {
    pub(crate) fn new(nodes: Arc<Nodes>, root: Option<Name>) -> Self {
        Self { tree: Tree::new(nodes, root) }
    }

    /// The name of the kept tree's root.
    pub(crate) fn root(&self) -> Option<Name> {
        self.tree.root()
    }

    /// The tree itself.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    fn with(&self, changes: Changes) -> Result<Self> {
        Ok(Self { tree: self.tree.apply(changes.into_edits())? })
    }

    /// A kept root that may have gone since somebody saw it.
    pub(crate) fn get(&self, id: KeptId) -> Result<Option<KeptRoot>> {
        let found = self.tree.get(&id.key())?;
        found.map(|mapped| KeptRoot::parse(id, mapped)).transpose()
    }

    /// The newest kept root that is not newer than a time.
    pub(crate) fn at(&self, time: Timestamp) -> Result<Option<KeptRoot>> {
        let newest = |kind| self.newest(KeptId::last_at(kind, time));
        let (history, snapshot) = (newest(key::Kind::History)?, newest(key::Kind::Snapshot)?);
        Ok(match (history, snapshot) {
            (Some(history), Some(snapshot)) if snapshot.taken() > history.taken() => Some(snapshot),
            (history, snapshot) => history.or(snapshot),
        })
    }

    /// The newest kept root of a kind up to an id.
    fn newest(&self, up_to: KeptId) -> Result<Option<KeptRoot>> {
        let Some((key, mapped)) = self.tree.floor(&up_to.key())? else {
            return Ok(None);
        };
        match KeptId::parse(&key) {
            Some(id) if id.kind == up_to.kind => KeptRoot::parse(id, mapped).map(Some),
            _ => Ok(None),
        }
    }

    /// The kept roots of a kind between two ids, in the order of time.
    fn range(&self, from: KeptId, to: Bound<KeptId>) -> Result<impl Iterator<Item = Result<KeptRoot>> + use<>> {
        let to = to.map(KeptId::key);
        let to = match &to {
            Bound::Unbounded => Bound::Excluded(&from.kind.end()[..]),
            Bound::Included(to) => Bound::Included(&to[..]),
            Bound::Excluded(to) => Bound::Excluded(&to[..]),
        };
        let parse = |entry: tree::Result<(Bytes, Bytes, Option<Name>)>| {
            let (key, value, link) = entry?;
            let id = KeptId::parse(&key).ok_or(Error::Damaged { inode: 0, what: "the key of a kept root" })?;
            KeptRoot::parse(id, (value, link))
        };
        Ok(self.tree.range(&from.key(), to)?.map(parse))
    }

    /// An id for a root of a kind that was taken at a time. The clock may stand still.
    fn free_id(&self, kind: key::Kind, taken: Timestamp) -> Result<KeptId> {
        let last = self.newest(KeptId::last_at(kind, taken))?.map(|root| root.id);
        let last = last.filter(|last| last.taken == taken);
        let number = last.map_or(Some(0), |last| last.number.checked_add(1));
        let number = number.ok_or(Error::NotSupported("so many kept roots of one moment"))?;
        Ok(KeptId { kind, taken, number })
    }
}
