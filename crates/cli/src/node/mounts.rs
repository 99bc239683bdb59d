//! The mounts that the node means to serve.

use super::serving::Serving;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use volume::VolumeId;

#[derive(Default)]
pub(super) struct Mounts(Mutex<BTreeMap<VolumeId, Arc<Serving>>>);

impl Mounts {
    /// Adds a volume's mount.
    pub(super) fn add(&self, volume: VolumeId, serving: Arc<Serving>) {
        self.0.lock().insert(volume, serving);
    }

    /// A volume's mount.
    pub(super) fn get(&self, volume: VolumeId) -> Option<Arc<Serving>> {
        self.0.lock().get(&volume).cloned()
    }

    /// Where a volume is mounted.
    pub(super) fn mountpoint(&self, volume: VolumeId) -> Option<PathBuf> {
        Some(self.get(volume)?.mountpoint().to_owned())
    }

    /// Takes a volume's mount out of the table.
    pub(super) fn remove(&self, volume: VolumeId) {
        self.0.lock().remove(&volume);
    }

    /// Takes a mount out of the table if it is there; false if it is not.
    pub(super) fn remove_this(&self, volume: VolumeId, serving: &Arc<Serving>) -> bool {
        let mut table = self.0.lock();
        let is_there = table.get(&volume).is_some_and(|there| Arc::ptr_eq(there, serving));
        if is_there {
            table.remove(&volume);
        }
        is_there
    }

    /// All mounts in the order in which they can be unmounted: what lies in another before the other.
    pub(super) fn inner_first(&self) -> Vec<(VolumeId, Arc<Serving>)> {
        let table = self.0.lock();
        let mut mounts: Vec<_> = table.iter().map(|(volume, serving)| (*volume, serving.clone())).collect();
        mounts.sort_by_key(|(_, serving)| Reverse(serving.mountpoint().components().count()));
        mounts
    }
}
