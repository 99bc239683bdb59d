//! Which inodes the kernel knows.
//!
//! The kernel counts the answers that named an inode and says when it drops them. An inode that lost its last name is reclaimed
//! when the kernel knows it no more: until then somebody may have it open.

use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use volume::Inode;

/// Parts, each under its own lock.
const SHARDS: usize = 64;

/// Inodes whose counts lie together. Inodes that are made together are looked up together.
const PAGE_INODES: usize = 64;

/// In a page: the count is among the high ones.
const HIGH: u8 = u8::MAX;

/// How often each inode was named to the kernel. A byte for each inode and little more, since the kernel may keep millions: one
/// that keeps a single inode of each page costs a page for each.
pub(crate) struct Lookups {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    pages: HashMap<u64, [u8; PAGE_INODES]>,
    /// Counts that are too high for a byte.
    high: HashMap<Inode, u64>,
    /// Inodes that the kernel knows and that have no name left.
    orphans: HashSet<Inode>,
}

fn place(inode: Inode) -> (u64, usize) {
    (inode.0 / PAGE_INODES as u64, inode.0 as usize % PAGE_INODES)
}

impl Shard {
    fn count(&self, inode: Inode) -> u64 {
        let (page, slot) = place(inode);
        match self.pages.get(&page).map_or(0, |page| page[slot]) {
            HIGH => self.high.get(&inode).copied().unwrap_or(HIGH as u64),
            count => count as u64,
        }
    }

    fn set(&mut self, inode: Inode, count: u64) {
        let (number, slot) = place(inode);
        let page = self.pages.entry(number).or_insert([0; PAGE_INODES]);
        page[slot] = count.min(HIGH as u64) as u8;
        if count >= HIGH as u64 {
            self.high.insert(inode, count);
            return;
        }
        let is_empty = count == 0 && page.iter().all(|count| *count == 0);
        self.high.remove(&inode);
        if is_empty {
            self.pages.remove(&number);
            self.shrink();
        }
    }

    fn known(&self) -> Vec<Inode> {
        let of_page = |(number, page): (&u64, &[u8; PAGE_INODES])| {
            let first = number * PAGE_INODES as u64;
            let slots = page.iter().enumerate().filter(|(_, count)| **count > 0);
            slots.map(move |(slot, _)| Inode(first + slot as u64)).collect::<Vec<_>>()
        };
        self.pages.iter().flat_map(of_page).collect()
    }

    fn shrink(&mut self) {
        if self.pages.capacity() > 4 * self.pages.len() + 64 {
            self.pages.shrink_to_fit();
        }
    }
}

impl Lookups {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, inode: Inode) -> &Mutex<Shard> {
        &self.shards[place(inode).0 as usize % SHARDS]
    }

    /// An answer names the inode.
    pub(crate) fn add(&self, inode: Inode) {
        let mut shard = self.shard(inode).lock();
        let count = shard.count(inode);
        shard.set(inode, count + 1);
    }

    /// The kernel drops some answers. Gives whether the inode is to be reclaimed.
    pub(crate) fn forget(&self, inode: Inode, count: u64) -> bool {
        let mut shard = self.shard(inode).lock();
        let left = shard.count(inode).saturating_sub(count);
        shard.set(inode, left);
        left == 0 && shard.orphans.remove(&inode)
    }

    /// An inode without a name got one.
    pub(crate) fn adopt(&self, inode: Inode) {
        self.shard(inode).lock().orphans.remove(&inode);
    }

    /// Forgets everything. Gives the inodes that are to be reclaimed.
    pub(crate) fn take_orphans(&self) -> Vec<Inode> {
        self.shards.iter().flat_map(|shard| std::mem::take(&mut *shard.lock()).orphans).collect()
    }

    /// Whether the kernel knows an inode.
    pub(crate) fn is_known(&self, inode: Inode) -> bool {
        self.shard(inode).lock().count(inode) > 0
    }

    /// All inodes that the kernel knows. The top directory is always among them: nobody looks it up.
    pub(crate) fn known(&self) -> Vec<Inode> {
        let looked_up = self.shards.iter().flat_map(|shard| shard.lock().known());
        std::iter::once(Inode::ROOT).chain(looked_up).collect()
    }

    /// The inode lost its last name. Gives whether it is to be reclaimed now.
    pub(crate) fn orphan(&self, inode: Inode) -> bool {
        let mut shard = self.shard(inode).lock();
        let is_known = shard.count(inode) > 0;
        if is_known {
            shard.orphans.insert(inode);
        }
        !is_known
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
    fn all_inodes_that_the_kernel_knows_are_given_with_the_top_directory() {
        let lookups = Lookups::new();
        [20, 21, 5000].map(Inode).into_iter().for_each(|inode| lookups.add(inode));
        lookups.forget(Inode(21), 1);
        let mut known = lookups.known();
        known.sort();
        assert_eq!(known, [1, 20, 5000].map(Inode));
    }

    #[test]
    fn an_inode_with_a_name_or_unknown_to_the_kernel_is_not_kept() {
        let lookups = Lookups::new();
        lookups.add(Inode(20));
        assert!(!lookups.forget(Inode(20), 1));
        assert!(lookups.orphan(Inode(21)));
        assert!(!lookups.forget(Inode(22), 1));
    }

    #[test]
    fn counts_are_exact_however_high() {
        let lookups = Lookups::new();
        (0..1000).for_each(|_| lookups.add(Inode(20)));
        assert!(!lookups.orphan(Inode(20)));
        for count in [1, 743, 1, 1, 253] {
            assert!(!lookups.forget(Inode(20), count));
        }
        assert!(lookups.forget(Inode(20), 1));
    }

    #[test]
    fn nothing_is_kept_of_inodes_that_the_kernel_forgot() {
        let lookups = Lookups::new();
        (16..10_000).map(Inode).for_each(|inode| lookups.add(inode));
        (16..10_000).map(Inode).for_each(|inode| assert!(!lookups.forget(inode, 1)));
        for shard in &lookups.shards {
            let pages = &shard.lock().pages;
            assert!(pages.is_empty() && pages.capacity() <= 256);
        }
    }
}

#[cfg(all(test, feature = "shuttle"))]
mod schedules {
    use super::*;
    use parking_lot::shuttle::{check_random, thread};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const INODE: Inode = Inode(20);

    /// Its last name goes while the kernel drops one answer, and gets and drops another one.
    #[test]
    fn an_inode_is_reclaimed_once_whoever_is_first() {
        let run = || {
            let lookups = Arc::new(Lookups::new());
            lookups.add(INODE);
            let reclaimed = Arc::new(AtomicUsize::new(0));
            let spawn = |work: fn(&Lookups) -> bool| {
                let (lookups, reclaimed) = (lookups.clone(), reclaimed.clone());
                thread::spawn(move || {
                    reclaimed.fetch_add(work(&lookups) as usize, Ordering::Relaxed);
                })
            };
            let threads = [
                spawn(|lookups| lookups.orphan(INODE)),
                spawn(|lookups| lookups.forget(INODE, 1)),
                spawn(|lookups| {
                    lookups.add(INODE);
                    lookups.forget(INODE, 1)
                }),
            ];
            threads.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
            assert_eq!(reclaimed.load(Ordering::Relaxed), 1);
            assert!(!lookups.is_known(INODE) && lookups.take_orphans().is_empty());
        };
        check_random(run, 2000);
    }
}
