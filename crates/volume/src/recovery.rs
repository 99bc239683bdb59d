//! Finding a volume's state again: its last root, and the journal behind it.

use crate::catalog::{VolumeId, VolumeInfo};
use crate::change::Change;
use crate::journal::{self, Counters, Part};
use crate::root::Root;
use crate::shared::Shared;
use crate::{Error, Inode, Result, Volume};
use block::{Damage, DamagedSubject, Health, Position, RecordKind, StoredRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was found of the volumes.
pub(crate) struct Recovered {
    pub(crate) volumes: BTreeMap<VolumeId, Arc<Volume>>,
    /// Volumes that cannot be opened, and why: damage of one is no reason not to open the others.
    pub(crate) lost: BTreeMap<VolumeId, String>,
}

/// Opens volumes. The journal is read once, for all of them together.
///
/// A volume whose journal is damaged is opened as it was before the damage, to be read only.
pub(crate) fn recover(shared: &Arc<Shared>, infos: &[VolumeInfo]) -> Result<Recovered> {
    let (mut replays, mut lost) = (BTreeMap::new(), BTreeMap::new());
    let mut from: Option<Position> = None;
    for info in infos {
        let root = match last_root(shared, info.id) {
            Err(error) if error.is_damage() => {
                tracing::error!(volume = info.name, %error, "a volume cannot be opened");
                lost.insert(info.id, error.to_string());
                continue;
            }
            root => root?,
        };
        from = Some(from.map_or(root.replay_from, |from| from.min(root.replay_from)));
        let volume = Volume::at(info.id, &root, info.settings.clone(), shared.clone());
        volume.set_role(info.role);
        let replay = Replay { from: root.replay_from, sequence: root.sequence, group: None, volume, damage: None };
        replays.insert(info.id, replay);
    }
    if let Some(from) = from {
        replay(shared, from, &mut replays)?;
    }
    let volumes: BTreeMap<_, _> = replays.into_iter().map(|(id, replay)| (id, Arc::new(replay.finish()))).collect();
    for volume in volumes.values().filter(|volume| !volume.is_replica() && volume.damage().is_none()) {
        match volume.reclaim_orphans() {
            Err(error) if error.is_damage() || shared.store.health() != Health::Ok => {
                tracing::error!(volume = %volume.id, %error, "what was removed while it was open stays");
            }
            reclaimed => reclaimed?,
        }
    }
    Ok(Recovered { volumes, lost })
}

fn last_root(shared: &Shared, volume: VolumeId) -> Result<Root> {
    let stored = shared.store.latest_root(volume.0)?;
    let stored = stored.ok_or(Error::Damaged { inode: 0, what: "the catalog: a volume has no root" })?;
    Root::parse(&stored.record).map_err(|malformed| malformed.in_volume("the root of a volume"))
}

fn replay(shared: &Shared, from: Position, replays: &mut BTreeMap<VolumeId, Replay>) -> Result<()> {
    let mut failed = None;
    let mut damages = Vec::new();
    let mut visit = |StoredRecord { position, record }| {
        if record.kind != RecordKind::Intent || failed.is_some() {
            return Ok(());
        }
        let Some(replay) = replays.get_mut(&VolumeId(record.stream)).filter(|replay| replay.damage.is_none()) else {
            return Ok(());
        };
        let part = journal::decode(&record.links, &record.body);
        let taken = part.map_err(|malformed| malformed.in_volume("a part of the journal"));
        match taken.and_then(|part| replay.take(part)) {
            Err(error) if error.is_damage() => replay.damage = Some(format!("{error} (at {position})")),
            taken => failed = taken.err(),
        }
        Ok(())
    };
    shared.store.records_past_damage(from, &mut visit, &mut |damage| damages.push(damage))?;
    for damage in damages {
        replays.values_mut().filter(|replay| replay.may_lack(&damage)).for_each(|replay| {
            let what = format!("the log is damaged at {}: {}", damage.position, damage.what);
            replay.damage.get_or_insert(what);
        });
    }
    failed.map_or(Ok(()), Err)
}

/// Replays one volume's journal.
struct Replay {
    volume: Volume,
    /// No part of the journal lies before this.
    from: Position,
    /// Why the journal may not be whole. It is not gone on with.
    damage: Option<String>,
    /// The last group that is in the volume.
    sequence: u64,
    /// The group whose parts are coming.
    group: Option<Group>,
}

/// A group of which some parts have come.
struct Group {
    sequence: u64,
    parts: u32,
    changes: Vec<(Inode, Change)>,
}

impl Replay {
    /// The volume as far as its journal could be read.
    fn finish(self) -> Volume {
        let Self { mut volume, damage, .. } = self;
        if let Some(what) = &damage {
            tracing::error!(volume = %volume.id, what, "a journal is damaged; the volume is as it was before that, and read-only");
        }
        volume.damage = damage;
        volume
    }

    /// Whether a stretch of the log that cannot be read may have held a part of the journal.
    fn may_lack(&self, damage: &Damage) -> bool {
        let is_behind = damage.position.to_u64() + damage.bytes as u64 > self.from.to_u64();
        match damage.subject {
            DamagedSubject::Block(_) => false,
            DamagedSubject::Record { kind, stream } => {
                kind == RecordKind::Intent && stream == self.volume.id.0 && is_behind
            }
            DamagedSubject::Unknown => is_behind,
        }
    }

    fn take(&mut self, part: Part) -> Result<()> {
        if part.sequence <= self.sequence {
            return Ok(());
        }
        if part.sequence != self.sequence + 1 {
            return Err(Error::Damaged { inode: 0, what: "the journal: a group is missing" });
        }
        let (is_last, counters) = (part.is_last, part.counters);
        let group = self.extend_group(part)?;
        if is_last {
            self.apply(group, counters);
        } else {
            self.group = Some(group);
        }
        Ok(())
    }

    /// A group that a crash or a failure cut off is followed by one that begins anew: its parts are dropped.
    fn extend_group(&mut self, part: Part) -> Result<Group> {
        let mut group = match self.group.take() {
            Some(group) if group.sequence == part.sequence && group.parts == part.number => group,
            _ if part.number == 0 => Group { sequence: part.sequence, parts: 0, changes: Vec::new() },
            _ => return Err(Error::Damaged { inode: 0, what: "the journal: a part of a group is missing" }),
        };
        group.parts += 1;
        group.changes.extend(part.changes);
        Ok(group)
    }

    fn apply(&mut self, group: Group, counters: Counters) {
        self.sequence = group.sequence;
        self.volume.counts.set(counters);
        self.volume.journal.lock().sequence = group.sequence;
        for (inode, change) in group.changes {
            self.volume.layers.overlay.replay(inode, change);
        }
    }
}
