//! Telling those who show a volume what changes without them.

use crate::{Inode, KeptId, Volume};
use std::sync::{Arc, Weak};

/// Who shows a volume to others and keeps copies of what it saw. Calls come from whoever made the change, under no lock of the
/// volume's that reading needs; they must not wait for anybody who waits for the volume.
pub trait Watcher: Send + Sync {
    /// Snapshots were made, renamed or deleted.
    fn snapshots_changed(&self);

    /// Another state is in force, in which everything may be different.
    fn state_replaced(&self);

    /// Whether somebody may have an inode open.
    fn may_use(&self, inode: Inode) -> bool;

    /// These lost their last names; each is to be reclaimed when nobody uses it any more.
    fn orphaned(&self, inodes: &[Inode]);

    /// Of these the content is somebody else's now, and what was written here has another inode: who has one open must not go on
    /// writing there.
    fn displaced(&self, inodes: &[Inode]);

    /// A directory lost the name of an inode.
    fn name_removed(&self, directory: Inode, name: &[u8], inode: Inode);

    /// Asks for the views of a kept root to be dropped, where nobody uses them.
    fn drop_unused_views(&self, root: KeptId);
}

/// The watchers of a volume; it does not keep them alive.
pub(crate) type Watchers = parking_lot::Mutex<Vec<Weak<dyn Watcher>>>;

impl Volume {
    /// Tells a watcher from now on.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) {
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(watcher);
    }

    pub(crate) fn tell_watchers(&self, tell: impl Fn(&dyn Watcher)) {
        let watchers: Vec<Arc<dyn Watcher>> = self.watchers.lock().iter().filter_map(Weak::upgrade).collect();
        watchers.iter().for_each(|watcher| tell(&**watcher));
    }
}
