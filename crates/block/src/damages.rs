//! Blocks that are known to be damaged.
//!
//! Such a block counts as not there: putting it again writes it anew, and that heals it.

use crate::Name;
use crate::limits::DAMAGED_BLOCKS_MAX;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A block that cannot be had although it should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedBlock {
    /// Its name.
    pub name: Name,
    /// What is wrong with it, and where it lies.
    pub what: String,
}

/// The damaged blocks of a store that somebody came across, up to a number.
#[derive(Default)]
pub(crate) struct Damages {
    known: RwLock<BTreeMap<Name, String>>,
    /// How many there are, for those who only want to know whether there is any.
    count: AtomicUsize,
}

impl Damages {
    /// Takes note of one. True if it was not known.
    pub(crate) fn note(&self, name: Name, what: &str) -> bool {
        let mut known = self.known.write();
        if known.len() >= DAMAGED_BLOCKS_MAX {
            return false;
        }
        let is_new = known.insert(name, what.to_owned()).is_none();
        self.count.store(known.len(), Ordering::Release);
        is_new
    }

    /// A block was written anew. True if it was known to be damaged.
    pub(crate) fn forget(&self, name: &Name) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut known = self.known.write();
        let was_known = known.remove(name).is_some();
        self.count.store(known.len(), Ordering::Release);
        was_known
    }

    /// Whether a block is known to be damaged.
    pub(crate) fn contains(&self, name: &Name) -> bool {
        !self.is_empty() && self.known.read().contains_key(name)
    }

    /// All of them, in the order of their names.
    pub(crate) fn list(&self) -> Vec<DamagedBlock> {
        let known = self.known.read();
        known.iter().map(|(name, what)| DamagedBlock { name: *name, what: what.clone() }).collect()
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}
