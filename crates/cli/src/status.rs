//! What `pantala status` shows, as the node tells it. The field names are those of `--json`.

use crate::scrub::ScrubStatus;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) node: NodeStatus,
    pub(crate) mounts: Vec<MountStatus>,
    pub(crate) volumes: Vec<VolumeStatus>,
    pub(crate) space: SpaceStatus,
    /// File data in memory that no block holds yet.
    pub(crate) dirty_bytes: u64,
    pub(crate) scrub: ScrubStatus,
    pub(crate) health: Health,
    /// What is wrong, each in a sentence.
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeStatus {
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) store: PathBuf,
    pub(crate) uptime_seconds: u64,
    /// How requests of the first volume's mount come; `none` if it is not mounted.
    pub(crate) transport: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MountStatus {
    /// The volume's name.
    pub(crate) volume: String,
    pub(crate) mountpoint: PathBuf,
    pub(crate) transport: String,
    /// How long an idle CPU may take to wake up while requests are frequent, in microseconds; none if the kernel is not asked for
    /// anything.
    #[serde(default)]
    pub(crate) idle_latency_microseconds: Option<u32>,
    /// Why sync(2) and syncfs(2) do not make what is written to it durable; none if they do.
    pub(crate) unsynced: Option<String>,
    /// How many requests of each kind the kernel has sent since it was mounted.
    #[serde(default)]
    pub(crate) requests: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VolumeStatus {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Tells it from every other volume, in hexadecimal; its replicas have the same.
    pub(crate) identity: String,
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) encryption: Encryption,
    /// What was set, by key.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) mountpoint: Option<PathBuf>,
    pub(crate) inodes: u64,
    /// Bytes of all content, before compression.
    pub(crate) logical_bytes: u64,
    /// Memory that changes take which no checkpoint has.
    pub(crate) overlay_bytes: u64,
    /// The last checkpoint's root hash, in hexadecimal.
    pub(crate) root: Option<String>,
    pub(crate) checkpoint_age_seconds: u64,
}

/// Who changes a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Primary,
    Replica,
}

/// Whether a volume is encrypted, and whether its key is in the node's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encryption {
    #[default]
    None,
    Locked,
    Unlocked,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SpaceStatus {
    /// Bytes of all content, over all volumes.
    pub(crate) logical_bytes: u64,
    /// Bytes that the store's log takes on the disk: live and dead ones.
    pub(crate) stored_bytes: u64,
    /// What is needed of it, as far as that is known. What died since the last collection counts here.
    pub(crate) live_bytes: u64,
    /// What is not: the space of it comes back by and by.
    pub(crate) dead_bytes: u64,
    /// Free on the disk under the store.
    pub(crate) free_bytes: u64,
    /// Size of the disk under the store.
    pub(crate) total_bytes: u64,
    /// Logical to stored bytes; none while nothing is stored.
    pub(crate) ratio: Option<f64>,
}

/// How collecting garbage goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GarbageStatus {
    /// `mark`, `sweep`, `compact`, `done`, or `none` if there was no collection since the node is up.
    pub(crate) stage: String,
    pub(crate) is_running: bool,
    /// Whether a transfer to a replica keeps collections from beginning.
    pub(crate) is_held: bool,
    pub(crate) live_bytes: u64,
    pub(crate) dead_bytes: u64,
    pub(crate) collection: CollectionStatus,
    /// Collections that have ended since the node is up.
    pub(crate) finished: u64,
    pub(crate) last: Option<LastCollection>,
    /// How many will have ended when the one is done that was asked for.
    pub(crate) awaited: u64,
    /// Whether the store is still to be rid of what was erased.
    pub(crate) is_purge_due: bool,
    /// What was looked for when it last was, and is needed by something else.
    pub(crate) still_needed_blocks: u64,
    pub(crate) still_needed_bytes: u64,
}

/// What a collection has done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CollectionStatus {
    pub(crate) marked_blocks: u64,
    pub(crate) live_blocks: u64,
    pub(crate) dead_blocks: u64,
    /// Frames of the blocks that it found dead.
    pub(crate) found_dead_bytes: u64,
    pub(crate) segments_to_retire: u64,
    pub(crate) retired_segments: u64,
    pub(crate) retired_bytes: u64,
    pub(crate) copied_bytes: u64,
    pub(crate) damaged_segments: u64,
    pub(crate) memory_bytes: u64,
}

/// A collection that has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastCollection {
    pub(crate) seconds_ago: u64,
    pub(crate) took_seconds: f64,
    #[serde(flatten)]
    pub(crate) collection: CollectionStatus,
    /// Why it ended early.
    pub(crate) error: Option<String>,
}

/// How the node is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Health {
    Ok,
    /// It serves, but something is not as it should be.
    Degraded,
    /// It takes no writes.
    ReadOnly,
}

impl Health {
    /// As `--json` has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::ReadOnly => "read-only",
        }
    }
}
