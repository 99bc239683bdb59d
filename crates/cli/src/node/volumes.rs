//! Volumes that come, go, and change their names while the node is up.

use super::mountpoint::{self, Mountpoint};
use super::serving::Serving;
use super::{Node, start, stop};
use crate::control::NewEncryption;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use volume::{Role, VolumeId, VolumeInfo};

impl Node {
    /// Makes a volume and mounts it; returns what to tell the user.
    pub(super) fn create_volume(
        &self,
        name: &str,
        mount: Option<&Path>,
        encryption: Option<&NewEncryption>,
    ) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let given = mount.map(Mountpoint::given).transpose()?;
        given.iter().try_for_each(Mountpoint::check)?;
        let made = match encryption {
            Some(encryption) => self.make_encrypted(name, encryption),
            None => self.pool.create_volume(name, start::owner()).map_err(Into::into),
        };
        let volume = made.with_context(|| format!("cannot make {name}"))?;
        if let Err(error) = self.mount_new(&volume, given.as_ref()) {
            self.unmake(&volume);
            return Err(error);
        }
        let place = self.mounts.mountpoint(volume.id).unwrap_or_default();
        Ok(vec![format!("{name} is mounted at {}", place.display())])
    }

    /// Mounts a new volume at its default place, and says where; if that fails, there is no volume.
    pub(super) fn mount_or_unmake(&self, volume: &VolumeInfo) -> Result<PathBuf> {
        if let Err(error) = self.mount_new(volume, None) {
            self.unmake(volume);
            return Err(error);
        }
        Ok(self.mounts.mountpoint(volume.id).unwrap_or_default())
    }

    fn mount_new(&self, volume: &VolumeInfo, given: Option<&Mountpoint>) -> Result<()> {
        let Some(given) = given else { return self.mount_at_its_place(volume) };
        self.remember(volume.id, given.path())?;
        self.mount(volume, given)
    }

    /// Takes back a volume that could not be mounted.
    fn unmake(&self, volume: &VolumeInfo) {
        let forgotten = self.forget(volume.id);
        let deleted = self.pool.delete_volume(&volume.name).context("cannot delete");
        if let Err(error) = forgotten.and(deleted) {
            tracing::error!(volume = volume.name, "{error:#}");
        }
    }

    /// Unmounts a volume and deletes it.
    pub(super) fn delete_volume(&self, name: &str) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let failed = || format!("cannot delete {name}");
        let volume = self.pool.find_volume(name).with_context(failed)?;
        if volume.id == VolumeId::FIRST {
            return Err(volume::PoolError::FirstVolume { name: name.into() }).with_context(failed);
        }
        let place = self.clear(&volume, &format!("delete {name}"))?;
        self.pool.delete_volume(name).with_context(failed)?;
        self.forget_place(volume.id, place.as_deref())?;
        Ok(vec![format!("{name} is deleted")])
    }

    /// Makes a replica writable.
    pub(super) fn promote_volume(&self, name: &str) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let volume = self.pool.set_role(name, Role::Primary).with_context(|| format!("cannot promote {name}"))?;
        let locked = format!("{name} is writable once it is unlocked: `pantala volume unlock {name}`");
        Ok(vec![if self.is_locked(volume.id) { locked } else { format!("{name} is writable now") }])
    }

    /// Gives a volume another name. At its default place its mount moves with the name.
    pub(super) fn rename_volume(&self, name: &str, new_name: &str) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let volume = self.pool.find_volume(name).with_context(|| format!("cannot rename {name}"))?;
        self.rename_in_catalog(name, new_name)?;
        if self.is_at_default_place(volume.id)
            && !self.is_locked(volume.id)
            && let Err(error) = self.move_mount(&volume, new_name)
        {
            self.rename_in_catalog(new_name, name)?;
            return Err(error);
        }
        let place = self.mounts.mountpoint(volume.id).map_or("nowhere".to_owned(), |place| place.display().to_string());
        Ok(vec![format!("{name} is now {new_name}, mounted at {place}")])
    }

    /// Changes settings of a volume.
    pub(super) fn set_volume(&self, name: &str, settings: &[(String, String)]) -> Result<Vec<String>> {
        let _operation = self.operation.lock();
        let info = self.pool.set_volume(name, settings).with_context(|| format!("cannot set {name}"))?;
        self.snapshot_alarm.look_again();
        let line = |key: &str| match info.settings.get(key) {
            "" => format!("{key} of {name} is not set"),
            value => format!("{key} of {name} is {value}"),
        };
        Ok(settings.iter().map(|(key, _)| line(key)).collect())
    }

    fn rename_in_catalog(&self, name: &str, new_name: &str) -> Result<()> {
        let renamed = self.pool.rename_volume(name, new_name);
        renamed.map(drop).with_context(|| format!("cannot rename {name} to {new_name}"))
    }

    /// Moves a mount to the default place of a name; if that fails, it is where it was.
    fn move_mount(&self, volume: &VolumeInfo, new_name: &str) -> Result<()> {
        let new = Mountpoint::own(&self.default_place(new_name)?)?;
        new.check()?;
        let old = self.clear(volume, &format!("rename {}", volume.name))?;
        let renamed = VolumeInfo { name: new_name.to_owned(), ..volume.clone() };
        match (self.mount(&renamed, &new), old) {
            (Ok(()), old) => {
                old.iter().for_each(|old| mountpoint::remove(old));
                Ok(())
            }
            (Err(error), Some(old)) => {
                self.serve_at(volume.id, &volume.name, &old)?;
                Err(error)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Does something while no other volume is mounted inside a volume: their mount directories may come and go with it.
    pub(super) fn without_inner_mounts<R>(
        &self,
        volume: &VolumeInfo,
        what: &str,
        act: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        let Some(place) = self.mounts.mountpoint(volume.id) else { return act() };
        let is_inside = |other: &VolumeInfo| {
            let other_place = self.mounts.mountpoint(other.id);
            other.id != volume.id && other_place.is_some_and(|other_place| other_place.starts_with(&place))
        };
        let volumes = self.pool.list_volumes()?;
        let inside: Vec<_> = volumes.into_iter().filter(is_inside).collect();
        let cleared = inside.iter().try_for_each(|inner| self.clear(inner, what).map(drop));
        let done = cleared.and_then(|()| act());
        for inner in inside.iter().filter(|inner| self.mounts.get(inner.id).is_none()) {
            self.try_to_mount(inner);
        }
        done
    }

    /// Unmounts a volume if nothing uses it; returns where it was.
    pub(super) fn clear(&self, volume: &VolumeInfo, what: &str) -> Result<Option<PathBuf>> {
        let Some(serving) = self.mounts.get(volume.id) else { return Ok(None) };
        let place = serving.mountpoint().to_owned();
        stop::refuse_if_used(what, &[&place], "and try again")?;
        self.unmount(&(volume.id, serving.clone())).with_context(|| format!("cannot {what}"))?;
        check_ended(&serving, what)?;
        Ok(Some(place))
    }

    /// A deleted volume leaves no trace of its mount: the directory goes, if the node made it.
    fn forget_place(&self, volume: VolumeId, place: Option<&Path>) -> Result<()> {
        self.unmounted.lock().remove(&volume);
        if let Some(place) = place
            && self.is_at_default_place(volume)
        {
            mountpoint::remove(place);
        }
        self.forget(volume)
    }
}

/// What is mounted in another namespace, too, is still in use there.
fn check_ended(serving: &Arc<Serving>, what: &str) -> Result<()> {
    if !serving.wait_ended(stop::END_TIME_MAX) {
        bail!(
            "cannot {what}: it is mounted in another mount namespace, too (a container, a service); unmount it there"
        );
    }
    Ok(())
}
