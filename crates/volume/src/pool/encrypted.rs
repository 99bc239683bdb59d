//! Encrypted volumes in a pool: making, unlocking and locking them, and their key slots.

use super::{Pool, PoolError, find};
use crate::catalog::VolumeInfo;
use crate::{Creator, Error, Volume};
use block::{Block, Blocks, Name};
use seal::{KeySlots, VolumeKey};
use std::sync::Arc;

impl Pool {
    /// Makes an empty encrypted volume, unlocked, whose top directory belongs to `owner`.
    pub fn create_encrypted_volume(
        &self,
        name: &str,
        owner: Creator,
        key: VolumeKey,
        slots: &KeySlots,
    ) -> Result<VolumeInfo, PoolError> {
        slots.verify(&key)?;
        let mut catalog = self.catalog.lock();
        let now = self.shared.environment.now();
        let info = self.new_volume(&catalog, name, now)?;
        // What is put here is linked to by nothing until the root is there.
        let _hold = self.shared.store.hold();
        let slots = self.put_slots(slots)?;
        let volume = self.empty_volume(&info, owner, Some((Arc::new(key), slots)))?;
        self.volumes.write().insert(info.id, Arc::new(volume));
        if let Err(error) = catalog.add(&info, now) {
            self.volumes.write().remove(&info.id);
            return Err(error.into());
        }
        Ok(info)
    }

    /// Opens an encrypted volume with its key. One that is open already stays so.
    pub fn unlock_volume(&self, name: &str, key: VolumeKey) -> Result<VolumeInfo, PoolError> {
        let (info, volume) = self.encrypted(name)?;
        volume.key_slots()?.verify(&key)?;
        volume.unlock(key)?;
        Ok(info)
    }

    /// Closes an encrypted volume and forgets its key. Nobody may use it any more.
    pub fn lock_volume(&self, name: &str) -> Result<VolumeInfo, PoolError> {
        let (info, volume) = self.encrypted(name)?;
        volume.lock()?;
        Ok(info)
    }

    /// The key slots of an encrypted volume.
    pub fn key_slots(&self, name: &str) -> Result<KeySlots, PoolError> {
        self.encrypted(name)?.1.key_slots()
    }

    /// Changes the key slots of a volume. Nothing is encrypted anew.
    pub fn set_key_slots(&self, name: &str, key: &VolumeKey, slots: &KeySlots) -> Result<VolumeInfo, PoolError> {
        let catalog = self.catalog.lock();
        let info = find(&catalog, name)?;
        let (_, volume) = self.encrypted_of(info.clone())?;
        if volume.is_replica() {
            return Err(Error::Replica.into());
        }
        slots.verify(key)?;
        let before = volume.key_slots()?;
        before.verify(key)?;
        if slots.generation() <= before.generation() {
            return Err(PoolError::SlotsChanged { name: name.into() });
        }
        let _hold = self.shared.store.hold();
        volume.set_slots_block(self.put_slots(slots)?)?;
        catalog.keep_twice()?;
        Ok(info)
    }

    fn encrypted(&self, name: &str) -> Result<(VolumeInfo, Arc<Volume>), PoolError> {
        self.encrypted_of(self.find_volume(name)?)
    }

    fn encrypted_of(&self, info: VolumeInfo) -> Result<(VolumeInfo, Arc<Volume>), PoolError> {
        let Some(volume) = self.volume(info.id) else {
            let what = self.lost.get(&info.id).cloned().unwrap_or_else(|| "the volume is not open".to_owned());
            return Err(block::Error::Corrupt { what }.into());
        };
        match volume.is_encrypted() {
            true => Ok((info, volume)),
            false => Err(PoolError::NotEncrypted { name: info.name }),
        }
    }

    fn put_slots(&self, slots: &KeySlots) -> Result<Name, PoolError> {
        Ok(self.shared.store.put(&Block::data(slots.encode().into()))?)
    }
}
