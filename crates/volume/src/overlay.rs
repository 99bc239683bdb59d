//! Changes since the last checkpoint, in memory above the tree.
//!
//! The overlay is cut into shards by inode number, each under its own lock, which is held for moments and never over I/O. All
//! records of an inode are in one shard. What belongs together across inodes is the business of the inode locks and of the gate
//! (see `volume`): here a change is one record.

use crate::Inode;
use crate::change::Change;
use crate::dirty_inode::DirtyInode;
use crate::limits::OVERLAY_SHARDS;
use block::Name;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Inodes = HashMap<Inode, DirtyInode>;

/// The layer that operations change.
pub(crate) struct Overlay {
    shards: Box<[Mutex<Shard>]>,
    memory_bytes: AtomicU64,
}

#[derive(Default)]
struct Shard {
    /// Shared only while a freeze hands it on.
    inodes: Arc<Inodes>,
    /// Inodes with changes that the journal does not have.
    pending: Vec<Inode>,
}

/// A layer that a checkpoint is bringing into the tree. Nothing changes it any more.
pub(crate) struct FrozenOverlay {
    shards: Box<[Arc<Inodes>]>,
}

impl Shard {
    fn inodes_mut(&mut self) -> &mut Inodes {
        Arc::get_mut(&mut self.inodes).expect("a freeze gives every shard a new map before the gate opens again")
    }
}

fn shard_of(inode: Inode) -> usize {
    inode.0 as usize % OVERLAY_SHARDS
}

impl Overlay {
    pub(crate) fn new() -> Self {
        Self { shards: (0..OVERLAY_SHARDS).map(|_| Mutex::default()).collect(), memory_bytes: AtomicU64::new(0) }
    }

    /// Applies one change that the journal does not have yet.
    pub(crate) fn change(&self, inode: Inode, change: Change) {
        self.apply(inode, change, false);
    }

    /// Applies one change that comes from the journal.
    pub(crate) fn replay(&self, inode: Inode, change: Change) {
        self.apply(inode, change, true);
    }

    fn apply(&self, inode: Inode, change: Change, is_in_journal: bool) {
        let mut shard = self.shards[shard_of(inode)].lock();
        let dirty = shard.inodes_mut().entry(inode).or_default();
        let before = dirty.memory_bytes();
        let is_first = dirty.apply(change, is_in_journal);
        self.memory_bytes.fetch_add(dirty.memory_bytes().wrapping_sub(before), Ordering::Relaxed);
        if is_first {
            shard.pending.push(inode);
        }
    }

    /// Says that the layers below have nothing of an inode.
    pub(crate) fn make(&self, inode: Inode) {
        self.shards[shard_of(inode)].lock().inodes_mut().entry(inode).or_default().is_new = true;
    }

    /// Looks at what has changed of an inode.
    pub(crate) fn look<R>(&self, inode: Inode, look: impl FnOnce(&DirtyInode) -> R) -> Option<R> {
        self.shards[shard_of(inode)].lock().inodes.get(&inode).map(look)
    }

    /// What the changes take in memory, about, without file data.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing has changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.memory_bytes() == 0
    }

    /// Shows the blocks that changes refer to. The gate is closed.
    pub(crate) fn visit_blocks(&self, visit: &mut dyn FnMut(Name)) {
        for shard in &self.shards {
            shard.lock().inodes.values().for_each(|dirty| dirty.visit_blocks(visit));
        }
    }

    /// Takes what changed since the last commit. Nothing may change the overlay meanwhile: the gate is closed.
    pub(crate) fn take_pending(&self) -> Vec<(Inode, Change)> {
        let mut changes = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            for inode in std::mem::take(&mut shard.pending) {
                if let Some(dirty) = shard.inodes_mut().get_mut(&inode) {
                    dirty.take_pending(inode, &mut changes);
                }
            }
        }
        changes
    }

    /// Hands everything on and leaves the overlay empty. The gate is closed, and what was pending has been taken. Readers need
    /// no gate: `publish` makes the records visible below before they vanish here.
    pub(crate) fn freeze(&self, publish: impl FnOnce(Arc<FrozenOverlay>)) -> Arc<FrozenOverlay> {
        let frozen = Arc::new(FrozenOverlay { shards: self.shards.iter().map(|s| s.lock().inodes.clone()).collect() });
        publish(frozen.clone());
        for shard in &self.shards {
            shard.lock().inodes = Arc::default();
        }
        self.memory_bytes.store(0, Ordering::Relaxed);
        frozen
    }
}

impl FrozenOverlay {
    /// What has changed of an inode.
    pub(crate) fn get(&self, inode: Inode) -> Option<&DirtyInode> {
        self.shards[shard_of(inode)].get(&inode)
    }

    /// Shows the blocks that changes refer to.
    pub(crate) fn visit_blocks(&self, visit: &mut dyn FnMut(Name)) {
        self.shards.iter().flat_map(|shard| shard.values()).for_each(|dirty| dirty.visit_blocks(visit));
    }

    /// All changed inodes, in the order of their numbers.
    pub(crate) fn in_order(&self) -> Vec<(Inode, &DirtyInode)> {
        let mut inodes: Vec<_> =
            self.shards.iter().flat_map(|shard| shard.iter()).map(|(inode, dirty)| (*inode, dirty)).collect();
        inodes.sort_unstable_by_key(|(inode, _)| *inode);
        inodes
    }
}
