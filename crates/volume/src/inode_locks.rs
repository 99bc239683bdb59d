//! Locks on inodes.
//!
//! An operation that changes inodes holds them all from its first look to its last change, so that operations on the same inode
//! happen one after another. Locks are taken in one order, so they cannot wait for each other in a circle.

use crate::Inode;
use crate::limits::LOCK_STRIPES;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A fixed number of locks that all inodes share.
pub(crate) struct InodeLocks {
    stripes: Box<[RwLock<()>]>,
}

impl InodeLocks {
    pub(crate) fn new() -> Self {
        Self { stripes: (0..LOCK_STRIPES).map(|_| RwLock::new(())).collect() }
    }

    /// Keeps changes of an inode away.
    pub(crate) fn read(&self, inode: Inode) -> RwLockReadGuard<'_, ()> {
        self.stripes[stripe_of(inode)].read()
    }

    /// Keeps everybody else away from an inode.
    pub(crate) fn write(&self, inode: Inode) -> RwLockWriteGuard<'_, ()> {
        self.stripes[stripe_of(inode)].write()
    }

    /// Keeps everybody else away from all inodes.
    pub(crate) fn write_everything(&self) -> Vec<RwLockWriteGuard<'_, ()>> {
        self.stripes.iter().map(RwLock::write).collect()
    }

    /// Keeps everybody else away from several inodes.
    pub(crate) fn write_all(&self, inodes: &[Inode]) -> Vec<RwLockWriteGuard<'_, ()>> {
        let mut stripes: Vec<_> = inodes.iter().copied().map(stripe_of).collect();
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|stripe| self.stripes[stripe].write()).collect()
    }
}

fn stripe_of(inode: Inode) -> usize {
    inode.0 as usize % LOCK_STRIPES
}
