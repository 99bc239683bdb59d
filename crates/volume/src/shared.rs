//! What the volumes of a pool share.

use crate::Volume;
use crate::catalog::VolumeId;
use crate::collector::Collector;
use crate::data_cache::DataCache;
use crate::dirty_block::Budget;
use crate::environment::Environment;
use crate::flush::Flusher;
use crate::wake::Wake;
use block::{Blocks, Store};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
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
    pub(crate) wake: Wake,
    pub(crate) collector: Collector,
}

impl Shared {
    pub(crate) fn blocks(&self) -> &dyn Blocks {
        &*self.store
    }
}
