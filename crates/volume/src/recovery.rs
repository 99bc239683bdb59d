//! Finding a volume's state again: its last root, and the journal behind it.

use crate::catalog::{VolumeId, VolumeInfo};
use crate::change::Change;
use crate::journal::{self, Counters, Part};
use crate::root::Root;
use crate::shared::Shared;
use crate::{Error, Inode, Result, Volume};
use block::{Position, RecordKind, StoredRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Opens volumes. The journal is read once, for all of them together.
pub(crate) fn recover(shared: &Arc<Shared>, infos: &[VolumeInfo]) -> Result<BTreeMap<VolumeId, Arc<Volume>>> {
    let mut replays = BTreeMap::new();
    let mut from: Option<Position> = None;
    for info in infos {
        let root = last_root(shared, info.id)?;
        from = Some(from.map_or(root.replay_from, |from| from.min(root.replay_from)));
        let volume = Volume::at(info.id, &root, info.settings.clone(), shared.clone());
        volume.set_role(info.role);
        let replay = Replay { sequence: root.sequence, group: None, volume };
        replays.insert(info.id, replay);
    }
    if let Some(from) = from {
        replay(shared, from, &mut replays)?;
    }
    let volumes = replays.into_iter().map(|(id, replay)| (id, Arc::new(replay.volume)));
    let volumes: BTreeMap<_, _> = volumes.collect();
    for volume in volumes.values().filter(|volume| !volume.is_replica()) {
        volume.reclaim_orphans()?;
    }
    Ok(volumes)
}

fn last_root(shared: &Shared, volume: VolumeId) -> Result<Root> {
    let stored = shared.store.latest_root(volume.0)?;
    let stored = stored.ok_or(Error::Damaged { inode: 0, what: "the catalog: a volume has no root" })?;
    Root::parse(&stored.record).map_err(|malformed| malformed.in_volume("the root of a volume"))
}

fn replay(shared: &Shared, from: Position, replays: &mut BTreeMap<VolumeId, Replay>) -> Result<()> {
    let mut failed = None;
    shared.store.records_from(from, &mut |StoredRecord { record, .. }| {
        if record.kind != RecordKind::Intent || failed.is_some() {
            return Ok(());
        }
        let Some(replay) = replays.get_mut(&VolumeId(record.stream)) else {
            return Ok(());
        };
        let part = journal::decode(&record.links, &record.body);
        let taken = part.map_err(|malformed| malformed.in_volume("a part of the journal"));
        failed = taken.and_then(|part| replay.take(part)).err();
        Ok(())
    })?;
    failed.map_or(Ok(()), Err)
}

/// Replays one volume's journal.
struct Replay {
    volume: Volume,
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
