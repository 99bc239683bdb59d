//! A volume and the way into it.

use crate::catalog::{Role, VolumeId, VolumeInfo};
use crate::checkpoint::{Checkpointing, LastCheckpoint};
use crate::commit::Journal;
use crate::inode_locks::InodeLocks;
use crate::journal::Counters;
use crate::kept::{Kept, Pins, Sweep};
use crate::limits::{
    DIRTY_BYTES_COMMIT, DIRTY_BYTES_MAX, INODE_NUMBER_MAX, OVERLAY_BYTES_CHECKPOINT, OVERLAY_BYTES_MAX,
};
use crate::quota::Admissions;
use crate::root::Root;
use crate::shared::Shared;
use crate::view::View;
use crate::watcher::Watchers;
use crate::{Attributes, Error, Inode, Result, Settings, Timestamp};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A file system. What only reads is a [`View`]'s, and a volume has it too.
pub struct Volume {
    pub(crate) id: VolumeId,
    pub(crate) settings: ArcSwap<Settings>,
    view: View,
    pub(crate) shared: Arc<Shared>,
    pub(crate) is_replica: AtomicBool,
    /// Whether a transfer to this replica is under way.
    pub(crate) is_receiving: AtomicBool,
    pub(crate) locks: InodeLocks,
    /// Operations that change something hold it shared; a commit takes it alone, for moments.
    pub(crate) gate: RwLock<()>,
    /// Counts the cuts that commits have made. Data of an earlier epoch never changes in place.
    pub(crate) epoch: AtomicU64,
    pub(crate) counts: Counts,
    pub(crate) admissions: Admissions,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) checkpointing: Mutex<Checkpointing>,
    pub(crate) last_checkpoint: Mutex<LastCheckpoint>,
    /// What the last checkpoint keeps. Only a checkpoint changes it.
    pub(crate) kept: ArcSwap<Kept>,
    pub(crate) sweep: Mutex<Sweep>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) watchers: Watchers,
    /// Held by a rename that moves a directory to another one: only one at a time may change who is below whom.
    pub(crate) moving: Mutex<()>,
    /// Why the volume may not be as it should: its journal is damaged. Then it takes no changes and makes no checkpoints.
    pub(crate) damage: OnceLock<String>,
    /// Of a locked volume: whether the journal has changes behind the root. They come in when it is unlocked.
    pub(crate) has_locked_journal: AtomicBool,
}

/// [`Counters`] that operations change.
pub(crate) struct Counts {
    next_inode: AtomicU64,
    inodes: AtomicU64,
    allocated_bytes: AtomicU64,
    freed_bytes: Arc<AtomicU64>,
}

impl Counts {
    fn new(counters: Counters, freed_bytes: Arc<AtomicU64>) -> Self {
        let counts = Self { next_inode: 0.into(), inodes: 0.into(), allocated_bytes: 0.into(), freed_bytes };
        counts.set(counters);
        counts
    }

