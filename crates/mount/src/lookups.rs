//! Which inodes the kernel knows.
//!
//! The kernel counts the answers that named an inode and says when it drops them. An inode that lost its last name is reclaimed
//! when the kernel knows it no more: until then somebody may have it open.

use parking_lot::Mutex;
use std::collections::HashMap;
use volume::Inode;

/// Parts, each under its own lock.
const SHARDS: usize = 64;

/// Set in a count when the inode has no name left.
const ORPHAN: u64 = 1 << 63;

/// How often each inode was named to the kernel: 16 bytes for each inode that the kernel keeps.
pub(crate) struct Lookups {
    shards: Box<[Mutex<HashMap<Inode, u64>>]>,
}

impl Lookups {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, inode: Inode) -> &Mutex<HashMap<Inode, u64>> {
        &self.shards[inode.0 as usize % SHARDS]
    }

    /// An answer names the inode.
    pub(crate) fn add(&self, inode: Inode) {
        *self.shard(inode).lock().entry(inode).or_default() += 1;
    }

    /// The kernel drops some answers. Gives whether the inode is to be reclaimed.
    pub(crate) fn forget(&self, inode: Inode, count: u64) -> bool {
        let mut shard = self.shard(inode).lock();
        let Some(known) = shard.get_mut(&inode) else { return false };
        let left = (*known & !ORPHAN).saturating_sub(count);
        if left > 0 {
            *known = *known & ORPHAN | left;
            return false;
        }
        let is_orphan = *known & ORPHAN != 0;
        shard.remove(&inode);
        if shard.capacity() > 4 * shard.len() + 64 {
            shard.shrink_to_fit();
        }
        is_orphan
    }

    /// An inode without a name got one.
    pub(crate) fn adopt(&self, inode: Inode) {
        if let Some(known) = self.shard(inode).lock().get_mut(&inode) {
            *known &= !ORPHAN;
        }
    }

    /// Forgets everything. Gives the inodes that are to be reclaimed.
    pub(crate) fn take_orphans(&self) -> Vec<Inode> {
        let known = self.shards.iter().flat_map(|shard| std::mem::take(&mut *shard.lock()));
        known.filter(|(_, count)| count & ORPHAN != 0).map(|(inode, _)| inode).collect()
    }

    /// The inode lost its last name. Gives whether it is to be reclaimed now.
    pub(crate) fn orphan(&self, inode: Inode) -> bool {
        match self.shard(inode).lock().get_mut(&inode) {
            Some(known) => {
                *known |= ORPHAN;
                false
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_is_reclaimed_when_its_last_lookup_goes() {
        let lookups = Lookups::new();
        lookups.add(Inode(20));
        lookups.add(Inode(20));
        assert!(!lookups.orphan(Inode(20)));
        assert!(!lookups.forget(Inode(20), 1));
        assert!(lookups.forget(Inode(20), 1));
    }

    #[test]
    fn orphans_that_the_kernel_still_knew_are_reclaimed_at_the_end() {
        let lookups = Lookups::new();
        [20, 21].map(Inode).into_iter().for_each(|inode| lookups.add(inode));
        assert!(!lookups.orphan(Inode(21)));
        assert_eq!(lookups.take_orphans(), [Inode(21)]);
        assert!(lookups.take_orphans().is_empty());
    }

    #[test]
    fn an_inode_with_a_name_or_unknown_to_the_kernel_is_not_kept() {
        let lookups = Lookups::new();
        lookups.add(Inode(20));
        assert!(!lookups.forget(Inode(20), 1));
        assert!(lookups.orphan(Inode(21)));
        assert!(!lookups.forget(Inode(22), 1));
    }
}
