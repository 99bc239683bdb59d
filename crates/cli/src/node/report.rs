//! What the node tells about itself.

use super::Node;
use crate::scrub::ScrubStatus;
use crate::status::{Encryption, Health, MountStatus, NodeStatus, Role, SpaceStatus, Status, VolumeStatus};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use volume::{Timestamp, VolumeId, VolumeInfo};

/// Damaged things that a status shows.
const DAMAGES_SHOWN_MAX: usize = 20;

impl Node {
    /// How the node is. It waits for nothing that waits for the disk, but for the list of volumes.
    pub(super) fn status(&self) -> Status {
        let mut problems = Vec::new();
        let volumes = self.volumes(&mut problems);
        let mounts: Vec<_> = volumes.iter().filter_map(|volume| self.mount_status(volume)).collect();
        let space = self.space(&volumes, &mut problems);
        let is_read_only = self.check_store(&mut problems);
        Status {
            node: self.node_status(),
            mounts,
            volumes,
            space,
            dirty_bytes: self.pool.dirty_bytes(),
            scrub: self.scrub_status(&mut problems),
            health: health(is_read_only, &problems),
            problems,
        }
    }

    fn node_status(&self) -> NodeStatus {
        let first = self.mounts.get(VolumeId::FIRST);
        NodeStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: self.store.clone(),
            uptime_seconds: self.started.elapsed().as_secs(),
            transport: first.map_or_else(|| "none".to_owned(), |first| first.transport()),
        }
    }

    fn volumes(&self, problems: &mut Vec<String>) -> Vec<VolumeStatus> {
        let volumes = self.pool.list_volumes().unwrap_or_else(|error| {
            problems.push(format!("the list of volumes cannot be read: {error}"));
            Vec::new()
        });
        problems.extend(volumes.iter().filter_map(|volume| self.mount_problem(volume)));
        volumes.iter().filter_map(|volume| self.volume_status(volume)).collect()
    }

    /// What is wrong with a volume's mount.
    fn mount_problem(&self, volume: &VolumeInfo) -> Option<String> {
        let name = &volume.name;
        if let Some(why) = self.unmounted.lock().get(&volume.id) {
            return Some(format!("{name} is not mounted: {why}"));
        }
        if let Some(why) = self.pool.volume_damage(volume.id) {
            let advice = "it takes no changes, and its last ones may be lost; copy what you need out of it";
            return Some(format!("{name} is as it was before its journal was damaged ({why}); {advice}"));
        }
        let place = self.mounts.mountpoint(volume.id)?;
        let is_there = fuse::mounts::find(&place).ok()?.is_some();
        let what_to_do = "`pantala down --force` and `pantala up` bring it back";
        (!is_there).then(|| format!("{name} was detached from {} from outside; {what_to_do}", place.display()))
    }

    fn volume_status(&self, info: &VolumeInfo) -> Option<VolumeStatus> {
        let volume = self.pool.volume(info.id)?;
        let status = volume.status();
        Some(VolumeStatus {
            id: info.id.0,
            name: info.name.clone(),
            identity: info.identity.to_string(),
            role: match info.role {
                volume::Role::Primary => Role::Primary,
                volume::Role::Replica => Role::Replica,
            },
            encryption: match (volume.is_encrypted(), volume.is_locked()) {
                (false, _) => Encryption::None,
                (true, true) => Encryption::Locked,
                (true, false) => Encryption::Unlocked,
            },
            settings: info.settings.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            mountpoint: self.mounts.mountpoint(info.id),
            inodes: status.inodes,
            logical_bytes: status.logical_bytes,
            overlay_bytes: status.overlay_bytes,
            root: status.root.map(|root| root.to_string()),
            checkpoint_age_seconds: age_seconds(status.checkpoint_taken),
        })
    }

    fn mount_status(&self, volume: &VolumeStatus) -> Option<MountStatus> {
        let serving = self.mounts.get(VolumeId(volume.id))?;
        Some(MountStatus {
            volume: volume.name.clone(),
            mountpoint: serving.mountpoint().to_owned(),
            transport: serving.transport(),
            idle_latency_microseconds: serving.idle_latency(),
            unsynced: serving.unsynced(),
            requests: serving.requests(),
        })
    }

    fn space(&self, volumes: &[VolumeStatus], problems: &mut Vec<String>) -> SpaceStatus {
        let disk = self.pool.store().space().unwrap_or_else(|error| {
            problems.push(error.to_string());
            block::Space::default()
        });
        let logical_bytes = volumes.iter().map(|volume| volume.logical_bytes).sum();
        let usage = self.pool.store().usage().unwrap_or_else(|error| {
            problems.push(error.to_string());
            block::Usage::default()
        });
        let stored_bytes = usage.stored_bytes;
        SpaceStatus {
            logical_bytes,
            stored_bytes,
            live_bytes: usage.live_bytes,
            dead_bytes: usage.dead_bytes,
            free_bytes: disk.free_bytes,
            total_bytes: disk.total_bytes,
            ratio: (stored_bytes > 0).then(|| logical_bytes as f64 / stored_bytes as f64),
        }
    }

    /// How scrubbing is. What is damaged is a problem.
    fn scrub_status(&self, problems: &mut Vec<String>) -> ScrubStatus {
        let scrub = self.scrubber.status();
        let damaged = self.pool.store().damaged();
        let findings = scrub.last.iter().flat_map(|last| &last.findings);
        let (mut lines, mut named) = (Vec::new(), BTreeSet::new());
        for finding in findings.filter(|finding| !finding.healed) {
            // A block that was put again since is healed.
            let is_still =
                finding.block.as_ref().is_none_or(|block| damaged.iter().any(|one| one.name.to_string() == *block));
            if is_still {
                lines.push(finding.line());
                named.extend(finding.block.clone());
            }
        }
        let unnamed = damaged.iter().filter(|block| !named.contains(&block.name.to_string()));
        lines.extend(unnamed.map(|block| format!("{}; `pantala scrub` tells which files use it", block.what)));
        let more = lines.len().saturating_sub(DAMAGES_SHOWN_MAX);
        lines.truncate(DAMAGES_SHOWN_MAX);
        lines.extend((more > 0).then(|| format!("{more} more are damaged; `pantala scrub --status` names them")));
        problems.extend(lines);
        problems.extend(scrub.problem.clone());
        scrub
    }

    /// Whether the store has stopped taking writes.
    fn check_store(&self, problems: &mut Vec<String>) -> bool {
        let store = self.pool.store();
        problems.extend(store.index_problem().map(|why| {
            format!(
                "the index takes no changes: {why}; nothing is lost, and it goes on by itself once the disk is well"
            )
        }));
        match store.health() {
            block::Health::Ok => false,
            _ if store.is_closed() => {
                let problem = |damage| {
                    format!("the log is damaged: {damage}; `pantala store repair` makes the store writable again")
                };
                problems.extend(store.damage().map(problem));
                true
            }
            block::Health::ReadOnly { reason, lost } => {
                let what_to_do = match lost {
                    None => "it goes on by itself once the disk takes writes again".to_owned(),
                    Some(lost) => format!("{lost}; see to the disk, then `pantala down --force` and `pantala up`"),
                };
                problems.push(format!("the store takes no writes: {reason}; {what_to_do}"));
                true
            }
        }
    }
}

fn health(is_read_only: bool, problems: &[String]) -> Health {
    match (is_read_only, problems.is_empty()) {
        (true, _) => Health::ReadOnly,
        (false, false) => Health::Degraded,
        (false, true) => Health::Ok,
    }
}

/// How long ago a time was; 0 for one to come, as a clock that was set back shows it.
pub(super) fn age_seconds(time: Timestamp) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    now.as_secs().saturating_sub(u64::try_from(time.seconds).unwrap_or(0))
}
