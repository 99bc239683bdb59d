//! Where volumes are mounted: the file `mounts.json` of a store. It holds the places that are not the default ones, and the
//! first volume's last one, so that `pantala up` brings back what was there.

use crate::record_file::RecordFile;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use volume::VolumeId;

const FILE: RecordFile = RecordFile { name: "mounts.json", version: 1, advice: "remove it and give --mount" };

/// The mount directories that are remembered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(BTreeMap<VolumeId, PathBuf>);

#[derive(Default, Serialize, Deserialize)]
struct Content {
    mounts: BTreeMap<u64, PathBuf>,
}

impl Places {
    /// Those of a store; none if it has none.
    pub(crate) fn read(store: &Path) -> Result<Self> {
        let Content { mounts } = FILE.read(store)?.unwrap_or_default();
        Ok(Self(mounts.into_iter().map(|(id, place)| (VolumeId(id), place)).collect()))
    }

    /// Writes them, whole or not at all.
    pub(super) fn write(&self, store: &Path) -> Result<()> {
        let mounts = self.0.iter().map(|(id, place)| (id.0, place.clone())).collect();
        FILE.write(store, &Content { mounts })
    }

    /// Where a volume is to be mounted, if that is remembered.
    pub(super) fn get(&self, volume: VolumeId) -> Option<&Path> {
        self.0.get(&volume).map(PathBuf::as_path)
    }

    /// All places, the first volume's first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Path> {
        self.0.values().map(PathBuf::as_path)
    }

    /// Remembers a place; false if it was known.
    pub(super) fn set(&mut self, volume: VolumeId, place: &Path) -> bool {
        self.0.insert(volume, place.to_owned()).as_deref() != Some(place)
    }

    /// Forgets a place; false if none was known.
    pub(super) fn remove(&mut self, volume: VolumeId) -> bool {
        self.0.remove(&volume).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = Places::read(folder.path()).unwrap();
        assert!(places.set(VolumeId::FIRST, Path::new("/a b")) && !places.set(VolumeId::FIRST, Path::new("/a b")));
        places.write(folder.path()).unwrap();
        assert_eq!(Places::read(folder.path()).unwrap(), places);
    }
}
