//! Encrypted volumes while the node is up: unlocking, locking, and their key slots.

use super::Node;
use crate::control::{KeyTable, NewEncryption, SecretKey, from_hex, to_hex};
use crate::{failure, secrets};
use anyhow::{Context, Result};
use seal::KeySlots;
use volume::{VolumeId, VolumeInfo};

impl Node {
    /// Makes an encrypted volume in the pool.
    pub(super) fn make_encrypted(&self, name: &str, encryption: &NewEncryption) -> Result<VolumeInfo> {
        secrets::protect();
        let slots = slots(&encryption.slots)?;
        Ok(self.pool.create_encrypted_volume(name, super::start::owner(), encryption.key.key(), &slots)?)
    }

    /// Whether a volume is encrypted and its key is not here.
    pub(super) fn is_locked(&self, volume: VolumeId) -> bool {
        self.pool.volume(volume).is_some_and(|volume| volume.is_locked())
    }

    /// The key slots of a volume: no secret.
    pub(super) fn key_table(&self, name: &str) -> Result<KeyTable> {
        let volume = self.pool.find_volume(name)?;
        let slots = self.pool.key_slots(name).with_context(|| format!("cannot read the key slots of {name}"))?;
        Ok(KeyTable { slots: to_hex(&slots.encode()), is_locked: self.is_locked(volume.id) })
    }

    /// Opens a volume and mounts it.
    pub(super) fn unlock_volume(&self, name: &str, key: &SecretKey) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        secrets::protect();
        let volume = self.pool.unlock_volume(name, key.key()).with_context(|| format!("cannot unlock {name}"))?;
        self.snapshot_alarm.look_again();
        if self.mounts.get(volume.id).is_none() {
            self.try_to_mount(&volume);
        }
        Ok(vec![match (self.mounts.mountpoint(volume.id), self.unmounted.lock().get(&volume.id)) {
            (Some(place), _) => format!("{name} is unlocked and mounted at {}", place.display()),
            (None, Some(why)) => format!("{name} is unlocked, but not mounted: {why}"),
            (None, None) => format!("{name} is unlocked"),
        }])
    }

    /// Unmounts a volume and forgets its key.
    pub(super) fn lock_volume(&self, name: &str) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let failed = || format!("cannot lock {name}");
        let volume = self.pool.find_volume(name).with_context(failed)?;
        // Says so if it is none that can be locked, before it is unmounted.
        self.pool.key_slots(name).with_context(failed)?;
        self.clear(&volume, &format!("lock {name}"))?;
        if let Err(error) = self.pool.lock_volume(name).with_context(failed) {
            self.try_to_mount(&volume);
            return Err(error);
        }
        self.unmounted.lock().remove(&volume.id);
        Ok(vec![format!("{name} is locked; `pantala volume unlock {name}` opens it")])
    }

    /// Puts other key slots in force.
    pub(super) fn set_key_slots(&self, name: &str, key: &SecretKey, text: &str) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        secrets::protect();
        let failed = || format!("cannot change the keys of {name}");
        let slots = slots(text).with_context(failed)?;
        self.pool.set_key_slots(name, &key.key(), &slots).with_context(failed)?;
        Ok(Vec::new())
    }

    /// What to tell of volumes that wait for their key.
    pub(super) fn locked_lines(&self) -> Vec<String> {
        let volumes = self.pool.list_volumes().unwrap_or_else(|error| {
            tracing::error!("{}", failure::line(&error.into()));
            Vec::new()
        });
        let locked = volumes.iter().filter(|volume| self.is_locked(volume.id));
        locked.map(|volume| format!("{0} is locked; `pantala volume unlock {0}` opens it", volume.name)).collect()
    }
}

fn slots(text: &str) -> Result<KeySlots> {
    let bytes = from_hex(text).context("the command sent no key slots")?;
    Ok(KeySlots::decode(&bytes)?)
}
