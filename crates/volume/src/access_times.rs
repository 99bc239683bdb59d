//! Times of last access.
//!
//! To read a tree must not have all of its inodes written anew while somebody waits for what is read. So the times are kept aside, and
//! become changes like any other when the volume rests, when they are many or old, before anything that looks at a whole state (a
//! snapshot, a mirror, the end of the node) and by sync(2). A crash may lose those that are aside.

use crate::change::Change;
use crate::limits::{ACCESS_TIME_AGE_MAX, ACCESSES_ASIDE_MAX, ACCESSES_ASIDE_TIME, OVERLAY_SHARDS};
use crate::{Attributes, Inode, InodeFlags, Result, Timestamp, Volume};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Which reads set the time of last access (mount(8)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessTimes {
    /// None (`noatime`).
    Never,
    /// The first one after a change, and one a day (`relatime`).
    #[default]
    Relative,
    /// All (`strictatime`).
    Always,
}

impl AccessTimes {
    fn is_due(self, attributes: &Attributes, now: Timestamp) -> bool {
        let Attributes { accessed, modified, changed, .. } = attributes;
        if attributes.flags.contains(InodeFlags::NO_ACCESS_TIME) {
            return false;
        }
        match self {
            Self::Never => false,
            Self::Always => now != *accessed,
            Self::Relative => {
                let age_seconds = now.seconds.saturating_sub(accessed.seconds);
                modified >= accessed || changed >= accessed || age_seconds >= ACCESS_TIME_AGE_MAX.as_secs() as i64
            }
        }
    }
}

/// Times that no record has yet, by inode. One counts if it is later than the record's.
pub(crate) struct Accesses {
    shards: Box<[Mutex<HashMap<Inode, Timestamp>>]>,
    count: AtomicUsize,
    /// Since when there are any.
    since: Mutex<Instant>,
}

impl Accesses {
    pub(crate) fn new() -> Self {
        let shards = (0..OVERLAY_SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, count: AtomicUsize::new(0), since: Mutex::new(Instant::now()) }
    }

    fn shard(&self, inode: Inode) -> &Mutex<HashMap<Inode, Timestamp>> {
        &self.shards[inode.0 as usize % OVERLAY_SHARDS]
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Brings the time of an inode, if there is one, into its attributes.
    pub(crate) fn apply(&self, inode: Inode, attributes: &mut Attributes) {
        if self.is_empty() {
            return;
        }
        if let Some(time) = self.shard(inode).lock().get(&inode) {
            attributes.accessed = attributes.accessed.max(*time);
        }
    }

    /// How many there are now.
    fn note(&self, inode: Inode, time: Timestamp) -> usize {
        let mut shard = self.shard(inode).lock();
        // Counted under the lock, like all that go: so there are never fewer than none.
        let added = usize::from(shard.insert(inode, time).is_none());
        let count = self.count.fetch_add(added, Ordering::Relaxed) + added;
        if count == 1 {
            *self.since.lock() = Instant::now();
        }
        count
    }

    /// Drops the time of an inode, or only if it is this one.
    fn remove(&self, inode: Inode, only: Option<Timestamp>) {
        let mut shard = self.shard(inode).lock();
        let goes = |time: &Timestamp| only.is_none_or(|only| only == *time);
        if shard.get(&inode).is_some_and(goes) {
            shard.remove(&inode);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Somebody has set the time of an inode.
    pub(crate) fn forget(&self, inode: Inode) {
        if !self.is_empty() {
            self.remove(inode, None);
        }
    }

    /// What they were about is not there any more.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            self.count.fetch_sub(std::mem::take(&mut *shard).len(), Ordering::Relaxed);
        }
    }

    /// Whether they should not wait longer.
    fn are_due(&self) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        count >= ACCESSES_ASIDE_MAX || count > 0 && self.since.lock().elapsed() >= ACCESSES_ASIDE_TIME
    }
}

impl Volume {
    /// Notes that somebody has read an inode: a file's content, a directory's entries, a link's target.
    pub fn accessed(&self, inode: Inode, which: AccessTimes) -> Result<()> {
        let now = self.now();
        let cannot_change = self.is_replica() || self.damage().is_some();
        // Nobody settles them where the disk takes no writes.
        let is_full = self.layers.accesses.count.load(Ordering::Relaxed) >= 2 * ACCESSES_ASIDE_MAX;
        if cannot_change || is_full || !which.is_due(&self.existing(inode)?, now) {
            return Ok(());
        }
        let count = self.layers.accesses.note(inode, now);
        // The maintenance thread may sleep.
        if count == 1 || count == ACCESSES_ASIDE_MAX {
            self.shared.wake.wake();
        }
        Ok(())
    }

    /// Makes the times of access that are kept aside changes like any other; whether there were any. They stay aside where nothing
    /// can be changed.
    pub fn settle_accesses(&self) -> bool {
        let accesses = &self.layers.accesses;
        if accesses.is_empty() {
            return false;
        }
        let settle = |shard: &Mutex<HashMap<Inode, Timestamp>>| {
            let noted: Vec<_> = shard.lock().iter().map(|(inode, time)| (*inode, *time)).collect();
            noted.into_iter().try_for_each(|(inode, time)| self.settle_access(inode, time))
        };
        let settled = accesses.shards.iter().try_for_each(settle);
        if let Err(error) = &settled {
            tracing::debug!(volume = %self.id, %error, "times of access stay aside");
        }
        settled.is_ok()
    }

    fn settle_access(&self, inode: Inode, time: Timestamp) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        // The time is seen in them already, and so all the while, unless somebody has set another one.
        if let Some(attributes) = self.layers.attributes(inode)?.filter(|attributes| attributes.accessed == time) {
            self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        }
        self.layers.accesses.remove(inode, Some(time));
        Ok(())
    }

    /// The same if they are many or old.
    pub(crate) fn settle_accesses_if_due(&self) {
        if self.layers.accesses.are_due() {
            self.settle_accesses();
        }
    }
}
