//! Mounting volumes at their places.

use super::Node;
use super::mountpoint::{self, Mountpoint};
use super::serving::Serving;
use super::source::Source;
use crate::{defaults, failure};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use volume::{VolumeId, VolumeInfo};

impl Node {
    /// Mounts the first volume, which must succeed, and then all others that can be mounted.
    pub(super) fn mount_all(&self, first: &Mountpoint) -> Result<()> {
        let volumes = self.pool.list_volumes().context("cannot read the list of volumes")?;
        let (main, others) =
            volumes.split_first().context("the pool has no volume; bring the store back from a copy")?;
        match self.pool.volume_damage(main.id) {
            Some(why) if self.pool.volume(main.id).is_none() => self.note_unmounted(main, why),
            _ if self.is_locked(main.id) => {}
            _ => self.mount(main, first)?,
        }
        self.remember(main.id, first.path())?;
        others.iter().for_each(|volume| self.try_to_mount(volume));
        Ok(())
    }

    /// Mounts the volumes that are not mounted: those that somebody unmounted, and those that could not be before.
    pub(super) fn mount_missing(&self) -> Result<()> {
        let _operation = self.operation.lock();
        let volumes = self.pool.list_volumes().context("cannot read the list of volumes")?;
        let is_missing = |volume: &&VolumeInfo| self.mounts.get(volume.id).is_none();
        volumes.iter().filter(is_missing).for_each(|volume| self.try_to_mount(volume));
        Ok(())
    }

    /// Mounts a volume, or notes why that cannot be. One that is locked waits until it is unlocked.
    pub(super) fn try_to_mount(&self, volume: &VolumeInfo) {
        if self.is_locked(volume.id) {
            return;
        }
        if let Err(error) = self.mount_at_its_place(volume) {
            self.note_unmounted(volume, failure::line(&error));
        }
    }

    fn note_unmounted(&self, volume: &VolumeInfo, why: String) {
        tracing::error!(volume = volume.name, "{why}");
        self.unmounted.lock().insert(volume.id, why);
    }

    /// Mounts a volume where it belongs.
    pub(super) fn mount_at_its_place(&self, volume: &VolumeInfo) -> Result<()> {
        let remembered = self.places.lock().get(volume.id).map(Path::to_owned);
        let mountpoint = match remembered {
            Some(place) => Mountpoint::given(&place)?,
            None => Mountpoint::own(&self.default_place(&volume.name)?)?,
        };
        mountpoint.check()?;
        self.mount(volume, &mountpoint)
    }

    /// Where a volume is mounted of which nobody said where: in the first one's mount directory.
    ///
    /// An ordinary user's mounts lie beside it instead: the kernel lets nobody but the user into such a mount, not even the
    /// set-user-id helper that would have to mount there.
    pub(super) fn default_place(&self, name: &str) -> Result<PathBuf> {
        let remembered = || self.places.lock().get(VolumeId::FIRST).map(Path::to_owned);
        let main = self.mounts.mountpoint(VolumeId::FIRST).or_else(remembered);
        let main = main.context("the pool's first volume is not mounted")?;
        if defaults::is_root() {
            return Ok(main.join(name));
        }
        let mut beside = main.into_os_string();
        beside.push(".volumes");
        Ok(PathBuf::from(beside).join(name))
    }

    /// Whether a volume's place is the default one.
    pub(super) fn is_at_default_place(&self, volume: VolumeId) -> bool {
        volume != VolumeId::FIRST && self.places.lock().get(volume).is_none()
    }

    /// Mounts a volume at a directory that was checked.
    pub(super) fn mount(&self, volume: &VolumeInfo, mountpoint: &Mountpoint) -> Result<()> {
        let is_made = mountpoint.make()?;
        let served = self.serve_at(volume.id, &volume.name, mountpoint.path());
        if served.is_err() && is_made {
            mountpoint::remove(mountpoint.path());
        }
        served
    }

    /// Mounts a volume at a directory.
    pub(super) fn serve_at(&self, id: VolumeId, name: &str, place: &Path) -> Result<()> {
        let volume = self.pool.volume(id).with_context(|| match self.pool.volume_damage(id) {
            Some(why) => format!("the volume {name} cannot be opened: {why}"),
            None => format!("the volume {name} is not open"),
        })?;
        let serving =
            Serving::start(volume, place, Source::name(&self.store, name), self.read_only, self.events.clone())?;
        self.mounts.add(id, serving);
        self.unmounted.lock().remove(&id);
        Ok(())
    }

    /// Remembers where a volume is mounted, for the next time.
    pub(super) fn remember(&self, volume: VolumeId, place: &Path) -> Result<()> {
        let mut places = self.places.lock();
        if places.set(volume, place) && !self.read_only { places.write(&self.store) } else { Ok(()) }
    }

    /// Forgets where a volume was mounted.
    pub(super) fn forget(&self, volume: VolumeId) -> Result<()> {
        let mut places = self.places.lock();
        if places.remove(volume) && !self.read_only { places.write(&self.store) } else { Ok(()) }
    }

    /// A mount has ended; true if somebody unmounted the first volume from outside.
    pub(super) fn mount_ended(&self, volume: VolumeId, serving: &Arc<Serving>) -> bool {
        let _operation = self.operation.lock();
        if !self.mounts.remove_this(volume, serving) {
            return false;
        }
        tracing::warn!(mountpoint = %serving.mountpoint().display(), "unmounted from outside");
        self.unmounted.lock().insert(volume, "it was unmounted from outside".to_owned());
        volume == VolumeId::FIRST
    }
}
