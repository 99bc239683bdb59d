//! Data blocks in memory, as read and verified, bounded in bytes.

use crate::Result;
use crate::limits::{CHUNK_BYTES, DATA_CACHE_BYTES};
use block::{Blocks, Name, PIECE_BYTES};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::ops::Range;

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

    /// Some bytes of a block, if it is in memory.
    pub(crate) fn peek(&self, name: &Name, range: Range<usize>) -> Result<Option<Bytes>> {
        self.0.get(name).map(|body| part(name, &body, range)).transpose()
    }

    /// Some bytes of a block, from memory or from a store that has them at hand.
    pub(crate) fn get_at_hand(&self, blocks: &dyn Blocks, name: &Name, range: Range<usize>) -> Result<Option<Bytes>> {
        if let Some(found) = self.peek(name, range.clone())? {
            return Ok(Some(found));
        }
        let Some(block) = blocks.get_at_hand(name) else { return Ok(None) };
        self.0.insert(*name, block.body.clone());
        part(name, &block.body, range).map(Some)
    }

    /// Some bytes of a block, from memory or from the store. Few of them are had alone if the store can verify them; such pieces are
    /// not kept, since the kernel keeps what was read.
    pub(crate) fn get(&self, blocks: &dyn Blocks, name: &Name, range: Range<usize>) -> Result<Bytes> {
        if let Some(found) = self.peek(name, range.clone())? {
            return Ok(found);
        }
        if range.len() <= PIECE_BYTES
            && let Some(found) = blocks.get_piece(name, range.clone())
        {
            return Ok(found);
        }
        let body = blocks.get(name)?.body;
        self.0.insert(*name, body.clone());
        part(name, &body, range)
    }
}

fn part(name: &Name, body: &Bytes, range: Range<usize>) -> Result<Bytes> {
    if range.end > body.len() {
        let what = format!("block {name} has {} bytes, an extent wants those up to {}", body.len(), range.end);
        return Err(block::Error::Corrupt { what }.into());
    }
    Ok(body.slice(range))
}
