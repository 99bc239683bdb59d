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
        let before = self.shard(inode).lock().insert(inode, time);
        let added = usize::from(before.is_none());
        let count = self.count.fetch_add(added, Ordering::Relaxed) + added;
        if count == 1 {
            *self.since.lock() = Instant::now();
        }
        count
    }

    /// Somebody has set the time of an inode.
    pub(crate) fn forget(&self, inode: Inode) {
        if !self.is_empty() && self.shard(inode).lock().remove(&inode).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What they were about is not there any more.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let gone = std::mem::take(&mut *shard.lock()).len();
            self.count.fetch_sub(gone, Ordering::Relaxed);
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
        if cannot_change || !which.is_due(&self.existing(inode)?, now) {
            return Ok(());
        }
        let count = self.layers.accesses.note(inode, now);
        // The maintenance thread may sleep.
        if count == 1 || count == ACCESSES_ASIDE_MAX {
            self.shared.wake.wake();
        }
        Ok(())
    }

    /// Makes the times of access that are kept aside changes like any other. They stay aside where nothing can be changed.
    pub fn settle_accesses(&self) -> Result<()> {
        let accesses = &self.layers.accesses;
        for shard in accesses.shards.iter().filter(|_| !accesses.is_empty()) {
            let noted: Vec<_> = shard.lock().iter().map(|(inode, time)| (*inode, *time)).collect();
            for (inode, time) in noted {
                self.settle_access(inode, time)?;
            }
        }
        Ok(())
    }

    fn settle_access(&self, inode: Inode, time: Timestamp) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        if let Some(attributes) = self.layers.attributes(inode)? {
            // As applied; so it is seen all the time.
            let is_newest = attributes.accessed == time;
            if is_newest {
                self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
            }
        }
        let mut shard = self.layers.accesses.shard(inode).lock();
        if shard.get(&inode) == Some(&time) {
            shard.remove(&inode);
            self.layers.accesses.count.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The same if they are many or old, or if the volume rests. Whether anything has changed by that.
    pub(crate) fn consider_accesses(&self, is_at_rest: bool) -> bool {
        let accesses = &self.layers.accesses;
        if accesses.is_empty() || !(is_at_rest || accesses.are_due()) || self.damage().is_some() {
            return false;
        }
        match self.settle_accesses() {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(volume = %self.id, %error, "times of access stay aside");
                false
            }
        }
    }
}
