//! Blocks that are in the log and not yet in the index.

use crate::limits::RECENT_SHARDS;
use crate::{Location, Name, Position, Totals};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A block in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it lies.
    pub(crate) location: Location,
    /// Whether it was there before, elsewhere in the log, and is counted already.
    pub(crate) is_copy: bool,
}

impl Entry {
    /// Adds the entry to sums.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        if !self.is_copy {
            totals.add(&self.location);
        }
    }
}

/// A map from names to entries, in parts with a lock each.
#[derive(Default)]
pub(crate) struct Recent {
    shards: [Mutex<HashMap<Name, Entry>>; RECENT_SHARDS],
    count: AtomicUsize,
}

impl Recent {
    /// The block with this name.
    pub(crate) fn get(&self, name: &Name) -> Option<Entry> {
        self.shard(name).lock().get(name).copied()
    }

    /// Adds a block.
    pub(crate) fn insert(&self, name: Name, entry: Entry) {
        if self.shard(&name).lock().insert(name, entry).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A block's frame was written anew elsewhere. If the block was found in another place before, it stays there.
    pub(crate) fn moved(&self, name: Name, from: Position, to: Entry) {
        let mut shard = self.shard(&name).lock();
        if let Some(entry) = shard.get_mut(&name)
            && entry.location.position == from
        {
            *entry = Entry { is_copy: entry.is_copy, ..to };
        }
    }

    /// How many blocks there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The blocks that lie below a position.
    pub(crate) fn below(&self, position: Position) -> Vec<(Name, Entry)> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let durable = shard.iter().filter(|(_, entry)| entry.location.position < position);
            entries.extend(durable.map(|(name, entry)| (*name, *entry)));
        }
        entries
    }

    /// Forgets the blocks that lie below a position.
    pub(crate) fn forget_below(&self, position: Position) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.len();
            shard.retain(|_, entry| entry.location.position >= position);
            self.count.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    /// Adds all blocks to sums.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        for shard in &self.shards {
            shard.lock().values().for_each(|entry| entry.add_to(totals));
        }
    }

    fn shard(&self, name: &Name) -> &Mutex<HashMap<Name, Entry>> {
        &self.shards[name.as_bytes()[0] as usize % RECENT_SHARDS]
    }
}
