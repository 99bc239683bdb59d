//! What the volumes of a pool share.

use crate::Volume;
use crate::catalog::VolumeId;
use crate::collector::Collector;
use crate::data_cache::DataCache;
use crate::dirty_block::Budget;
use crate::environment::Environment;
use crate::flush::Flusher;
use crate::room::Room;
use crate::wake::Wake;
use block::{Blocks, Store};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tree::Nodes;

/// The open volumes of a pool.
pub(crate) type Volumes = RwLock<BTreeMap<VolumeId, Arc<Volume>>>;

pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) data: DataCache,
    pub(crate) budget: Arc<Budget>,
    pub(crate) flusher: Option<Flusher>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) collector: Collector,
    pub(crate) on_rest: Box<dyn Fn() + Send + Sync>,
    pub(crate) room: Room,
    /// Bytes of content that went, over all volumes, since the pool was opened.
    pub(crate) freed_bytes: Arc<AtomicU64>,
}

impl Shared {
    /// Gives back the memory of what can be read again, if nothing was read since the last call. True if it did.
    pub(crate) fn rest(&self) -> bool {
        let is_resting = !self.nodes.take_use();
        if is_resting {
            self.nodes.clear();
            self.data.clear();
            (self.on_rest)();
        }
        is_resting
    }

    pub(crate) fn blocks(&self) -> &dyn Blocks {
        &*self.store
    }
}
