//! Finding a volume's state again: its last root, and the journal behind it.

use crate::catalog::{VolumeId, VolumeInfo};
use crate::change::Change;
use crate::commit::Journal;
use crate::journal::{self, Counters, Part};
use crate::repair::{self, Fallback, RepairedVolume, Replacement};
use crate::root::Root;
use crate::shared::Shared;
use crate::{Error, Inode, Result, Volume};
use block::{Damage, DamagedSubject, Health, Name, Position, Record, RecordKind, StoredRecord};
use seal::Context;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is wrong with a volume of which not even the top directory can be read.
pub(crate) const TOP_DAMAGED: &str = "the root of its tree cannot be read";

/// What was found of the volumes.
pub(crate) struct Recovered {
    pub(crate) volumes: BTreeMap<VolumeId, Arc<Volume>>,
    /// Volumes that cannot be opened, and why: damage of one is no reason not to open the others.
    pub(crate) lost: BTreeMap<VolumeId, String>,
    /// Volumes that go on with the newest state that is whole, where that was asked for.
    pub(crate) repaired: Vec<RepairedVolume>,
}

/// What to do with volumes that are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damaged {
    /// Open them to be read only, as far as they can be read.
    Keep,
    /// Let them go on with the newest state that is whole.
    Repair,
}

/// Opens volumes. The journal is read once, for all of them together.
///
/// A volume whose journal is damaged is opened as it was before the damage, to be read only, unless it is to be repaired.
pub(crate) fn recover(shared: &Arc<Shared>, infos: &[VolumeInfo], damaged: Damaged) -> Result<Recovered> {
    let (mut volumes, mut lost, mut repaired) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut from: Option<Position> = None;
    for info in infos {
        let found = match damaged {
            Damaged::Keep => last_root(shared, info.id),
            Damaged::Repair => whole_root(shared, info, &mut repaired),
        };
        let root = match found {
            Err(error) if error.is_damage() => {
                tracing::error!(volume = info.name, %error, "a volume cannot be opened");
                lost.insert(info.id, error.to_string());
                continue;
            }
            root => root?,
        };
        from = Some(from.map_or(root.replay_from, |from| from.min(root.replay_from)));
        volumes.insert(info.id, Arc::new(Volume::at(info, &root, shared.clone())));
    }
    if let Some(from) = from {
        let sequence = |volume: &Volume| volume.journal.lock().sequence;
        let mut replays: BTreeMap<_, _> =
            volumes.iter().map(|(id, volume)| (*id, Replay::of(volume, sequence(volume)))).collect();
        replay(shared, from, &mut replays)?;
        if damaged == Damaged::Repair {
            repaired.extend(infos.iter().filter_map(|info| replays.get_mut(&info.id)?.accept_damage(info)));
        }
        replays.into_values().for_each(|replay| {
            let volume = replay.volume;
            volume.journal.lock().sequence = replay.finish();
        });
    }
    volumes.values().try_for_each(|volume| volume.reclaim_at_start())?;
    Ok(Recovered { volumes, lost, repaired })
}

impl Volume {
    /// Brings in what the journal has behind the root of a volume that was unlocked just now. Nothing else changes it meanwhile.
    pub(crate) fn replay_unlocked(&self, journal: &mut Journal) -> Result<()> {
        let from = self.last_checkpoint.lock().replay_from;
        let mut replays = BTreeMap::from([(self.id, Replay::of(self, journal.sequence))]);
        replay(&self.shared, from, &mut replays)?;
        replays.into_values().for_each(|replay| journal.sequence = replay.finish());
        Ok(())
    }

    /// Removes what a crash left of files that were removed while they were open. Where the disk does not let that be, they stay.
    pub(crate) fn reclaim_at_start(&self) -> Result<()> {
        if self.is_replica() || self.is_locked() || self.damage().is_some() || self.shared.store.is_closed() {
            return Ok(());
        }
        match self.reclaim_orphans() {
            Err(error) if error.is_damage() || self.shared.store.health() != Health::Ok => {
                tracing::error!(volume = %self.id, %error, "what was removed while it was open stays");
                Ok(())
            }
            reclaimed => reclaimed,
        }
    }
}

