//! Where volumes are mounted: the file `mounts.json` of a store. It holds the places that are not the default ones, and the
//! first volume's last one, so that `pantala up` brings back what was there.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use volume::VolumeId;

const PLACES_FILE: &str = "mounts.json";
const NEW_PLACES_FILE: &str = "mounts.json.new";

const VERSION: u32 = 1;

/// The mount directories that are remembered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(BTreeMap<VolumeId, PathBuf>);

#[derive(Serialize, Deserialize)]
struct PlacesFile {
    version: u32,
    mounts: BTreeMap<u64, PathBuf>,
}

impl Places {
    /// Those of a store; none if it has none.
    pub(crate) fn read(store: &Path) -> Result<Self> {
        let path = store.join(PLACES_FILE);
        let bytes = match fs::read(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            result => result.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let file: PlacesFile = serde_json::from_slice(&bytes)
            .with_context(|| format!("cannot read {}: it is damaged; remove it and give --mount", path.display()))?;
        ensure!(file.version <= VERSION, "{} was written by a newer version; use a newer pantala", path.display());
        Ok(Self(file.mounts.into_iter().map(|(id, place)| (VolumeId(id), place)).collect()))
    }

    /// Writes them, whole or not at all.
    pub(super) fn write(&self, store: &Path) -> Result<()> {
        let mounts = self.0.iter().map(|(id, place)| (id.0, place.clone())).collect();
        let write = || -> io::Result<()> {
            let text = serde_json::to_vec_pretty(&PlacesFile { version: VERSION, mounts })?;
            let new = store.join(NEW_PLACES_FILE);
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(new, store.join(PLACES_FILE))
        };
        write().with_context(|| format!("cannot remember the mounts in {}", store.display()))
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
    fn places_are_remembered_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = Places::read(folder.path()).unwrap();
        assert!(places.set(VolumeId::FIRST, Path::new("/a b")) && !places.set(VolumeId::FIRST, Path::new("/a b")));
        places.write(folder.path()).unwrap();
        assert_eq!(Places::read(folder.path()).unwrap(), places);
        fs::write(folder.path().join(PLACES_FILE), "{").unwrap();
        assert!(Places::read(folder.path()).is_err());
    }
}
