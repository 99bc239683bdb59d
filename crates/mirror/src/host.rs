//! The volumes of a pool that is open in this process, as sides of a sync.

use crate::error::Side;
use crate::limits::VERIFY_STEP_BYTES;
use crate::local::{Keeper, StoreTarget};
use crate::ports::{Source, Target, Visitor};
use crate::verify::Verifiable;
use crate::volumes::{Listed, Origin, ReplicaMode, ReplicaVolume, SourceVolume};
use crate::{Error, Result};
use block::{Blocks, Name, PackedBlock, Store};
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::Arc;
use volume::{
    KeptRoot, Pinned, Pool, PoolError, Receiving, Role, Scrub, ScrubPoint, ScrubStage, State, Volume, VolumeId,
    VolumeIdentity, VolumeInfo, Witnesses,
};

/// The volumes of a pool.
pub fn list(pool: &Pool) -> Result<Vec<Listed>> {
    let listed = |info: VolumeInfo| -> Result<Option<Listed>> {
        let Some(volume) = pool.volume(info.id) else { return Ok(None) };
        let is_partial = pool.received(info.id).map_err(Error::of_pool(Side::Target))?.is_some();
        let is_replica = info.role == Role::Replica;
        let (has_changes, state) = (!volume.is_quiet(), volume.state());
        let VolumeInfo { identity, name, .. } = info;
        Ok(Some(Listed { identity, name, is_replica, is_partial, has_changes, state }))
    };
    let volumes = pool.list_volumes().map_err(Error::of_pool(Side::Source))?;
    volumes.into_iter().filter_map(|info| listed(info).transpose()).collect()
}

/// A volume of this process's pool that is copied from.
pub struct LocalSource<'a> {
    pool: &'a Pool,
    origin: Origin,
    /// Collecting garbage leaves what is copied.
    _pinned: Pinned,
}

impl<'a> LocalSource<'a> {
    /// Opens a volume by its name, or by its identity, with everything that was accepted so far.
    pub fn open(pool: &'a Pool, which: &str) -> Result<Self> {
        let failed = Error::of_pool(Side::Source);
        let info = find(pool, which).map_err(&failed)?;
        let volume = pool.volume(info.id).ok_or_else(|| Error::not_open(&info.name))?;
        let pinned = newest(&volume).map_err(|error| failed(error.into()))?;
        let (state, witnesses, kept) = (pinned.state, pinned.witnesses.clone(), pinned.kept.clone());
        let origin = Origin { identity: info.identity, name: info.name, state, witnesses, kept };
        Ok(Self { pool, origin, _pinned: pinned })
    }
}

fn newest(volume: &Volume) -> volume::Result<Pinned> {
    if !volume.is_replica() {
        volume.checkpoint()?;
    }
    volume.pin()
}

pub(crate) fn find(pool: &Pool, which: &str) -> std::result::Result<VolumeInfo, PoolError> {
    let volumes = pool.list_volumes()?;
    let by_identity = volumes.into_iter().find(|info| info.identity.to_string() == which);
    by_identity.map_or_else(|| pool.find_volume(which), Ok)
}

impl Source for LocalSource<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        self.pool.store().read(names, linked_bytes_max, visit)
    }
}

impl SourceVolume for LocalSource<'_> {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn store(&self) -> Option<&Store> {
        Some(self.pool.store())
    }
}

/// A replica in this process's pool.
pub struct LocalReplica<'a> {
    name: String,
    receiving: Receiving,
    target: StoreTarget<'a>,
    notes: Arc<Notes<'a>>,
}

impl<'a> LocalReplica<'a> {
    /// Opens the replica of a volume that has this state now.
    pub fn open(
        pool: &'a Pool,
        identity: VolumeIdentity,
        name: &str,
        state: &State,
        mode: ReplicaMode,
    ) -> Result<Self> {
        let info = find_or_make(pool, identity, name, state, mode)?;
        let volume = pool.volume(info.id).ok_or_else(|| Error::not_open(&info.name))?;
        let receiving = volume.begin_receiving().ok_or_else(|| Error::Busy { volume: info.name.clone() })?;
        let notes = Arc::new(Notes::begin(pool, info.id)?);
        let target = StoreTarget::new(pool.store().clone(), notes.clone());
        Ok(Self { name: info.name, receiving, target, notes })
    }
}

