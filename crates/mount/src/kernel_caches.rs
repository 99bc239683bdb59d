//! What the kernel has to forget when a volume changes without it.

use crate::filesystem::VolumeFilesystem;
use crate::notifications::Notifications;
use crate::past::Past;
use fuse::Notification;
use std::sync::Arc;
use volume::{KeptId, Watcher};

/// The kernel's copies of what a mount showed.
pub(crate) struct KernelCaches {
    pub(crate) live: Arc<VolumeFilesystem>,
    pub(crate) past: Arc<Past>,
    pub(crate) notifications: Arc<Notifications>,
}

impl Watcher for KernelCaches {
    fn snapshots_changed(&self) {
        self.past.drop_lists();
    }

    /// Names first: from then on the kernel looks each of them up again. Then what it knows of inodes.
    fn state_replaced(&self) {
        let drop_inode = |inode: volume::Inode| Notification::InvalidateInode { node: inode.0, offset: 0, length: 0 };
        let inodes = self.live.known_inodes().into_iter().map(drop_inode);
        self.notifications.tell([Notification::IncrementEpoch].into_iter().chain(inodes));
    }

    fn may_use(&self, inode: volume::Inode) -> bool {
        self.live.is_known(inode)
    }

    fn orphaned(&self, inodes: &[volume::Inode]) {
        self.live.lost_their_names(inodes);
    }

    fn displaced(&self, inodes: &[volume::Inode]) {
        self.live.displace(inodes);
    }

    fn name_removed(&self, directory: volume::Inode, name: &[u8], inode: volume::Inode) {
        let removed = Notification::Delete { parent: directory.0, child: inode.0, name: name.into() };
        self.notifications.tell([removed]);
    }

    fn drop_unused_views(&self, root: KeptId) {
        self.past.drop_unused_views(root);
    }
}
