//! What is remembered of scrubbing: the file `scrub.json` of a store.

use crate::record_file::RecordFile;
use anyhow::Result;
use block::{Damage, DamagedSubject, Name, Position, RecordKind};
use serde::{Deserialize, Serialize};
use std::path::Path;
use volume::{Finding, ScrubPoint};

const FILE: RecordFile = RecordFile { name: "scrub.json", version: 1, advice: "remove it" };

/// From one scrub to the next, unless somebody said otherwise: 30 days.
const EVERY_SECONDS_DEFAULT: u64 = 30 * 86_400;

/// What is remembered of scrubbing a store. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScrubRecord {
    /// Since when the store is looked after.
    pub(crate) since: u64,
    /// Seconds from the end of one scrub to the beginning of the next; `None` for never.
    pub(crate) every_seconds: Option<u64>,
    /// The one that has not ended.
    pub(crate) under_way: Option<UnderWay>,
    /// What the last one that ended found.
    pub(crate) last: Option<Report>,
}

/// A scrub that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    pub(crate) started: u64,
    pub(crate) is_paused: bool,
    /// Bytes per second.
    pub(crate) limit_rate: Option<u64>,
    position: u64,
    bytes_done: u64,
    damages: Vec<DamageRecord>,
}

/// What a scrub found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) started: u64,
    pub(crate) ended: u64,
    pub(crate) bytes: u64,
    pub(crate) findings: Vec<FindingRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FindingRecord {
    pub(crate) block: Option<String>,
    pub(crate) what: String,
    /// Whether it was made anew.
    pub(crate) healed: bool,
    pub(crate) users: Vec<UserRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    volume: String,
    /// A snapshot, or `@TIME` for a state of the history.
    snapshot: Option<String>,
    file: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DamageRecord {
    position: u64,
    bytes: u32,
    subject: SubjectRecord,
    what: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SubjectRecord {
    Block(String),
    Root(u64),
    Intent(u64),
    Unknown,
}

impl ScrubRecord {
    /// That of a store; a new one if it has none.
    pub(crate) fn read(store: &Path, now: u64) -> Result<Self> {
        Ok(FILE.read(store)?.unwrap_or_else(|| Self::new(now)))
    }

    /// What is remembered of a store that was never scrubbed.
    pub(crate) fn new(now: u64) -> Self {
        Self { since: now, every_seconds: Some(EVERY_SECONDS_DEFAULT), under_way: None, last: None }
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, store: &Path) -> Result<()> {
        FILE.write(store, self)
    }

    /// When the next one is to begin by itself, if none is under way.
    pub(crate) fn due(&self) -> Option<u64> {
        let last = self.last.as_ref().map_or(self.since, |last| last.ended);
        Some(last.saturating_add(self.every_seconds?))
    }

    /// The blocks that the last scrub found damaged.
    pub(crate) fn damaged_blocks(&self) -> impl Iterator<Item = (Name, &str)> {
        let findings = self.last.iter().flat_map(|last| &last.findings);
        findings.filter_map(|finding| Some((finding.block.as_ref()?.parse().ok()?, finding.what.as_str())))
    }
}

impl UnderWay {
    /// One that begins.
    pub(crate) fn new(now: u64, limit_rate: Option<u64>) -> Self {
        Self { started: now, is_paused: false, limit_rate, position: 0, bytes_done: 0, damages: Vec::new() }
    }

    /// From where to go on.
    pub(crate) fn point(&self) -> ScrubPoint {
        let damages = self.damages.iter().filter_map(DamageRecord::damage).collect();
        ScrubPoint { position: Position::from_u64(self.position), bytes_done: self.bytes_done, damages }
    }

    /// How far it was, without asking it.
    pub(crate) fn bytes_done(&self) -> u64 {
        self.bytes_done
    }

    /// Takes note of how far it is.
    pub(crate) fn set_point(&mut self, point: &ScrubPoint) {
        self.position = point.position.to_u64();
        self.bytes_done = point.bytes_done;
        let new = point.damages.get(self.damages.len()..).unwrap_or_default();
        self.damages.extend(new.iter().map(DamageRecord::of));
    }
}

impl DamageRecord {
    fn of(damage: &Damage) -> Self {
        let subject = match damage.subject {
            DamagedSubject::Block(name) => SubjectRecord::Block(name.to_string()),
            DamagedSubject::Record { kind: RecordKind::Root, stream } => SubjectRecord::Root(stream),
            DamagedSubject::Record { kind: RecordKind::Intent, stream } => SubjectRecord::Intent(stream),
            DamagedSubject::Unknown => SubjectRecord::Unknown,
        };
        Self { position: damage.position.to_u64(), bytes: damage.bytes, subject, what: damage.what.clone() }
    }

    fn damage(&self) -> Option<Damage> {
        let subject = match &self.subject {
            SubjectRecord::Block(name) => DamagedSubject::Block(name.parse().ok()?),
            SubjectRecord::Root(stream) => DamagedSubject::Record { kind: RecordKind::Root, stream: *stream },
            SubjectRecord::Intent(stream) => DamagedSubject::Record { kind: RecordKind::Intent, stream: *stream },
            SubjectRecord::Unknown => DamagedSubject::Unknown,
        };
        let position = Position::from_u64(self.position);
        Some(Damage { position, bytes: self.bytes, subject, what: self.what.clone() })
    }
}

impl FindingRecord {
    /// A finding as it is remembered.
    pub(crate) fn of(finding: &Finding) -> Self {
        let user = |user: &volume::User| UserRecord {
            volume: user.volume.clone(),
            snapshot: user.kept.clone(),
            file: user.what.clone(),
        };
        Self {
            block: finding.block.map(|name| name.to_string()),
            what: finding.what.clone(),
            healed: finding.is_healed,
            users: finding.users.iter().map(user).collect(),
        }
    }

    /// It in a sentence.
    pub(crate) fn line(&self) -> String {
        let healed = if self.healed { "; it was made anew" } else { "" };
        let users: Vec<_> = self.users.iter().map(UserRecord::words).collect();
        let users = if users.is_empty() { String::new() } else { format!("; used by {}", users.join(", ")) };
        format!("{}{healed}{users}", self.what)
    }
}

impl UserRecord {
    fn words(&self) -> String {
        match (&self.volume[..], &self.snapshot) {
            ("", _) => self.file.clone(),
            (volume, None) => format!("{volume}:{}", self.file),
            (volume, Some(snapshot)) => format!("{volume} in {snapshot}:{}", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrub_is_gone_on_with_from_what_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = ScrubRecord::read(folder.path(), 5).unwrap();
        assert_eq!(record.due(), Some(5 + EVERY_SECONDS_DEFAULT));
        let damage = |subject| Damage { position: Position::new(3, 64), bytes: 8, subject, what: "what".to_owned() };
        let subjects = [
            DamagedSubject::Block(Name::from_bytes([7; 32])),
            DamagedSubject::Record { kind: RecordKind::Root, stream: 4 },
            DamagedSubject::Record { kind: RecordKind::Intent, stream: 4 },
            DamagedSubject::Unknown,
        ];
        let damages = subjects.map(damage).to_vec();
        let point = ScrubPoint { position: Position::new(9, 128), bytes_done: 77, damages };
        let mut under_way = UnderWay::new(6, Some(10));
        under_way.set_point(&point);
        under_way.set_point(&point);
        record.under_way = Some(under_way);
        record.write(folder.path()).unwrap();
        let again = ScrubRecord::read(folder.path(), 1000).unwrap();
        assert_eq!((again.since, again.under_way.unwrap().point()), (5, point));
    }
}
