//! How a scrub is, as node and commands tell it. The field names are those of `--json`.

use super::record::{Report, ScrubRecord};
use super::run::Pulse;
use serde::{Deserialize, Serialize};
use volume::ScrubStage;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScrubStatus {
    pub(crate) state: ScrubState,
    /// When the one under way began, in seconds since 1970.
    pub(crate) started: Option<u64>,
    /// Bytes of the log read.
    pub(crate) bytes_done: u64,
    /// Bytes to read, those that were read included.
    pub(crate) bytes_total: u64,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) seconds_left: Option<u64>,
    /// Blocks come to by following links; the last stage.
    pub(crate) blocks_walked: u64,
    /// The limit, in bytes per second.
    pub(crate) limit_rate: Option<u64>,
    /// Seconds from one to the next; none for never.
    pub(crate) every_seconds: Option<u64>,
    /// When the next one begins by itself, in seconds since 1970.
    pub(crate) next: Option<u64>,
    /// The last one that ended.
    pub(crate) last: Option<Report>,
    /// Why the one under way does not go on.
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScrubState {
    Idle,
    Paused,
    Reading,
    Walking,
}

impl ScrubStatus {
    /// What is remembered, and what runs.
    pub(crate) fn of(record: &ScrubRecord, pulse: Option<&Pulse>, problem: Option<String>) -> Self {
        let progress = pulse.map(Pulse::progress);
        let state = match (&record.under_way, progress.map(|progress| progress.stage)) {
            (None, _) => ScrubState::Idle,
            (Some(_), Some(ScrubStage::Reading)) => ScrubState::Reading,
            (Some(_), Some(_)) => ScrubState::Walking,
            (Some(under_way), None) if under_way.is_paused => ScrubState::Paused,
            (Some(_), None) => ScrubState::Reading,
        };
        let under_way = record.under_way.as_ref();
        let bytes_done = progress
            .map_or_else(|| under_way.map_or(0, |under_way| under_way.bytes_done()), |progress| progress.bytes_done);
        Self {
            state,
            started: under_way.map(|under_way| under_way.started),
            bytes_done,
            bytes_total: progress.map_or(bytes_done, |progress| progress.bytes_total),
            bytes_per_second: pulse.and_then(Pulse::bytes_per_second),
            seconds_left: pulse.and_then(Pulse::seconds_left),
            blocks_walked: progress.map_or(0, |progress| progress.blocks_walked),
            limit_rate: under_way.and_then(|under_way| under_way.limit_rate),
            every_seconds: record.every_seconds,
            next: record.due().filter(|_| under_way.is_none()),
            last: record.last.clone(),
            problem,
        }
    }
}
