//! The leaves that threads looked into last. What is looked up next is often in the same one, and is found there without going down
//! from the root: of a node of some KiB, a search reads lines of memory all over it.

use crate::limits::{FINGER_THREADS, FINGERS_PER_THREAD};
use crate::node::Node;
use block::Name;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Some threads share a place when there are many.
pub(crate) struct Fingers([Mutex<Fingered>; FINGER_THREADS]);

#[derive(Default)]
struct Fingered {
    leaves: [Option<Finger>; FINGERS_PER_THREAD],
    /// The one that is forgotten next.
    next: usize,
}

/// A leaf of a tree.
struct Finger {
    root: Name,
    leaf: Arc<Node>,
}

impl Default for Fingers {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed) % FINGER_THREADS;
}

impl Fingers {
    /// The leaf that a key belongs to, if it is at hand.
    pub(crate) fn leaf_of(&self, root: &Name, key: &[u8]) -> Option<Arc<Node>> {
        let fingered = THREAD.with(|thread| self.0[*thread].lock());
        let is_it = |finger: &&Finger| {
            let leaf = &finger.leaf;
            finger.root == *root && leaf.key(0) <= key && key <= leaf.key(leaf.len() - 1)
        };
        fingered.leaves.iter().flatten().find(is_it).map(|finger| finger.leaf.clone())
    }

    /// Remembers a leaf of a tree.
    pub(crate) fn point_to(&self, root: Name, leaf: Arc<Node>) {
        let mut fingered = THREAD.with(|thread| self.0[*thread].lock());
        let next = fingered.next;
        fingered.leaves[next] = Some(Finger { root, leaf });
        fingered.next = (next + 1) % FINGERS_PER_THREAD;
    }

    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|fingered| *fingered.lock() = Fingered::default());
    }
}
