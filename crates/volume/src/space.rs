//! What a volume says about itself.

use crate::{Result, Timestamp, Volume};
use block::{Name, Space};

/// What statfs(2) shows of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeSpace {
    /// The disk under the pool; free is what the volumes can still grow by, without what is held back.
    pub disk: Space,
    /// How much the volume may hold, in bytes.
    pub quota_bytes: Option<u64>,
    /// How much of that it holds, in bytes.
    pub used_bytes: u64,
    /// Inodes that are there.
    pub inodes: u64,
    /// Inodes that can still be made.
    pub inodes_free: u64,
}

/// What `pantala status` shows of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeStatus {
    /// Inodes that are there.
    pub inodes: u64,
    /// Bytes of all content, before compression.
    pub logical_bytes: u64,
    /// Memory of changes that no checkpoint has, without file data, in bytes, about.
    pub overlay_bytes: u64,
    /// The last checkpoint's root.
    pub root: Option<Name>,
    /// When the state of the last checkpoint was taken.
    pub checkpoint_taken: Timestamp,
}

impl VolumeSpace {
    /// All space that the volume can have, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.quota_bytes.unwrap_or(u64::MAX).min(self.disk.total_bytes)
    }

    /// By how much it can still grow, in bytes.
    pub fn free_bytes(&self) -> u64 {
        let left = self.quota_bytes.map_or(u64::MAX, |quota| quota.saturating_sub(self.used_bytes));
        left.min(self.disk.free_bytes)
    }
}

impl Volume {
    /// The space there is for this volume.
    pub fn space(&self) -> Result<VolumeSpace> {
        let inodes = self.counts.get().inodes;
        let inodes_free = crate::limits::INODE_NUMBER_MAX.saturating_sub(self.counts.get().next_inode);
        let (quota_bytes, used_bytes) = (self.quota_bytes(), self.used_bytes());
        let free_bytes = self.room_bytes()?;
        let disk = Space { free_bytes, ..self.shared.store.space()? };
        Ok(VolumeSpace { disk, quota_bytes, used_bytes, inodes, inodes_free })
    }

    /// How the volume is.
    pub fn status(&self) -> VolumeStatus {
        let counters = self.counts.get();
        let checkpoint = self.last_checkpoint.lock();
        VolumeStatus {
            inodes: counters.inodes,
            logical_bytes: counters.allocated_bytes,
            overlay_bytes: self.layers.overlay.memory_bytes(),
            root: checkpoint.tree,
            checkpoint_taken: checkpoint.taken,
        }
    }
}
