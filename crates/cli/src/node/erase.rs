//! `pantala erase` while the node is up.

use super::Node;
use crate::past::{ErasureInfo, PastAnswer};
use anyhow::{Context, Result};
use std::collections::HashSet;
use volume::{EraseError, Erasure, VolumeInfo};

impl Node {
    pub(super) fn plan_erase(&self, volume: &VolumeInfo, path: &[u8]) -> Result<PastAnswer> {
        match self.pool.plan_erase(volume.id, path) {
            Ok(erasure) => Ok(answer(info(volume, path, erasure))),
            Err(error) => self.purging_or(path, error),
        }
    }

    pub(super) fn erase(&self, volume: &VolumeInfo, path: &[u8], also_held: bool) -> Result<PastAnswer> {
        let _operation = self.operation.lock();
        match self.pool.erase(volume.id, path, also_held) {
            Ok(erased) => {
                let awaited = self.pool.purge(erased.blocks)?;
                Ok(answer(ErasureInfo { erased: true, awaited, ..info(volume, path, erased.erasure) }))
            }
            Err(error) => self.purging_or(path, error),
        }
    }

    /// Where no state has it any more, an erase before may have been cut off: then the rest of it is done.
    fn purging_or(&self, path: &[u8], error: EraseError) -> Result<PastAnswer> {
        let is_gone = matches!(error, EraseError::NeverThere { .. });
        if is_gone && self.pool.garbage().is_purge_due {
            return Ok(PastAnswer::Purging { awaited: self.pool.purge(HashSet::new())? });
        }
        Err(error).with_context(|| format!("cannot erase /{}", String::from_utf8_lossy(path)))
    }
}

fn answer(info: ErasureInfo) -> PastAnswer {
    PastAnswer::Erasure(Box::new(info))
}

fn info(volume: &VolumeInfo, path: &[u8], erasure: Erasure) -> ErasureInfo {
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    ErasureInfo {
        volume: volume.name.clone(),
        path: text(path),
        inodes: erasure.inodes,
        versions: erasure.versions,
        live_names: erasure.names,
        live_paths: erasure.paths.iter().map(|path| text(path)).collect(),
        snapshots: erasure.snapshots,
        held_snapshots: erasure.held,
        history: erasure.history,
        sync_states: erasure.meetings,
        blocks: erasure.blocks,
        stored_bytes: erasure.stored_bytes,
        open: erasure.open,
        ..ErasureInfo::default()
    }
}
