//! What the volumes of a pool share.

use crate::Volume;
use crate::catalog::VolumeId;
use crate::catalog::VolumeIdentity;
use crate::collector::Collector;
use crate::contents::Contents;
use crate::dirty_block::Budget;
use crate::environment::Environment;
use crate::flush::Flusher;
use crate::ledger::Ledger;
use crate::room::Room;
use crate::wake::Wake;
use block::{Name, Store};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

/// The open volumes of a pool.
pub(crate) type Volumes = RwLock<BTreeMap<VolumeId, Arc<Volume>>>;

pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    /// What is not encrypted.
    pub(crate) plain: Arc<Contents>,
    /// What is, for as long as somebody has it.
    pub(crate) encrypted: Mutex<Vec<Weak<Contents>>>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) flusher: Option<Flusher>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) collector: Collector,
    pub(crate) ledger: Ledger,
    pub(crate) on_rest: Box<dyn Fn() + Send + Sync>,
    pub(crate) room: Room,
    /// Bytes of content that went, over all volumes, since the pool was opened.
    pub(crate) freed_bytes: Arc<AtomicU64>,
}

impl Shared {
    /// The contents of a volume.
    pub(crate) fn contents_of(&self, identity: VolumeIdentity, is_encrypted: bool) -> Arc<Contents> {
        if !is_encrypted {
            return self.plain.clone();
        }
        let contents = Arc::new(Contents::encrypted(self.store.clone(), identity));
        let wake = self.wake.clone();
        contents.nodes.on_use(move || wake.wake());
        let mut encrypted = self.encrypted.lock();
        encrypted.retain(|other| other.strong_count() > 0);
        encrypted.push(Arc::downgrade(&contents));
        contents
    }

    fn all_contents(&self) -> Vec<Arc<Contents>> {
        let encrypted = self.encrypted.lock();
        encrypted.iter().filter_map(Weak::upgrade).chain([self.plain.clone()]).collect()
    }

    /// Whether anything was read since the last call.
    pub(crate) fn take_use(&self) -> bool {
        self.all_contents().iter().fold(false, |is_used, contents| contents.nodes.take_use() | is_used)
    }

    /// Gives back the memory of what can be read again.
    pub(crate) fn rest(&self) {
        self.all_contents().iter().for_each(|contents| contents.clear());
        self.ledger.rest();
        (self.on_rest)();
    }

    /// Memory of what was read and can be read again, in bytes.
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.all_contents().iter().map(|contents| contents.cached_bytes()).sum()
    }

    /// The roots of the trees that somebody has in hand.
    pub(crate) fn trees_in_use(&self) -> Vec<Name> {
        self.all_contents().iter().flat_map(|contents| contents.nodes.trees_in_use()).collect()
    }
}
