//! The newest root of each stream.

use crate::Position;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the newest root record of each stream lies, and which roots the index does not know yet.
pub(crate) struct Roots {
    known: Mutex<Known>,
    changes: AtomicU64,
}

struct Known {
    newest: BTreeMap<u64, Position>,
    unindexed: BTreeMap<Position, u64>,
}

impl Roots {
    /// The roots that the index knows.
    pub(crate) fn new(indexed: impl IntoIterator<Item = (u64, Position)>) -> Self {
        Self {
            known: Mutex::new(Known { newest: indexed.into_iter().collect(), unindexed: BTreeMap::new() }),
            changes: AtomicU64::new(1),
        }
    }

    /// Takes note of a root that was written. Writers may come in another order than the log's.
    pub(crate) fn insert(&self, stream: u64, position: Position) {
        self.changes.fetch_add(1, Ordering::Release);
        let mut known = self.known.lock();
        known.unindexed.insert(position, stream);
        let newest = known.newest.entry(stream).or_insert(position);
        *newest = position.max(*newest);
    }

    /// The newest root of a stream.
    pub(crate) fn newest(&self, stream: u64) -> Option<Position> {
        self.known.lock().newest.get(&stream).copied()
    }

    /// Goes up with each change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The streams that have a root, in order.
    pub(crate) fn streams(&self) -> Vec<u64> {
        self.known.lock().newest.keys().copied().collect()
    }

    /// The streams that are not alive, and whose newest roots lie below a position.
    pub(crate) fn others_below(&self, is_alive: impl Fn(u64) -> bool, position: Position) -> Vec<u64> {
        let known = self.known.lock();
        let dead = known.newest.iter().filter(|(stream, newest)| !is_alive(**stream) && **newest < position);
        dead.map(|(stream, _)| *stream).collect()
    }

    /// Forgets streams.
    pub(crate) fn forget(&self, streams: &[u64]) {
        let mut known = self.known.lock();
        known.newest.retain(|stream, _| !streams.contains(stream));
    }

    /// The roots below a position that the index does not know, in log order.
    pub(crate) fn unindexed_below(&self, position: Position) -> Vec<(u64, Position)> {
        let known = self.known.lock();
        known.unindexed.range(..position).map(|(position, stream)| (*stream, *position)).collect()
    }

    /// Forgets the roots from a position on. A stream whose newest one is among them has the one before, if that is not in the
    /// index yet; the caller inserts what there is instead.
    pub(crate) fn forget_from(&self, position: Position) {
        let mut known = self.known.lock();
        known.unindexed.split_off(&position);
    }

    /// The index knows the roots below a position now.
    pub(crate) fn forget_below(&self, position: Position) {
        let mut known = self.known.lock();
        known.unindexed = known.unindexed.split_off(&position);
    }
}