/// The root of a volume, or the newest that is whole.
fn whole_root(shared: &Shared, info: &VolumeInfo, repaired: &mut Vec<RepairedVolume>) -> Result<Root> {
    let newest = last_root(shared, info.id);
    let what = match &newest {
        Ok(root) if repair::is_readable(shared, root.tree)? => return newest,
        Ok(_) => TOP_DAMAGED.to_owned(),
        Err(error) if error.is_damage() => error.to_string(),
        Err(_) => return newest,
    };
    let Some(replacement) = repair::newest_whole(shared, info.id, newest.as_ref().ok())? else {
        return Err(Error::Damaged { inode: 0, what: "no state of the volume that is whole is left" });
    };
    let Replacement { root, outcome } = replacement;
    repaired.push(RepairedVolume { id: info.id, name: info.name.clone(), what, outcome });
    Ok(root)
}

fn last_root(shared: &Shared, volume: VolumeId) -> Result<Root> {
    let stored = shared.store.latest_root(volume.0)?;
    let stored = stored.ok_or(Error::Damaged { inode: 0, what: "the catalog: a volume has no root" })?;
    Root::parse(&stored.record).map_err(|malformed| malformed.in_volume("the root of a volume"))
}

fn replay(shared: &Shared, from: Position, replays: &mut BTreeMap<VolumeId, Replay<'_>>) -> Result<()> {
    let mut failed = None;
    let mut damages = Vec::new();
    let mut visit = |StoredRecord { position, record }| {
        if record.kind != RecordKind::Intent || failed.is_some() {
            return Ok(());
        }
        let Some(replay) = replays.get_mut(&VolumeId(record.stream)).filter(|replay| replay.damage.is_none()) else {
            return Ok(());
        };
        match replay.take_record(&record) {
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
struct Replay<'a> {
    volume: &'a Volume,
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

impl<'a> Replay<'a> {
    /// Behind the volume's root.
    fn of(volume: &'a Volume, sequence: u64) -> Self {
        Self { from: volume.last_checkpoint.lock().replay_from, sequence, group: None, volume, damage: None }
    }

    /// The volume is there as far as its journal could be read; gives the last group that is in it. One that is locked has still to be
    /// unlocked.
    fn finish(self) -> u64 {
        let Self { volume, damage, sequence, .. } = self;
        if let Some(what) = damage.filter(|_| !volume.is_locked()) {
            tracing::error!(volume = %volume.id, what, "a journal is damaged; the volume is as it was before that, and read-only");
            volume.damage.get_or_init(|| what);
        }
        sequence
    }

    fn take_record(&mut self, record: &Record) -> Result<()> {
        let Some(encryption) = &self.volume.contents.encryption else {
            return self.take_part(&record.links, &record.body);
        };
        let Some(key) = encryption.key() else {
            self.volume.has_locked_journal.store(true, Ordering::SeqCst);
            return Ok(());
        };
        let body = key.open(Context::Journal(encryption.identity.0), &record.links, &record.body);
        let damaged =
            |_| Error::Damaged { inode: 0, what: "a part of the journal: it does not open with the volume's key" };
        self.take_part(&record.links, &body.map_err(damaged)?)
    }

    fn take_part(&mut self, links: &[Name], body: &[u8]) -> Result<()> {
        let part = journal::decode(links, body).map_err(|malformed| malformed.in_volume("a part of the journal"))?;
        self.take(part)
    }

    /// Goes on with what could be read of a damaged journal; tells what that is, if it was damaged.
    fn accept_damage(&mut self, info: &VolumeInfo) -> Option<RepairedVolume> {
        // Of a locked one it shows when it is unlocked.
        let what = self.damage.take_if(|_| !self.volume.is_locked())?;
        let outcome = Fallback::Journal { checkpoint: self.volume.last_checkpoint.lock().taken };
        Some(RepairedVolume { id: info.id, name: info.name.clone(), what, outcome })
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
        for (inode, change) in group.changes {
            self.volume.layers.overlay.replay(inode, change);
        }
    }
}
