//! Snapshots and history while the node is up.

use super::Node;
use crate::control::Response;
use crate::past::{
    DeletedInfo, DifferenceInfo, DifferencesInfo, PastAnswer, PastOrder, SnapshotInfo, StateName, VersionInfo, utc,
};
use crate::{failure, output};
use anyhow::{Context, Result, bail};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use volume::{
    Difference, Happened, KeptId, KeptRoot, Kind, SnapshotError, Timestamp, Version, Volume, VolumeId, VolumeInfo,
};

/// Most differences that are listed in one answer.
const DIFFERENCES_MAX: usize = 100_000;

impl Node {
    /// Does what is asked about the past of a volume, of the first one if none is named.
    pub(super) fn past(&self, volume: Option<&str>, order: PastOrder) -> Response {
        match self.find(volume).and_then(|(info, volume)| self.do_past(&info, &volume, order)) {
            Ok(answer) => Response::Past(Box::new(answer)),
            Err(error) => {
                let line = failure::line(&error);
                tracing::warn!("{line}");
                Response::Failed(line)
            }
        }
    }

    fn find(&self, name: Option<&str>) -> Result<(VolumeInfo, Arc<Volume>)> {
        let info = match name {
            Some(name) => self.pool.find_volume(name)?,
            None => {
                self.pool.list_volumes()?.into_iter().find(|info| info.id == VolumeId::FIRST).context("no volume")?
            }
        };
        let volume = self.pool.volume(info.id).with_context(|| format!("{} is being deleted", info.name))?;
        Ok((info, volume))
    }

    fn do_past(&self, info: &VolumeInfo, volume: &Volume, order: PastOrder) -> Result<PastAnswer> {
        let done = |line: String| Ok(PastAnswer::Done(vec![line]));
        match order {
            PastOrder::CreateSnapshot { name, is_held } => {
                volume.create_snapshot(&name, is_held).with_context(|| format!("cannot make the snapshot {name}"))?;
                done(format!("{}@{name} is made{}", info.name, if is_held { ", and held" } else { "" }))
            }
            PastOrder::ListSnapshots => {
                Ok(PastAnswer::Snapshots(list(info, volume, self.snapshots_free(info).ok().as_ref())?))
            }
            PastOrder::DeleteSnapshot { name } => {
                volume.delete_snapshot(&name).with_context(|| format!("cannot delete the snapshot {name}"))?;
                done(format!("{}@{name} is deleted", info.name))
            }
            PastOrder::DeletionEffect { names } => {
                let frees = output::bytes(self.deletion_frees(info, volume, &names)?);
                let snapshots = if names.len() == 1 { "1 snapshot" } else { &format!("{} snapshots", names.len()) };
                done(format!("deleting {snapshots} of {} would free {frees}; nothing was deleted", info.name))
            }
            PastOrder::RenameSnapshot { name, new_name } => {
                let renamed = volume.rename_snapshot(&name, &new_name);
                renamed.with_context(|| format!("cannot rename the snapshot {name} to {new_name}"))?;
                done(format!("{}@{name} is now {new_name}", info.name))
            }
            PastOrder::HoldSnapshot { name, is_held } => {
                let what = if is_held { "hold" } else { "release" };
                let changed = volume.hold_snapshot(&name, is_held);
                changed.with_context(|| format!("cannot {what} the snapshot {name}"))?;
                done(format!("{}@{name} is {}", info.name, if is_held { "held" } else { "released" }))
            }
            PastOrder::Versions { path } => versions(volume, &path),
            PastOrder::Deleted { path } => deleted(volume, &path),
            PastOrder::Differences { before, after, is_listed } => differences(volume, &before, &after, is_listed),
            PastOrder::Clone { state, new_volume } => self.clone_volume(info, volume, &state, &new_volume),
            PastOrder::RollBack { to } => {
                let _operation = self.operation.lock();
                let what = format!("roll {} back", info.name);
                self.without_inner_mounts(info, &what, || roll_back(info, volume, &to))
            }
            PastOrder::PlanErase { path } => self.plan_erase(info, &path),
            PastOrder::Erase { path, also_held } => self.erase(info, &path, also_held),
            PastOrder::RetentionEffect { retention } => self.retention_effect(info, volume, &retention),
        }
    }

