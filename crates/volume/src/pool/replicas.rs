//! Replicas in a pool: making them, giving them a role, and what was received for them so far.

use super::{Pool, PoolError, check_free, find};
use crate::catalog::{Role, VolumeId, VolumeIdentity, VolumeInfo};
use crate::replica::{REPLICA_RETENTION, State, first_root};
use crate::{Settings, Volume};
use block::{Block, Blocks, LINKS_MAX, Name};
use bytes::Bytes;
use std::sync::Arc;

/// The body of a block that only holds what was received together. It means nothing.
const RECEIVED: Bytes = Bytes::from_static(b"received");

impl Pool {
    /// The volume with an identity.
    pub fn find_identity(&self, identity: VolumeIdentity) -> Result<Option<VolumeInfo>, PoolError> {
        Ok(self.list_volumes()?.into_iter().find(|volume| volume.identity == identity))
    }

    /// Makes a replica that has received nothing yet, for a volume that has this state now.
    pub fn create_replica(&self, name: &str, identity: VolumeIdentity, state: &State) -> Result<VolumeInfo, PoolError> {
        let mut catalog = self.catalog.lock();
        check_free(&catalog, name)?;
        let now = self.shared.environment.now();
        let mut settings = Settings::default();
        settings.set(crate::kept::RETENTION_SETTING, REPLICA_RETENTION)?;
        let id = catalog.next_volume()?;
        let info = VolumeInfo { id, identity, name: name.into(), created: now, role: Role::Replica, settings };
        let root = first_root(state, self.shared.store.position());
        self.shared.store.append(&root.record(info.id.0))?;
        let volume = Volume::at(&info, &root, self.shared.clone());
        catalog.add(&info, now)?;
        self.volumes.write().insert(info.id, Arc::new(volume));
        Ok(info)
    }

    /// Makes a replica writable, or a volume a replica. What a volume had when it became one stays in its history.
    pub fn set_role(&self, name: &str, role: Role) -> Result<VolumeInfo, PoolError> {
        let mut catalog = self.catalog.lock();
        let mut info = find(&catalog, name)?;
        let Some(volume) = self.volume(info.id).filter(|_| info.role != role) else {
            return Ok(info);
        };
        if role == Role::Replica {
            volume.check_journal_unlocked()?;
            volume.set_role(role);
        }
        let before = std::mem::replace(&mut info.role, role);
        let settle = || match role {
            Role::Primary => volume.leave_lane(),
            Role::Replica => volume.checkpoint(),
        };
        let mut update = || settle().and_then(|()| catalog.update(&info, self.shared.environment.now()));
        if let Err(error) = update() {
            volume.set_role(before);
            return Err(error.into());
        }
        if role == Role::Primary {
            volume.set_role(role);
            if !volume.is_locked() {
                volume.reclaim_orphans()?;
            }
        }
        Ok(info)
    }

    /// What was received for a replica by a transfer that has not ended.
    pub fn received(&self, volume: VolumeId) -> Result<Option<Name>, PoolError> {
        Ok(self.catalog.lock().transfer(volume)?)
    }

    /// Takes durable note of what was received for a replica: these blocks, with everything below them. They are no garbage from
    /// now on, in place of those that were noted before.
    pub fn keep_received(&self, volume: VolumeId, mut names: Vec<Name>) -> Result<(), PoolError> {
        if names.is_empty() {
            return self.forget_received(volume);
        }
        while let bundles @ 1.. = names.len().div_ceil(LINKS_MAX) {
            let bundle = |links: &[Name]| self.shared.store.put(&Block { links: links.to_vec(), body: RECEIVED });
            names = names.chunks(LINKS_MAX).map(bundle).collect::<block::Result<_>>()?;
            if bundles == 1 {
                break;
            }
        }
        self.set_received(volume, names.pop())
    }

    /// What was received for a replica is part of it, or is not wanted any more.
    pub fn forget_received(&self, volume: VolumeId) -> Result<(), PoolError> {
        match self.received(volume)? {
            Some(_) => self.set_received(volume, None),
            // With the state, other key slots may have come.
            None if self.volume(volume).is_some_and(|volume| volume.is_encrypted()) => {
                Ok(self.catalog.lock().keep_twice()?)
            }
            None => Ok(()),
        }
    }

    fn set_received(&self, volume: VolumeId, received: Option<Name>) -> Result<(), PoolError> {
        let now = self.shared.environment.now();
        Ok(self.catalog.lock().set_transfer(volume, received, now)?)
    }
}
