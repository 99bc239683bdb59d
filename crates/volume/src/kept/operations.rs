//! What a volume does with its kept roots.
//!
//! Whatever changes them is a checkpoint: it takes the newest state with it and makes both durable in one root record, with one
//! fdatasync. Writers go on meanwhile. The root's second copy is left to the maintenance thread.

use super::{Going, Kept, KeptId, KeptRoot, RETENTION_SETTING, Retention, Snapshot, SnapshotError, Snapshots};
use crate::limits::UNPIN_TIME_MAX;
use crate::root::Root;
use crate::view::View;
use crate::{Error, Result, Timestamp, Volume};
use std::sync::Arc;

type SnapshotResult<T> = std::result::Result<T, SnapshotError>;

impl Volume {
    /// Keeps the state of this moment under a name: everything that was done before the call, of the whole volume.
    pub fn create_snapshot(&self, name: &str, is_held: bool) -> SnapshotResult<Snapshot> {
        self.settle_accesses();
        {
            let mut checkpointing = self.begin_checkpoint()?;
            let label = self.contents.label(name)?;
            self.kept().check_new_name(name, &label)?;
            self.checkpoint_keeping(&mut checkpointing, |kept, root| kept.with_snapshot(root, &label, is_held))?;
        }
        self.snapshots_changed();
        self.snapshot(name)
    }

    /// Forgets a snapshot. One that is held stays, and one that somebody reads.
    pub fn delete_snapshot(&self, name: &str) -> SnapshotResult<()> {
        let id = self.labelled_snapshot(name)?.root.id;
        self.tell_watchers(|watcher| watcher.drop_unused_views(id));
        if !self.pins.wait_unpinned(id, UNPIN_TIME_MAX) {
            return Err(SnapshotError::InUse { name: name.into() });
        }
        {
            let mut checkpointing = self.begin_checkpoint()?;
            let snapshot = self.labelled_snapshot(name)?;
            let (_going, pinned) = self.pins.let_go([snapshot.root.id]);
            match snapshot.is_held {
                true => return Err(SnapshotError::Held { name: name.into() }),
                false if !pinned.is_empty() => return Err(SnapshotError::InUse { name: name.into() }),
                false => {}
            }
            self.checkpoint_keeping(&mut checkpointing, |kept, _| kept.without_snapshot(&snapshot))?;
        }
        self.snapshots_changed();
        Ok(())
    }

    /// Gives a snapshot another name.
    pub fn rename_snapshot(&self, name: &str, new_name: &str) -> SnapshotResult<()> {
        {
            let mut checkpointing = self.begin_checkpoint()?;
            let snapshot = self.labelled_snapshot(name)?;
            let label = self.contents.label(new_name)?;
            self.kept().check_new_name(new_name, &label)?;
            let keep = |kept: &Kept, _: &Root| kept.with_snapshot_renamed(&snapshot, &label);
            self.checkpoint_keeping(&mut checkpointing, keep)?;
        }
        self.snapshots_changed();
        Ok(())
    }

    /// Says whether a snapshot may be deleted.
    pub fn hold_snapshot(&self, name: &str, is_held: bool) -> SnapshotResult<()> {
        let mut checkpointing = self.begin_checkpoint()?;
        let snapshot = self.labelled_snapshot(name)?;
        let keep = |kept: &Kept, _: &Root| kept.with_snapshot_held(&snapshot, is_held);
        self.checkpoint_keeping(&mut checkpointing, keep)?;
        self.shared.wake.wake();
        Ok(())
    }

    fn snapshots_changed(&self) {
        self.shared.wake.wake();
        self.tell_watchers(|watcher| watcher.snapshots_changed());
    }

    /// Forgets the older half of the history, since the disk is full. False if there was nothing to forget.
    pub(crate) fn halve_history(&self) -> Result<bool> {
        let mut checkpointing = self.begin_checkpoint()?;
        let going = self.kept().older_half()?;
        if going.is_empty() {
            return Ok(false);
        }
        tracing::warn!(volume = %self.id, roots = going.len(), "the disk is full: old history goes");
        self.checkpoint_keeping(&mut checkpointing, |kept, _| kept.without_old_history(&going))?;
        Ok(true)
    }

    /// The snapshots, the oldest first.
    pub fn snapshots(&self) -> Result<Snapshots> {
        self.snapshots_since(Timestamp::FIRST)
    }

