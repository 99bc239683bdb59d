//! A replica in an object store, as the target of a sync.

use crate::error::Result;
use crate::home::Home;
use crate::manifest::Manifest;
use crate::work::{Work, now, of_volume, retention};
use block::{Name, PackedBlock};
use mirror::{Error as MirrorError, Origin, ReplicaMode, ReplicaVolume, Target};
use parking_lot::Mutex;
use volume::{Archive, KeptRoot, State, Witnesses};

/// A replica in an object store.
pub struct ObjectReplica {
    name: String,
    held: State,
    work: Mutex<Work>,
}

impl ObjectReplica {
    pub(crate) fn open(home: &Home, origin: &Origin, mode: ReplicaMode) -> Result<Self> {
        let Origin { identity, name, state, .. } = origin;
        let manifest = match home.newest()? {
            Some(manifest) => manifest,
            None if mode.create => {
                let first = Manifest::first(*identity, name, state);
                if home.commit(&first)? { first } else { return Err(home.overtaken(&first)) }
            }
            None => return Err(MirrorError::NoReplica { volume: name.clone() }.into()),
        };
        let (name, held) = (manifest.name.clone(), manifest.state);
        Ok(Self { name, held, work: Mutex::new(Work::begin(home, manifest)?) })
    }
}

impl Target for ObjectReplica {
    fn lacking(&self, names: &[Name]) -> mirror::Result<Vec<Name>> {
        Ok(self.work.lock().lacking(names)?)
    }

    fn put(&self, block: &PackedBlock) -> mirror::Result<bool> {
        Ok(self.work.lock().put(block)?)
    }
}

impl ReplicaVolume for ObjectReplica {
    fn name(&self) -> &str {
        &self.name
    }

    fn held(&self) -> State {
        self.held
    }

    fn wanted(&self, offered: &[KeptRoot]) -> mirror::Result<Vec<KeptRoot>> {
        let manifest = &self.work.lock().manifest;
        let retention = retention(manifest)?;
        let wanted = Archive::new(&manifest.kept).and_then(|archive| archive.wanted(offered, &retention, now()));
        Ok(wanted.map_err(of_volume)?)
    }

    fn receive(&self, state: &State, witnesses: &Witnesses, kept: &[KeptRoot]) -> mirror::Result<()> {
        Ok(self.work.lock().receive(state, witnesses, kept)?)
    }
}

impl Drop for ObjectReplica {
    /// What was received by a sync that was cut off stays for the next one.
    fn drop(&mut self) {
        if let Err(error) = self.work.get_mut().settle() {
            tracing::warn!(%error, "what was received last has to be sent again");
        }
    }
}
