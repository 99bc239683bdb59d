//! What is asked and told of the past of a volume. The field names are those of `--json`.

use serde::{Deserialize, Serialize};
use volume::Timestamp;

/// A state of a volume, as a command names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StateName {
    /// That of a snapshot.
    Snapshot(String),
    /// That of a moment.
    Moment { seconds: i64, nanoseconds: u32 },
    /// The newest one.
    Now,
}

impl StateName {
    pub(crate) fn at(time: Timestamp) -> Self {
        Self::Moment { seconds: time.seconds, nanoseconds: time.nanoseconds }
    }
}

/// What to do with the past of a volume, or to tell of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PastOrder {
    CreateSnapshot {
        name: String,
        is_held: bool,
    },
    ListSnapshots,
    DeleteSnapshot {
        name: String,
    },
    /// What deleting them all would free.
    DeletionEffect {
        names: Vec<String>,
    },
    RenameSnapshot {
        name: String,
        new_name: String,
    },
    HoldSnapshot {
        name: String,
        is_held: bool,
    },
    Versions {
        path: Vec<u8>,
    },
    Deleted {
        path: Vec<u8>,
    },
    Differences {
        before: StateName,
        after: StateName,
        is_listed: bool,
    },
    Clone {
        state: StateName,
        new_volume: String,
    },
    RollBack {
        to: StateName,
    },
    RetentionEffect {
        retention: String,
    },
    /// What erasing would change.
    PlanErase {
        path: Vec<u8>,
    },
    Erase {
        path: Vec<u8>,
        also_held: bool,
    },
}

/// What the node tells of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PastAnswer {
    Snapshots(Vec<SnapshotInfo>),
    Versions(Vec<VersionInfo>),
    Deleted(Vec<DeletedInfo>),
    Differences(DifferencesInfo),
    /// What an erase changes or has changed.
    Erasure(Box<ErasureInfo>),
    /// No state has it any more; the store is being rid of what was erased before, and is once so many collections have ended.
    Purging {
        awaited: u64,
    },
    /// Done; what to tell the user.
    Done(Vec<String>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotInfo {
    pub(crate) volume: String,
    pub(crate) name: String,
    pub(crate) taken: String,
    pub(crate) held: bool,
    pub(crate) inodes: u64,
    /// Bytes of all content, before compression.
    pub(crate) logical_bytes: u64,
    /// What deleting it alone frees, in bytes as stored; none if that cannot be told.
    pub(crate) frees_bytes: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VersionInfo {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: String,
    /// Whether it is what there is now.
    pub(crate) live: bool,
    /// The oldest and the newest moment at which it is kept; none if it is only live.
    pub(crate) first_kept: Option<String>,
    pub(crate) last_kept: Option<String>,
    /// In how many kept states it is.
    pub(crate) kept: u64,
    /// The snapshots among them.
    pub(crate) snapshots: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeletedInfo {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) size: u64,
    pub(crate) modified: String,
    /// The newest moment at which it is kept.
    pub(crate) last_kept: String,
    /// Where it is now, if it was not deleted but moved.
    pub(crate) moved_to: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ErasureInfo {
    pub(crate) volume: String,
    pub(crate) path: String,
    /// Files, directories and whatever else goes.
    pub(crate) inodes: u64,
    /// Contents that the files among them had.
    pub(crate) versions: u64,
    /// Names in the newest state, and some of the paths there.
    pub(crate) live_names: u64,
    pub(crate) live_paths: Vec<String>,
    pub(crate) snapshots: Vec<String>,
    pub(crate) held_snapshots: Vec<String>,
    /// Roots of history.
    pub(crate) history: u64,
    /// States that two-way syncs begin with.
    pub(crate) sync_states: u64,
    /// Blocks of the content, and what they take in the store.
    pub(crate) blocks: u64,
    pub(crate) stored_bytes: u64,
    /// How many of them programs have open: what they write there from now on stays until they close it.
    pub(crate) open: u64,
    /// Whether it was done.
    pub(crate) erased: bool,
    /// How many collections will have ended when the store is rid of it.
    pub(crate) awaited: u64,
    /// Of the blocks of the content, how many something else needs: these stay.
    pub(crate) still_needed_blocks: u64,
    pub(crate) still_needed_bytes: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DifferencesInfo {
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) renamed: u64,
    pub(crate) changed: u64,
    pub(crate) bytes_before: u64,
    pub(crate) bytes: u64,
    pub(crate) differences: Vec<DifferenceInfo>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DifferenceInfo {
    /// `added`, `removed`, `renamed` or `changed`.
    pub(crate) change: String,
    pub(crate) path: String,
    pub(crate) path_before: Option<String>,
    pub(crate) kind: String,
    pub(crate) content: bool,
    pub(crate) attributes: bool,
    pub(crate) size_before: Option<u64>,
    pub(crate) size: Option<u64>,
}

/// A time as machines read it and as `.snapshots/@TIME` takes it: to the nanosecond, in UTC.
pub(crate) fn utc(time: Timestamp) -> String {
    match jiff::Timestamp::new(time.seconds, time.nanoseconds as i32) {
        Ok(time) => format!("{time:.9}"),
        Err(_) => format!("{}.{:09}s", time.seconds, time.nanoseconds),
    }
}

/// A time of [`utc`] as people read it, in the local time zone.
pub(crate) fn local(utc: &str) -> String {
    match utc.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => utc.to_owned(),
    }
}