    /// Up to a number of the names of snapshots, in their order, behind one or (behind "") from the first.
    pub fn snapshot_names(&self, behind: &str, count: usize) -> Result<Vec<String>> {
        self.contents.names(&self.kept(), behind, count)
    }

    /// The snapshot with a name.
    pub fn snapshot(&self, name: &str) -> SnapshotResult<Snapshot> {
        Ok(self.contents.named_snapshot(self.labelled_snapshot(name)?))
    }

    fn labelled_snapshot(&self, name: &str) -> SnapshotResult<Snapshot> {
        self.contents.find(&self.kept(), name)
    }

    /// The newest kept root that is not newer than a time; `None` before the first.
    pub fn kept_at(&self, time: Timestamp) -> Result<Option<KeptRoot>> {
        Ok(self.kept().at(time)?.map(|root| self.contents.named(root)))
    }

    /// A kept root, if it is still there.
    pub fn kept_root(&self, id: KeptId) -> Result<Option<KeptRoot>> {
        Ok(self.kept().get(id)?.map(|root| self.contents.named(root)))
    }

    /// The kept roots from one time up to another, both included: snapshots and history, the oldest first, as they were when the
    /// listing began.
    pub fn kept_roots(&self, from: Timestamp, to: Timestamp) -> Result<impl Iterator<Item = Result<KeptRoot>> + use<>> {
        let contents = self.contents.clone();
        Ok(self.kept().roots(from, to)?.map(move |root| Ok(contents.named(root?))))
    }

    /// The snapshots from a time on, the oldest first.
    pub fn snapshots_since(&self, time: Timestamp) -> Result<Snapshots> {
        let contents = self.contents.clone();
        let named = move |snapshot: Result<Snapshot>| Ok(contents.named_snapshot(snapshot?));
        Ok(Snapshots(Box::new(self.kept().snapshots_since(time)?.map(named))))
    }

    /// The state that a kept root stands for; `NotFound` if it is not kept any more. It stays until the view is dropped.
    pub fn open_kept(&self, root: &KeptRoot) -> Result<View> {
        let pin = self.pins.pin(root.id).ok_or(Error::NotFound)?;
        match self.kept().get(root.id)? {
            Some(kept) => {
                self.check_kept(&kept)?;
                Ok(View::of_kept(&kept, pin, self.contents.clone()))
            }
            None => Err(Error::NotFound),
        }
    }

    /// Refuses a kept state of an encrypted volume that nobody with the key made.
    pub(crate) fn check_kept(&self, root: &KeptRoot) -> Result<()> {
        let encryption = self.contents.encryption.as_ref();
        encryption.map_or(Ok(()), |encryption| encryption.check(&root.tagged(), root.tag.as_ref()))
    }

    /// Which history is kept. What a newer program set and this one cannot read keeps everything.
    pub fn retention(&self) -> Retention {
        let settings = self.settings.load();
        settings.get(RETENTION_SETTING).parse().unwrap_or_else(|error| {
            tracing::error!(volume = %self.id, %error, "all history is kept");
            Retention::everything()
        })
    }

    /// The history, the oldest first, and whether a retention would keep each.
    pub fn retention_effect(&self, retention: &Retention) -> Result<Vec<(KeptRoot, bool)>> {
        self.kept().retention_effect(retention, self.now())
    }

    pub(crate) fn kept(&self) -> Arc<Kept> {
        self.kept.load_full()
    }

    /// What is kept once the state of a checkpoint is there too, and what goes of the history. A checkpoint that changed nothing
    /// adds nothing.
    pub(crate) fn kept_after(&self, root: &Root) -> Result<(Kept, Option<Going<'_>>)> {
        let kept = self.kept();
        if root.tree == self.last_checkpoint.lock().tree {
            return Ok((Kept::clone(&kept), None));
        }
        let going = self.sweep_history(&kept, root.taken)?;
        Ok((kept.with_history(root, going.ids())?, Some(going)))
    }

    /// Some of what the retention does not keep, and nobody reads.
    pub(crate) fn sweep_history(&self, kept: &Kept, now: Timestamp) -> Result<Going<'_>> {
        let swept = kept.swept(&self.retention(), now, &mut self.sweep.lock())?;
        let (going, pinned) = self.pins.let_go(swept);
        for id in pinned {
            self.tell_watchers(|watcher| watcher.drop_unused_views(id));
        }
        Ok(going)
    }
}
