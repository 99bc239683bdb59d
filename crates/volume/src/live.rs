//! What a pool still needs of its store: the answer to a garbage collection.
//!
//! The collection knows records and follows links. What only memory knows is shown here, while everything that changes stands
//! still:
//!
//! | what | where |
//! |---|---|
//! | file data that is a block already, and no tree or group links to it | overlay, frozen overlay, changes that the journal could not take |
//! | trees that somebody reads, though no root leads to them any more | trees in use |
//!
//! Operations are kept out by the gate, commits by the journal's lock, checkpoints (also those that make snapshots) by theirs, and
//! changes of the catalog by its. What a transfer to a replica has received is known to nobody but the transfer, which holds
//! collections off.

use crate::Volume;
use crate::catalog::{CATALOG_STREAM, Catalog};
use crate::shared::{Shared, Volumes};
use block::{Alive, Live, Name};
use parking_lot::Mutex;
use std::sync::Arc;

/// A pool's side of a collection.
pub(crate) struct Living {
    pub(crate) shared: Arc<Shared>,
    pub(crate) catalog: Arc<Mutex<Catalog>>,
    pub(crate) volumes: Arc<Volumes>,
}

impl Living {
    pub(crate) fn open_volumes(&self) -> Vec<Arc<Volume>> {
        self.volumes.read().values().cloned().collect()
    }
}

impl Live for Living {
    fn survey(&self, begin: &mut dyn FnMut(), visit: &mut dyn FnMut(Name)) -> Alive {
        let _catalog = self.catalog.lock();
        let volumes = self.open_volumes();
        let _checkpointing: Vec<_> = volumes.iter().map(|volume| volume.checkpointing.lock()).collect();
        let journals: Vec<_> = volumes.iter().map(|volume| volume.journal.lock()).collect();
        let _closed: Vec<_> = volumes.iter().map(|volume| volume.gate.write()).collect();
        begin();
        for (volume, journal) in volumes.iter().zip(&journals) {
            volume.layers.visit_blocks(visit);
            journal.visit_blocks(visit);
        }
        self.shared.trees_in_use().into_iter().for_each(visit);
        let streams = volumes.iter().map(|volume| (volume.id.0, volume.last_checkpoint.lock().replay_from));
        // The catalog has no journal.
        Alive { streams: streams.chain([(CATALOG_STREAM, self.shared.store.position())]).collect() }
    }
}
