//! Where the space is, while the node is up.

use super::Node;
use crate::control::Response;
use crate::failure;
use crate::past::utc;
use crate::space::{SnapshotSpaceInfo, SpaceInfo, VolumeSpaceInfo};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::Path;
use volume::{KeptId, VolumeInfo, VolumeUse};

impl Node {
    /// Tells of the state of this moment.
    pub(super) fn space_use(&self) -> Response {
        match self.find_space() {
            Ok(info) => Response::Space(Box::new(info)),
            Err(error) => Response::Failed(failure::line(&error)),
        }
    }

    fn find_space(&self) -> Result<SpaceInfo> {
        self.pool.checkpoint().context("cannot make the newest state durable")?;
        let found = self.pool.space_use().context("cannot tell what takes the space")?;
        let infos = self.pool.list_volumes()?;
        let named = |of: &VolumeUse| infos.iter().find(|info| info.id == of.id).map(|info| (info, of.clone()));
        let volumes = found.volumes.iter().filter_map(named).map(|(info, of)| self.volume_space(info, &of));
        let volumes = volumes.collect::<Result<Vec<_>>>()?;
        let store = self.pool.store();
        let (usage, disk) = (store.usage()?, store.space()?);
        let known = found.newest_bytes + found.snapshots_bytes + found.history_bytes;
        Ok(SpaceInfo {
            as_of: utc(found.as_of),
            newest_bytes: found.newest_bytes,
            snapshots_bytes: found.snapshots_bytes,
            history_bytes: found.history_bytes,
            other_bytes: usage.stored_bytes.saturating_sub(known),
            stored_bytes: usage.stored_bytes,
            reserve_bytes: store.reserve_bytes(),
            index_bytes: bytes_below(&self.store.join("index")),
            free_bytes: disk.free_bytes,
            total_bytes: disk.total_bytes,
            volumes,
        })
    }

    fn volume_space(&self, info: &VolumeInfo, of: &VolumeUse) -> Result<VolumeSpaceInfo> {
        let frees = self.snapshots_free(info)?;
        let mut snapshots = Vec::new();
        if let Some(volume) = self.pool.volume(info.id) {
            for snapshot in volume.snapshots()? {
                let snapshot = snapshot?;
                let frees_bytes = frees.get(&snapshot.root.id()).copied().unwrap_or(0);
                snapshots.push(SnapshotSpaceInfo { name: snapshot.name, frees_bytes });
            }
        }
        Ok(VolumeSpaceInfo {
            volume: info.name.clone(),
            newest_frees_bytes: of.newest_bytes,
            snapshots_free_bytes: of.snapshots_bytes,
            history_frees_bytes: of.history_bytes,
            past_frees_bytes: of.past_bytes,
            volume_frees_bytes: of.volume_bytes,
            snapshots,
        })
    }

    /// What deleting each snapshot of a volume alone frees.
    pub(super) fn snapshots_free(&self, info: &VolumeInfo) -> Result<HashMap<KeptId, u64>> {
        let uses = self.pool.snapshot_uses(info.id).context("cannot tell what the snapshots take")?;
        Ok(uses.into_iter().map(|one| (one.id, one.bytes)).collect())
    }
}

/// What the files below a directory take. Some may go while it looks.
fn bytes_below(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}