fn find_or_make(
    pool: &Pool,
    identity: VolumeIdentity,
    name: &str,
    state: &State,
    mode: ReplicaMode,
) -> Result<VolumeInfo> {
    let failed = Error::of_pool(Side::Target);
    match pool.find_identity(identity).map_err(&failed)? {
        Some(info) if info.role == Role::Replica => Ok(info),
        Some(info) if mode.replace => pool.set_role(&info.name, Role::Replica).map_err(&failed),
        Some(info) => Err(Error::Promoted { volume: info.name }),
        None if mode.create => {
            let is_taken = pool.find_volume(name).is_ok();
            let name = if is_taken { format!("{name}-{}", &identity.to_string()[..8]) } else { name.to_owned() };
            pool.create_replica(&name, identity, state).map_err(&failed)
        }
        None => Err(Error::NoReplica { volume: name.to_owned() }),
    }
}

impl Target for LocalReplica<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        self.target.lacking(names)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        self.target.put(block)
    }
}

impl ReplicaVolume for LocalReplica<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn held(&self) -> State {
        self.receiving.volume().state()
    }

    fn store(&self) -> Option<&Store> {
        Some(self.notes.pool.store())
    }

    fn wanted(&self, offered: &[KeptRoot]) -> Result<Vec<KeptRoot>> {
        let wanted = self.receiving.volume().wanted(offered);
        wanted.map_err(|error| Error::of_pool(Side::Target)(error.into()))
    }

    fn receive(&self, state: &State, witnesses: &Witnesses, kept: &[KeptRoot]) -> Result<()> {
        let failed = Error::of_pool(Side::Target);
        self.receiving.volume().receive(state, witnesses, kept).map_err(|error| failed(error.into()))?;
        self.target.finish();
        self.notes.pool.forget_received(self.notes.volume).map_err(failed)
    }
}

impl Drop for LocalReplica<'_> {
    /// What was received by a sync that was cut off stays for the next one.
    fn drop(&mut self) {
        if let Err(error) = self.target.settle() {
            tracing::warn!(%error, "what was received may be garbage by the next sync");
        }
    }
}

/// Takes note of what a replica has received, in the pool's catalog.
pub(crate) struct Notes<'a> {
    pool: &'a Pool,
    volume: VolumeId,
    /// What an earlier sync had received. It stays noted until this one has ended.
    before: Option<Name>,
}

impl<'a> Notes<'a> {
    /// For a transfer to a volume.
    pub(crate) fn begin(pool: &'a Pool, volume: VolumeId) -> Result<Self> {
        let before = pool.received(volume).map_err(Error::of_pool(Side::Target))?;
        Ok(Self { pool, volume, before })
    }
}

impl Keeper for Notes<'_> {
    fn keep(&self, complete: &[Name]) -> Result<()> {
        let names = self.before.iter().chain(complete).copied().collect();
        self.pool.keep_received(self.volume, names).map_err(Error::of_pool(Side::Target))
    }
}

/// A pool of this process that is verified.
pub struct LocalVerifiable<'a> {
    pool: &'a Pool,
    /// What was read so far: a second look does not read the log again.
    point: Mutex<ScrubPoint>,
}

impl<'a> LocalVerifiable<'a> {
    /// Nothing is read yet.
    pub fn new(pool: &'a Pool) -> Self {
        Self { pool, point: Mutex::default() }
    }
}

impl Verifiable for LocalVerifiable<'_> {
    fn verify(&self) -> Result<Vec<Name>> {
        let mut point = self.point.lock();
        let mut scrub = Scrub::new(point.clone());
        while scrub.progress().stage != ScrubStage::Done {
            scrub.step(self.pool, VERIFY_STEP_BYTES).map_err(Error::of_pool(Side::Target))?;
        }
        *point = scrub.point().clone();
        Ok(scrub.findings().iter().filter(|finding| !finding.is_healed).filter_map(|finding| finding.block).collect())
    }

    fn fetch(&self, name: &Name) -> Result<Option<PackedBlock>> {
        let mut found = None;
        let read = self.pool.store().read_packed(&[*name], &mut |block| {
            found = Some(block);
            Ok(ControlFlow::Break(()))
        });
        let is_whole = |block: &PackedBlock| block.unpack().is_ok();
        match read {
            Ok(()) => Ok(found.filter(is_whole)),
            Err(block::Error::Missing { .. } | block::Error::Corrupt { .. } | block::Error::Disk { .. }) => Ok(None),
            Err(error) => Err(Error::of(Side::Source)(error)),
        }
    }

    fn heal(&self, block: &PackedBlock) -> Result<()> {
        let (store, failed) = (self.pool.store(), Error::of(Side::Target));
        let repaired = block.unpack().and_then(|block| store.repair(&block)).and_then(|_| store.sync());
        repaired.map_err(failed)
    }
}
