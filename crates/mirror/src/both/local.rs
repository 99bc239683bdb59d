//! A volume of this process's pool as a side of a two-way sync.

use super::peer::{Adoption, Line, LineKind, Looked, Merge, MergeResult, PeerVolume};
use crate::error::Side;
use crate::host::{Notes, find};
use crate::local::StoreTarget;
use crate::ports::{Source, Target, Visitor};
use crate::{Error, Result};
use block::{Name, PackedBlock, Store};
use parking_lot::Mutex;
use std::sync::Arc;
use volume::{Adopting, MergeOutcome, MergeRequest, Peer, Pool, Receiving, Role, VolumeInfo};

/// A volume of this process's pool that takes part in a two-way sync. No garbage is collected meanwhile.
pub struct LocalPeer<'a> {
    pool: &'a Pool,
    info: VolumeInfo,
    receiving: Receiving,
    target: StoreTarget<'a>,
    /// What was merged last: nothing else may refer to it.
    merged: Mutex<Option<MergeOutcome>>,
}

impl<'a> LocalPeer<'a> {
    /// Opens a volume by its name, or by its identity.
    pub fn open(pool: &'a Pool, which: &str) -> Result<Self> {
        let failed = Error::of_pool(Side::Target);
        let info = find(pool, which).map_err(&failed)?;
        let volume = pool.volume(info.id).ok_or_else(|| Error::not_open(&info.name))?;
        let receiving = volume.begin_receiving().ok_or_else(|| Error::Busy { volume: info.name.clone() })?;
        let notes = Arc::new(Notes::begin(pool, info.id)?);
        let target = StoreTarget::new(pool.store().clone(), notes);
        Ok(Self { pool, info, receiving, target, merged: Mutex::default() })
    }

    /// Everything that came is part of the volume now.
    fn finish(&self) -> Result<()> {
        self.target.finish();
        self.pool.forget_received(self.info.id).map_err(Error::of_pool(Side::Target))
    }
}

fn failed(error: volume::Error) -> Error {
    Error::of_pool(Side::Target)(error.into())
}

impl Source for LocalPeer<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        self.pool.store().read(names, linked_bytes_max, visit)
    }
}

impl Target for LocalPeer<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        self.target.lacking(names)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        self.target.put(block)
    }
}

impl PeerVolume for LocalPeer<'_> {
    fn look(&self) -> Result<Looked> {
        let volume = self.receiving.volume();
        let is_replica =
            self.pool.find_volume(&self.info.name).map_or(volume.is_replica(), |it| it.role == Role::Replica);
        if !is_replica {
            volume.checkpoint().map_err(failed)?;
        }
        let (state, past) = (volume.state(), volume.past().map_err(failed)?);
        let (identity, name) = (self.info.identity, self.info.name.clone());
        Ok(Looked { identity, name, peer: *self.pool.store().id().as_bytes(), is_replica, state, past })
    }

    fn store(&self) -> Option<&Store> {
        Some(self.pool.store())
    }

    fn merge(&self, merge: &Merge) -> Result<MergeResult> {
        let Merge { theirs, base, peer, label, is_dry_run } = merge;
        let request = MergeRequest { theirs, base: *base, peer: *peer, label, is_dry_run: *is_dry_run };
        let mut outcome = self.receiving.volume().merge_in(&request).map_err(failed)?;
        if !is_dry_run {
            self.finish()?;
        }
        let conflict =
            |it: volume::Conflict| Line { kind: LineKind::Conflict(it.kind), path: it.path, other: it.other };
        let here = std::mem::take(&mut outcome.taken).into_iter().map(Line::of(LineKind::Here));
        let there = std::mem::take(&mut outcome.given).into_iter().map(Line::of(LineKind::There));
        let lines = here.chain(there).chain(std::mem::take(&mut outcome.conflicts).into_iter().map(conflict)).collect();
        let state = outcome.state;
        *self.merged.lock() = Some(outcome);
        Ok(MergeResult { state, lines })
    }

    fn adopt(&self, adoption: &Adoption) -> Result<bool> {
        let Adoption { state, expected, peer, base } = adoption;
        let adopting =
            Adopting { state, expected: *expected, peer: *peer, includes: None, base: *base, leaves_lane: true };
        let is_adopted = self.receiving.volume().adopt(&adopting).map_err(failed)?;
        if is_adopted {
            self.finish()?;
        }
        Ok(is_adopted)
    }

    fn note_meeting(&self, peer: Peer, root: Option<Name>) -> Result<()> {
        self.receiving.volume().note_meeting(peer, root).map_err(failed)
    }
}

impl Drop for LocalPeer<'_> {
    /// What came of a sync that was cut off stays for the next one.
    fn drop(&mut self) {
        if let Err(error) = self.target.settle() {
            tracing::warn!(%error, "what was received may be garbage by the next sync");
        }
    }
}
