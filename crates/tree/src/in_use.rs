//! Which trees somebody has in hand.
//!
//! A tree is a value that may be read long after nothing else leads to it: by whoever lists an old state, or reads while a change is
//! made. Its nodes are no garbage until then.

use block::Name;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The roots of trees that are in use, with how often.
#[derive(Default)]
pub(crate) struct TreesInUse(Mutex<BTreeMap<Name, usize>>);

/// Keeps a root among those in use.
pub(crate) struct InUse {
    trees: Arc<TreesInUse>,
    root: Name,
}

impl TreesInUse {
    pub(crate) fn add(self: &Arc<Self>, root: Name) -> InUse {
        *self.0.lock().entry(root).or_default() += 1;
        InUse { trees: self.clone(), root }
    }

    pub(crate) fn roots(&self) -> Vec<Name> {
        self.0.lock().keys().copied().collect()
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut trees = self.trees.0.lock();
        if let Some(count) = trees.get_mut(&self.root) {
            *count -= 1;
            if *count == 0 {
                trees.remove(&self.root);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_in_use_until_the_last_one_is_dropped() {
        let trees = Arc::new(TreesInUse::default());
        let (one, other) = (Name::from_bytes([1; Name::BYTES]), Name::from_bytes([2; Name::BYTES]));
        let (first, second, third) = (trees.add(one), trees.add(one), trees.add(other));
        drop(first);
        assert_eq!(trees.roots(), [one, other]);
        drop((second, third));
        assert!(trees.roots().is_empty());
    }
}
