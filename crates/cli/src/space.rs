//! What `pantala space` shows, as the node tells it. The field names are those of `--json`. All of it is in bytes as stored.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SpaceInfo {
    /// The states of this moment are counted.
    pub(crate) as_of: String,
    /// In a newest state of a volume.
    pub(crate) newest_bytes: u64,
    /// In no newest state, but in a snapshot.
    pub(crate) snapshots_bytes: u64,
    /// In history alone.
    pub(crate) history_bytes: u64,
    /// Journals, roots, what finds the kept states, and garbage that is not collected yet.
    pub(crate) other_bytes: u64,
    /// All of the above: what the log takes on the disk.
    pub(crate) stored_bytes: u64,
    /// Held back for when the disk is full.
    pub(crate) reserve_bytes: u64,
    /// What finds the blocks.
    pub(crate) index_bytes: u64,
    pub(crate) free_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) volumes: Vec<VolumeSpaceInfo>,
}

/// What comes back if something of a volume goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VolumeSpaceInfo {
    pub(crate) volume: String,
    /// What is in the newest state alone.
    pub(crate) newest_frees_bytes: u64,
    /// All snapshots.
    pub(crate) snapshots_free_bytes: u64,
    /// All of the history.
    pub(crate) history_frees_bytes: u64,
    /// Snapshots and history.
    pub(crate) past_frees_bytes: u64,
    /// The volume with its past.
    pub(crate) volume_frees_bytes: u64,
    pub(crate) snapshots: Vec<SnapshotSpaceInfo>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotSpaceInfo {
    pub(crate) name: String,
    /// Deleting it alone.
    pub(crate) frees_bytes: u64,
}
