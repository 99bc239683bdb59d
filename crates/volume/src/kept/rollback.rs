//! Going back, and going on elsewhere: a kept state becomes that of its volume again, or of a new one.

use super::{Kept, KeptRoot, Snapshot, SnapshotError};
use crate::checkpoint::LastCheckpoint;
use crate::journal::Counters;
use crate::root::Root;
use crate::sealed::Sealed;
use crate::{Error, Result, Timestamp, Volume};
use block::{Blocks, Position};
use std::sync::Arc;
use tree::Tree;

impl Volume {
    /// Makes a kept state that of the volume. The state before becomes a snapshot under a name, so nothing is lost. Operations wait
    /// meanwhile: one sees the state before or the state after. Both come into force with one durable root.
    pub fn roll_back(&self, to: &KeptRoot, name_before: &str) -> std::result::Result<Snapshot, SnapshotError> {
        self.settle_accesses();
        {
            // Stays until it is in force.
            let view = self.open_kept(to)?;
            let mut checkpointing = self.begin_checkpoint()?;
            if self.is_replica() {
                return Err(Error::Replica.into());
            }
            let label = self.contents.label(name_before)?;
            self.kept().check_new_name(name_before, &label)?;
            self.checkpoint_replacing(&mut checkpointing, |kept, before| self.rolled_back(kept, before, to, &label))?;
            drop(view);
        }
        self.reclaim_orphans()?;
        self.tell_watchers(|watcher| {
            watcher.state_replaced();
            watcher.snapshots_changed();
        });
        self.snapshot(name_before)
    }

    /// What is kept then, and the root that comes into force, given the one of the state before.
    fn rolled_back(&self, kept: &Kept, before: &Root, to: &KeptRoot, label_before: &str) -> Result<(Kept, Root)> {
        // Numbers of inodes that came since are not given again.
        let next_inode = before.counters.next_inode.max(to.counters.next_inode);
        let counters = Counters { next_inode, ..to.counters };
        let root = Root { tree: to.tree, counters, taken: self.now(), ..before.clone() }.tagged(&self.contents)?;
        let kept = kept.with_snapshot(before, label_before, false)?;
        let kept = if root.tree == before.tree { kept } else { kept.with_history(&root, &[])? };
        Ok((kept, root))
    }

    /// Writes the root of a new volume that begins with a kept state of another one.
    pub(crate) fn begin_with(&self, root: &Root) -> Result<()> {
        let root = root.clone().tagged(&self.contents)?;
        let kept = self.kept().with_history(&root, &[])?;
        let root = Root { kept: kept.root(), ..root };
        let store = &self.shared.store;
        store.append(&root.record(self.id.0))?;
        store.sync()?;
        self.kept.store(Arc::new(kept));
        *self.last_checkpoint.lock() = LastCheckpoint::of(&root, &self.shared);
        Ok(())
    }

    /// Replaces what is in force at once, for all readers: none is between two looks at an inode.
    pub(crate) fn replace_state(&self, root: &Root, kept: Kept) {
        let _readers = self.locks.write_everything();
        self.layers.accesses.clear();
        self.layers.rebase(Tree::new(self.contents.nodes.clone(), root.tree));
        self.counts.set(root.counters);
        self.kept.store(Arc::new(kept));
        *self.last_checkpoint.lock() = LastCheckpoint::of(root, &self.shared);
    }
}

impl KeptRoot {
    /// The root that a new volume begins with.
    pub(crate) fn first_root(&self, taken: Timestamp, replay_from: Position, sealed: Option<Sealed>) -> Root {
        let Self { tree, counters, hash_seed, .. } = *self;
        Root { tree, kept: None, sequence: 0, replay_from, counters, hash_seed, taken, sealed }
    }
}
