//! What a command asks of a node, and what the node answers.

use super::SecretKey;
use super::limits::{STATUS_TIME_MAX, WORK_TIME_MAX};
use crate::past::{PastAnswer, PastOrder};
use crate::scrub::ScrubStatus;
use crate::space::SpaceInfo;
use crate::status::{GarbageStatus, Status};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Goes up whenever a request or a response changes its meaning.
pub(crate) const VERSION: u32 = 7;

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Status,
    /// Where the space is.
    Space,
    /// Mount the volumes that are not.
    Mount,
    Sync,
    /// Collect garbage now.
    CollectGarbage,
    /// How collecting garbage goes, once so many collections have ended or a moment has passed.
    Garbage {
        finished: u64,
    },
    Down {
        force: bool,
    },
    CreateVolume {
        name: String,
        mount: Option<PathBuf>,
        encryption: Option<NewEncryption>,
    },
    /// The key slots of a volume.
    KeyTable {
        name: String,
    },
    UnlockVolume {
        name: String,
        key: SecretKey,
    },
    LockVolume {
        name: String,
    },
    /// Puts other key slots in force, in hexadecimal.
    SetKeySlots {
        name: String,
        key: SecretKey,
        slots: String,
    },
    Scrub(ScrubOrder),
    DeleteVolume {
        name: String,
    },
    RenameVolume {
        name: String,
        new_name: String,
    },
    /// What the store knows of its mirrors has changed.
    MirrorsChanged,
    /// From here on the connection speaks the mirror protocol.
    Mirror,
    /// Make a replica writable.
    PromoteVolume {
        name: String,
    },
    SetVolume {
        name: String,
        settings: Vec<(String, String)>,
    },
    /// About the past of a volume, of the first one if none is named.
    Past {
        volume: Option<String>,
        order: PastOrder,
    },
}

/// What a new volume is encrypted with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NewEncryption {
    pub(crate) key: SecretKey,
    /// In hexadecimal.
    pub(crate) slots: String,
}

/// What opens a volume. It is no secret.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyTable {
    /// In hexadecimal.
    pub(crate) slots: String,
    pub(crate) is_locked: bool,
}

/// What to do about scrubbing. Each is answered with how it is then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ScrubOrder {
    /// Begin, or go on with the one that waits.
    Begin {
        limit_rate: Option<u64>,
    },
    Pause,
    Resume {
        limit_rate: Option<u64>,
    },
    Cancel,
    Schedule {
        every_seconds: Option<u64>,
    },
    Show,
    /// As `Show`, but answered when it has ended or a moment has passed.
    Watch,
}

/// What the node answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Response {
    Status(Box<Status>),
    Garbage(Box<GarbageStatus>),
    Scrub(Box<ScrubStatus>),
    Past(Box<PastAnswer>),
    KeyTable(KeyTable),
    Space(Box<SpaceInfo>),
    /// Done; what to tell the user.
    Done(Vec<String>),
    /// Nothing was done, or not all; why, in a line.
    Failed(String),
}

impl Request {
    /// How long to wait for the answer.
    pub(crate) fn time_max(&self) -> Duration {
        match self {
            Self::Status => STATUS_TIME_MAX,
            _ => WORK_TIME_MAX,
        }
    }
}
