//! What a volume does with its kept roots.
//!
//! Whatever changes them is a checkpoint: it takes the newest state with it and makes both durable in one root record. Writers go
//! on meanwhile.

use super::{Kept, KeptId, KeptRoot, RETENTION_SETTING, Retention, Snapshot, SnapshotError, Snapshots};
use crate::root::Root;
use crate::view::View;
use crate::{Result, Timestamp, Volume};
use std::sync::Arc;

type SnapshotResult<T> = std::result::Result<T, SnapshotError>;

impl Volume {
    /// Keeps the state of this moment under a name: everything that was done before the call, of the whole volume.
    pub fn create_snapshot(&self, name: &str, is_held: bool) -> SnapshotResult<Snapshot> {
        let mut checkpointing = self.begin_checkpoint()?;
        self.kept().check_new_name(name)?;
        self.checkpoint_keeping(&mut checkpointing, |kept, root| kept.with_snapshot(root, name, is_held))?;
        self.kept().snapshot(name)
    }

    /// Forgets a snapshot. One that is held stays.
    pub fn delete_snapshot(&self, name: &str) -> SnapshotResult<()> {
        self.change_snapshot(name, |kept, snapshot| match snapshot.is_held {
            true => Err(SnapshotError::Held { name: name.into() }),
            false => Ok(kept.without_snapshot(snapshot)?),
        })
    }

    /// Gives a snapshot another name.
    pub fn rename_snapshot(&self, name: &str, new_name: &str) -> SnapshotResult<()> {
        self.change_snapshot(name, |kept, snapshot| {
            kept.check_new_name(new_name)?;
            Ok(kept.with_snapshot_renamed(snapshot, new_name)?)
        })
    }

    /// Says whether a snapshot may be deleted.
    pub fn hold_snapshot(&self, name: &str, is_held: bool) -> SnapshotResult<()> {
        self.change_snapshot(name, |kept, snapshot| Ok(kept.with_snapshot_held(snapshot, is_held)?))
    }

    fn change_snapshot(
        &self,
        name: &str,
        change: impl Fn(&Kept, &Snapshot) -> SnapshotResult<Kept>,
    ) -> SnapshotResult<()> {
        let mut checkpointing = self.begin_checkpoint()?;
        let snapshot = self.kept().snapshot(name)?;
        change(&self.kept(), &snapshot)?;
        let keep = |kept: &Kept, _: &_| {
            change(kept, &snapshot).map_err(|error| match error {
                SnapshotError::Volume(error) => error,
                _ => unreachable!("it was tried before, and a checkpoint adds nothing but history"),
            })
        };
        Ok(self.checkpoint_keeping(&mut checkpointing, keep)?)
    }

    /// The snapshots, the oldest first.
    pub fn snapshots(&self) -> Result<Snapshots> {
        self.kept().snapshots()
    }

    /// Up to a number of the names of snapshots, in their order, behind one or (behind "") from the first.
    pub fn snapshot_names(&self, behind: &str, count: usize) -> Result<Vec<String>> {
        self.kept().snapshot_names(behind, count)
    }

    /// The snapshot with a name.
    pub fn snapshot(&self, name: &str) -> SnapshotResult<Snapshot> {
        self.kept().snapshot(name)
    }

    /// The newest kept root that is not newer than a time; `None` before the first.
    pub fn kept_at(&self, time: Timestamp) -> Result<Option<KeptRoot>> {
        self.kept().at(time)
    }

    /// A kept root, if it is still there.
    pub fn kept_root(&self, id: KeptId) -> Result<Option<KeptRoot>> {
        self.kept().get(id)
    }

    /// The kept roots from one time up to another, both included: snapshots and history, the oldest first, as they were when the
    /// listing began.
    pub fn kept_roots(&self, from: Timestamp, to: Timestamp) -> Result<impl Iterator<Item = Result<KeptRoot>> + use<>> {
        self.kept().roots(from, to)
    }

    /// The state that a kept root stands for.
    pub fn open_kept(&self, root: &KeptRoot) -> View {
        View::of_kept(root, self.shared.clone())
    }

    /// Which history is kept. What a newer program set and this one cannot read keeps everything.
    pub fn retention(&self) -> Retention {
        let settings = self.settings.load();
        settings.get(RETENTION_SETTING).parse().unwrap_or_else(|error| {
            tracing::error!(volume = %self.id, %error, "all history is kept");
            Retention::everything()
        })
    }

    pub(crate) fn kept(&self) -> Arc<Kept> {
        self.kept.load_full()
    }

    /// What is kept once the state of a checkpoint is there too. One that changed nothing adds nothing.
    pub(crate) fn kept_after(&self, root: &Root) -> Result<Kept> {
        let kept = self.kept();
        if root.tree == self.last_checkpoint.lock().tree {
            return Ok(Kept::clone(&kept));
        }
        kept.with_history(root, &self.retention(), &mut self.sweep.lock())
    }
}
