//! Inodes whose number stands for another file's content since a two-way sync, while somebody may have the old one open.
//!
//! The kernel names a file by its number alone. So what it still knows under such a number may not change anything (ESTALE) until it
//! has looked the name up again: that answer has another generation, by which the kernel knows its old inode to be a bad one.

use fuse::Errno;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use volume::Inode;

#[derive(Default)]
pub(crate) struct Displaced {
    /// Whether there is any: nearly always there is none.
    is_used: AtomicBool,
    inodes: Mutex<HashMap<Inode, Displacement>>,
}

#[derive(Default)]
struct Displacement {
    /// How often it was displaced.
    count: u64,
    /// Whether the kernel may still take it for what it was.
    is_closed: bool,
}

impl Displaced {
    /// The kernel knows these as something else.
    pub(crate) fn add(&self, inodes: impl IntoIterator<Item = Inode>) {
        let mut table = self.inodes.lock();
        for inode in inodes {
            let displacement = table.entry(inode).or_default();
            displacement.count += 1;
            displacement.is_closed = true;
            self.is_used.store(true, Ordering::SeqCst);
        }
    }

    /// Refuses a change of an inode that the kernel may take for another one.
    pub(crate) fn check(&self, inode: Inode) -> Result<(), Errno> {
        let is_closed = self.is_used.load(Ordering::SeqCst)
            && self.inodes.lock().get(&inode).is_some_and(|displacement| displacement.is_closed);
        if is_closed { Err(Errno::ESTALE) } else { Ok(()) }
    }

    /// How much higher the generation is that an answer names. From now on the kernel means what is there.
    pub(crate) fn name(&self, inode: Inode) -> u64 {
        if !self.is_used.load(Ordering::SeqCst) {
            return 0;
        }
        self.inodes.lock().get_mut(&inode).map_or(0, |displacement| {
            displacement.is_closed = false;
            displacement.count
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_displaced_inode_takes_no_change_until_it_is_named_again() {
        let displaced = Displaced::default();
        assert_eq!((displaced.name(Inode(20)), displaced.check(Inode(20))), (0, Ok(())));
        displaced.add([Inode(20)]);
        assert_eq!(displaced.check(Inode(20)), Err(Errno::ESTALE));
        assert_eq!(displaced.check(Inode(21)), Ok(()));
        assert_eq!((displaced.name(Inode(20)), displaced.check(Inode(20))), (1, Ok(())));
        displaced.add([Inode(20)]);
        assert_eq!((displaced.check(Inode(20)), displaced.name(Inode(20))), (Err(Errno::ESTALE), 2));
    }
}
