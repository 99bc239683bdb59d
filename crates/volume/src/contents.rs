//! The blocks of a volume as it reads and writes them, with what of them is in memory.
//!
//! Volumes that are not encrypted share one; an encrypted one has its own, with its key as long as it is unlocked. What lies outside of
//! it is open in any case: the catalog, kept trees, root records.

use crate::catalog::VolumeIdentity;
use crate::data_cache::DataCache;
use crate::limits::NODE_CACHE_BYTES;
use crate::read_streams::ReadStreams;
use block::{Blocks, Store};
use seal::{SealedBlocks, VolumeKey};
use std::sync::Arc;
use tree::Nodes;

/// The blocks of a volume.
pub(crate) struct Contents {
    pub(crate) blocks: Arc<dyn Blocks>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) data: DataCache,
    pub(crate) read_streams: ReadStreams,
    /// `None` for those that are not encrypted.
    pub(crate) encryption: Option<Encryption>,
}

/// What an encrypted volume has beside its blocks.
pub(crate) struct Encryption {
    pub(crate) identity: VolumeIdentity,
    blocks: Arc<SealedBlocks>,
}

impl Encryption {
    /// The key, if the volume is unlocked.
    pub(crate) fn key(&self) -> Option<Arc<VolumeKey>> {
        self.blocks.key()
    }

    /// The key; an error if the volume is locked.
    pub(crate) fn key_or_error(&self) -> crate::Result<Arc<VolumeKey>> {
        self.key().ok_or(block::Error::NoKey.into())
    }
}

impl Contents {
    /// Those of volumes that are not encrypted.
    pub(crate) fn plain(blocks: Arc<dyn Blocks>) -> Self {
        Self::over(blocks, None)
    }

    /// Those of an encrypted volume, locked.
    pub(crate) fn encrypted(store: Arc<Store>, identity: VolumeIdentity) -> Self {
        let blocks = Arc::new(SealedBlocks::new(store));
        Self::over(blocks.clone(), Some(Encryption { identity, blocks }))
    }

    fn over(blocks: Arc<dyn Blocks>, encryption: Option<Encryption>) -> Self {
        let nodes = Nodes::new(blocks.clone(), NODE_CACHE_BYTES);
        Self { blocks, nodes, data: DataCache::new(), read_streams: ReadStreams::new(), encryption }
    }

    /// Whether they cannot be read: they are encrypted, and their key is not here.
    pub(crate) fn is_locked(&self) -> bool {
        self.encryption.as_ref().is_some_and(|encryption| encryption.key().is_none())
    }

    /// Gives or takes the key. Nothing that was read stays in memory without it.
    pub(crate) fn set_key(&self, key: Option<Arc<VolumeKey>>) {
        if let Some(encryption) = &self.encryption {
            encryption.blocks.set_key(key);
            self.clear();
        }
    }

    /// Drops what can be read again.
    pub(crate) fn clear(&self) {
        self.nodes.clear();
        self.data.clear();
    }

    /// Memory of what can be read again, in bytes.
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.nodes.cached_bytes() + self.data.bytes()
    }
}