    pub(crate) fn set(&self, counters: Counters) {
        self.next_inode.store(counters.next_inode, Ordering::Relaxed);
        self.inodes.store(counters.inodes, Ordering::Relaxed);
        self.allocated_bytes.store(counters.allocated_bytes, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Counters {
        Counters {
            next_inode: self.next_inode.load(Ordering::Relaxed),
            inodes: self.inodes.load(Ordering::Relaxed),
            allocated_bytes: self.allocated_bytes.load(Ordering::Relaxed),
        }
    }

    /// A number that no inode has had; `None` when all are used up.
    pub(crate) fn new_inode(&self) -> Option<Inode> {
        let next = |number| (number < INODE_NUMBER_MAX).then_some(number + 1);
        let number = self.next_inode.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        self.inodes.fetch_add(1, Ordering::Relaxed);
        Some(Inode(number))
    }

    pub(crate) fn inode_gone(&self, attributes: &Attributes) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
        self.allocation_changed(attributes.counted_bytes(), 0);
    }

    pub(crate) fn allocation_changed(&self, before: u64, after: u64) {
        self.allocated_bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        self.freed_bytes.fetch_add(before.saturating_sub(after), Ordering::Relaxed);
    }
}

impl Deref for Volume {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl Volume {
    /// The volume at a root, without what the journal has behind it.
    pub(crate) fn at(info: &VolumeInfo, root: &Root, shared: Arc<Shared>) -> Self {
        let contents = shared.contents_of(info.identity, root.sealed.is_some());
        let freed_bytes = shared.freed_bytes.clone();
        Self {
            id: info.id,
            settings: ArcSwap::from_pointee(info.settings.clone()),
            last_checkpoint: Mutex::new(LastCheckpoint::of(root, &shared)),
            kept: ArcSwap::from_pointee(Kept::new(shared.plain.nodes.clone(), root.kept)),
            sweep: Mutex::default(),
            pins: Arc::default(),
            watchers: Watchers::default(),
            view: View::new(root.tree, root.hash_seed, contents),
            shared,
            is_replica: AtomicBool::new(info.role == Role::Replica),
            is_receiving: AtomicBool::new(false),
            locks: InodeLocks::new(),
            gate: RwLock::new(()),
            epoch: AtomicU64::new(0),
            counts: Counts::new(root.counters, freed_bytes),
            admissions: Admissions::default(),
            journal: Mutex::new(Journal::behind(root.sequence)),
            checkpointing: Mutex::default(),
            moving: Mutex::new(()),
            damage: OnceLock::new(),
            has_locked_journal: AtomicBool::new(false),
        }
    }

    /// Which volume of the pool it is.
    pub fn id(&self) -> VolumeId {
        self.id
    }

    /// What the user has set.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Lets an operation in that changes something. Waits while there is no room for more changes in memory.
    pub(crate) fn begin(&self) -> Result<RwLockReadGuard<'_, ()>> {
        self.check_sound()?;
        self.shared.store.check_writable()?;
        self.make_room()?;
        let gate = self.gate.read();
        if self.is_replica() {
            return Err(Error::Replica);
        }
        if self.contents.is_locked() { Err(block::Error::NoKey.into()) } else { Ok(gate) }
    }

    /// Why the volume is read-only and perhaps not as new as it should be: its journal is damaged.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Whether it is locked and its journal has what its tree does not have.
    pub(crate) fn has_changes_while_locked(&self) -> bool {
        self.contents.is_locked() && self.has_locked_journal.load(Ordering::SeqCst)
    }

    /// Refuses what would change a damaged volume.
    pub(crate) fn check_sound(&self) -> Result<()> {
        match self.damage.get() {
            None => Ok(()),
            Some(reason) => Err(block::Error::ReadOnly { reason: reason.clone() }.into()),
        }
    }

    /// Whether nothing waits for a checkpoint, and no operation is under way that will.
    pub fn is_quiet(&self) -> bool {
        let is_clean = || {
            self.damage.get().is_some() || self.layers.overlay.is_empty() && self.layers.base.load().frozen.is_none()
        };
        self.gate.try_write().is_some_and(|_closed| is_clean())
    }

    /// Bounds what is in memory: beyond a first limit the maintenance thread is woken, beyond a second the caller does the work.
    /// The first change after a quiet time wakes the thread too.
    fn make_room(&self) -> Result<()> {
        let (overlay_bytes, dirty_bytes) = (self.layers.overlay.memory_bytes(), self.shared.budget.bytes());
        if overlay_bytes == 0 || overlay_bytes >= OVERLAY_BYTES_CHECKPOINT || dirty_bytes >= DIRTY_BYTES_COMMIT {
            self.shared.wake.wake();
        }
        if dirty_bytes >= DIRTY_BYTES_MAX {
            self.commit()?;
        }
        if overlay_bytes >= OVERLAY_BYTES_MAX {
            self.checkpoint_changes()?;
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.environment.now()
    }
}
