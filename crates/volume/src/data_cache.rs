//! Data blocks in memory, as read and verified, bounded in bytes.

use crate::Result;
use crate::limits::{CHUNK_BYTES, DATA_CACHE_BYTES};
use block::{Blocks, Name};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

pub(crate) struct DataCache(Cache<Name, Bytes, ByLength>);

#[derive(Clone)]
struct ByLength;

impl Weighter<Name, Bytes> for ByLength {
    fn weight(&self, _name: &Name, body: &Bytes) -> u64 {
        body.len() as u64 + Name::BYTES as u64
    }
}

impl DataCache {
    pub(crate) fn new() -> Self {
        let blocks = (DATA_CACHE_BYTES / CHUNK_BYTES) as usize;
        Self(Cache::with_weighter(blocks, DATA_CACHE_BYTES, ByLength))
    }

    /// What it takes, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    /// The body of a block, if it is in memory.
    pub(crate) fn peek(&self, name: &Name) -> Option<Bytes> {
        self.0.get(name)
    }

    /// The body of a block, from memory or from the store.
    pub(crate) fn get(&self, blocks: &dyn Blocks, name: &Name) -> Result<Bytes> {
        if let Some(body) = self.0.get(name) {
            return Ok(body);
        }
        let body = blocks.get(name)?.body;
        self.0.insert(*name, body.clone());
        Ok(body)
    }
}