    fn deletion_frees(&self, info: &VolumeInfo, volume: &Volume, names: &[String]) -> Result<u64> {
        let mut going = HashSet::new();
        for name in names {
            let snapshot = volume.snapshot(name).with_context(|| format!("cannot delete the snapshot {name}"))?;
            if snapshot.is_held {
                bail!("the snapshot {name} is held; `pantala snapshot release {name}` lets it be deleted");
            }
            going.insert(snapshot.root.id());
        }
        Ok(self.pool.freed_by(info.id, &going)?)
    }

    fn retention_effect(&self, info: &VolumeInfo, volume: &Volume, retention: &str) -> Result<PastAnswer> {
        let retention: volume::Retention = retention.parse()?;
        let (mut going, mut stays, mut oldest) = (HashSet::new(), 0_u64, None);
        for (root, is_kept) in volume.retention_effect(&retention)? {
            if is_kept {
                stays += 1;
                oldest.get_or_insert(root.taken());
            } else {
                going.insert(root.id());
            }
        }
        let frees = output::bytes(self.pool.freed_by(info.id, &going)?);
        let oldest = oldest.map_or_else(|| "none".to_owned(), |time| crate::past::local(&utc(time)));
        Ok(PastAnswer::Done(vec![format!(
            "of the history of {}, {} states would go and {stays} stay, the oldest from {oldest}; that frees {frees}; \
             snapshots stay in any case",
            info.name,
            going.len()
        )]))
    }

    fn clone_volume(
        &self,
        info: &VolumeInfo,
        volume: &Volume,
        state: &StateName,
        new_volume: &str,
    ) -> Result<PastAnswer> {
        let _operation = self.operation.lock();
        let failed = || format!("cannot clone {}", info.name);
        let root = find_state(volume, state).with_context(failed)?;
        let made = self.pool.clone_volume(volume, &root, new_volume).with_context(failed)?;
        let place = self.mount_or_unmake(&made)?;
        Ok(PastAnswer::Done(vec![format!("{new_volume} is mounted at {}", place.display())]))
    }
}

fn list(info: &VolumeInfo, volume: &Volume, frees: Option<&HashMap<KeptId, u64>>) -> Result<Vec<SnapshotInfo>> {
    let show = |snapshot: volume::Result<volume::Snapshot>| {
        let snapshot = snapshot?;
        Ok(SnapshotInfo {
            volume: info.name.clone(),
            taken: utc(snapshot.taken),
            held: snapshot.is_held,
            inodes: snapshot.root.inodes(),
            logical_bytes: snapshot.root.logical_bytes(),
            frees_bytes: frees.map(|frees| frees.get(&snapshot.root.id()).copied().unwrap_or(0)),
            name: snapshot.name,
        })
    };
    volume.snapshots()?.map(show).collect()
}

/// The kept root of a state. The newest state is brought into one first.
fn find_state(volume: &Volume, state: &StateName) -> Result<KeptRoot> {
    match state {
        StateName::Snapshot(name) => Ok(volume.snapshot(name)?.root),
        StateName::Moment { seconds, nanoseconds } => {
            let time = Timestamp { seconds: *seconds, nanoseconds: *nanoseconds };
            if let Some(root) = volume.kept_at(time)? {
                return Ok(root);
            }
            match volume.kept_roots(Timestamp::FIRST, Timestamp::LAST)?.next().transpose()? {
                Some(first) => {
                    bail!("nothing is kept from {}; the first state is from {}", utc(time), utc(first.taken()))
                }
                None => bail!("nothing is kept yet"),
            }
        }
        StateName::Now => {
            volume.checkpoint()?;
            volume
                .kept_at(Timestamp::LAST)?
                .context("the newest state is not in the history yet; change something first")
        }
    }
}

fn kind(kind: Kind) -> String {
    let word = match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharacterDevice | Kind::BlockDevice => "device",
    };
    word.to_owned()
}

fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn versions(volume: &Volume, path: &[u8]) -> Result<PastAnswer> {
    let versions = volume.versions(path)?;
    if versions.is_empty() {
        bail!("nothing had the path {} in any state that is kept", text(path));
    }
    let show = |version: Version| {
        let time = |root: Option<&KeptRoot>| root.map(|root| utc(root.taken()));
        let snapshots = version.roots.iter().filter_map(KeptRoot::snapshot_name);
        VersionInfo {
            path: text(&version.path),
            kind: kind(version.attributes.kind),
            inode: version.inode.0,
            size: version.attributes.size,
            modified: utc(version.attributes.modified),
            live: version.is_live,
            first_kept: time(version.roots.last()),
            last_kept: time(version.roots.first()),
            kept: version.roots.len() as u64,
            snapshots: snapshots.map(str::to_owned).collect(),
        }
    };
    Ok(PastAnswer::Versions(versions.into_iter().map(show).collect()))
}

fn deleted(volume: &Volume, path: &[u8]) -> Result<PastAnswer> {
    let deleted = volume.deleted_from(path)?;
    let deleted = deleted.with_context(|| format!("no directory had the path {} in any state", text(path)))?;
    let show = |deleted: volume::Deleted| DeletedInfo {
        name: text(&deleted.name),
        kind: kind(deleted.kind),
        size: deleted.attributes.size,
        modified: utc(deleted.attributes.modified),
        last_kept: utc(deleted.root.taken()),
        moved_to: deleted.moved_to.as_deref().map(text),
    };
    Ok(PastAnswer::Deleted(deleted.into_iter().map(show).collect()))
}

fn differences(volume: &Volume, before: &StateName, after: &StateName, is_listed: bool) -> Result<PastAnswer> {
    let open = |state| Ok::<_, anyhow::Error>(volume.open_kept(&find_state(volume, state)?)?);
    let found = volume::differences(&open(before)?, &open(after)?).context("cannot compare")?;
    let mut info = DifferencesInfo::default();
    for difference in &found {
        *match difference.happened {
            Happened::Added => &mut info.added,
            Happened::Removed => &mut info.removed,
            Happened::Renamed => &mut info.renamed,
            Happened::Changed => &mut info.changed,
        } += 1;
        if difference.kind != Kind::Directory {
            info.bytes_before += difference.size_before.unwrap_or(0);
            info.bytes += difference.size.unwrap_or(0);
        }
    }
    if is_listed {
        if found.len() > DIFFERENCES_MAX {
            bail!("{} names differ, more than the {DIFFERENCES_MAX} that are listed; --stat counts them", found.len());
        }
        info.differences = found.into_iter().map(show_difference).collect();
    }
    Ok(PastAnswer::Differences(info))
}

fn show_difference(difference: Difference) -> DifferenceInfo {
    let change = match difference.happened {
        Happened::Added => "added",
        Happened::Removed => "removed",
        Happened::Renamed => "renamed",
        Happened::Changed => "changed",
    };
    DifferenceInfo {
        change: change.to_owned(),
        path: text(&difference.path),
        path_before: difference.path_before.as_deref().map(text),
        kind: kind(difference.kind),
        content: difference.content,
        attributes: difference.attributes,
        size_before: difference.size_before,
        size: difference.size,
    }
}

fn roll_back(info: &VolumeInfo, volume: &Volume, to: &StateName) -> Result<PastAnswer> {
    let failed = || format!("cannot roll {} back", info.name);
    if *to == StateName::Now {
        bail!("{} is at its newest state; name a snapshot or a time", info.name);
    }
    let root = find_state(volume, to).with_context(failed)?;
    let now = jiff::Zoned::now().strftime("before-rollback-%Y%m%d-%H%M%S").to_string();
    let mut number = 1;
    let before = loop {
        let name = if number == 1 { now.clone() } else { format!("{now}-{number}") };
        match volume.roll_back(&root, &name) {
            Err(SnapshotError::NameTaken { .. }) => number += 1,
            done => break done.with_context(failed)?,
        }
    };
    Ok(PastAnswer::Done(vec![
        format!("{} is as it was at {}", info.name, crate::past::local(&utc(root.taken()))),
        format!(
            "the state before is the snapshot {0}@{1}; `pantala rollback {0} {1}` goes back to it",
            info.name, before.name
        ),
    ]))
}
