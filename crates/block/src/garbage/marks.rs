//! What a collection has found alive.

use super::bloom::Bloom;
use super::places::Places;
use crate::limits::REVIVED_MAX;
use crate::{Location, Name, Position};
use parking_lot::Mutex;

/// Marks on the blocks that lie below a place of the log. What lies behind it was put since and is alive.
pub(crate) struct Marks {
    /// Where the log ended when the collection began.
    pub(crate) start: Position,
    /// Marked blocks without links.
    leaves: Bloom,
    /// Marked blocks with links: what they link to is marked, or is going to be. Exact, since a block that wrongly passes for
    /// marked would hide what lies below it.
    inner: Mutex<Places>,
    /// Blocks with links that were put again although nothing had marked them: they are alive, and are still to be followed.
    revived: Mutex<Vec<Name>>,
}

impl Marks {
    /// No marks yet, for a store with so many blocks.
    pub(crate) fn new(start: Position, blocks: u64, salt: u64) -> Self {
        Self { start, leaves: Bloom::new(blocks, salt), inner: Mutex::default(), revived: Mutex::default() }
    }

    /// Marks a block that the collection came to. True if it has links that have not been followed.
    pub(crate) fn mark(&self, name: &Name, location: &Location) -> bool {
        if location.has_links {
            return self.inner.lock().insert(location.position);
        }
        if location.position < self.start {
            self.leaves.insert(name);
        }
        false
    }

    /// Marks a block that is put again, while the collection is still marking. False if there is no room to remember it: then it
    /// has to be written anew.
    pub(crate) fn revive(&self, name: &Name, location: &Location) -> bool {
        if location.position >= self.start {
            return true;
        }
        if !location.has_links {
            self.leaves.insert(name);
            return true;
        }
        if self.inner.lock().contains(location.position) {
            return true;
        }
        let mut revived = self.revived.lock();
        let has_room = revived.len() < REVIVED_MAX;
        if has_room {
            revived.push(*name);
        }
        has_room
    }

    /// Takes the blocks that were revived since the last call.
    pub(crate) fn take_revived(&self) -> Vec<Name> {
        std::mem::take(&mut self.revived.lock())
    }

    /// Whether a block is alive, once all is marked.
    pub(crate) fn is_alive(&self, name: &Name, location: &Location) -> bool {
        location.position >= self.start
            || if location.has_links {
                self.inner.lock().contains(location.position)
            } else {
                self.leaves.contains(name)
            }
    }

    /// Memory that the marks take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.leaves.memory_bytes() + self.inner.lock().memory_bytes()
    }
}
