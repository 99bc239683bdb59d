//! Data blocks in memory, as read and verified, bounded in bytes.

use crate::Result;
use crate::limits::{CHUNK_BYTES, DATA_CACHE_BYTES};
use block::{Blocks, Name, Patience};
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

    /// Whether a block is in memory.
    pub(crate) fn has(&self, name: &Name) -> bool {
        self.0.contains_key(name)
    }

    /// Fills a buffer with bytes of a block, if it is in memory; false if it is not.
    pub(crate) fn peek(&self, name: &Name, offset: usize, buffer: &mut [u8]) -> Result<bool> {
        let Some(body) = self.0.get(name) else { return Ok(false) };
        copy_part(name, &body, offset, buffer)?;
        Ok(true)
    }

    /// The same, from memory or from a store that has the block at hand.
    pub(crate) fn read_at_hand(
        &self,
        blocks: &dyn Blocks,
        name: &Name,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<bool> {
        if self.peek(name, offset, buffer)? || blocks.read_part(name, offset, buffer, Patience::AtHand) {
            return Ok(true);
        }
        let Some(block) = blocks.get_at_hand(name) else { return Ok(false) };
        self.0.insert(*name, block.body.clone());
        copy_part(name, &block.body, offset, buffer)?;
        Ok(true)
    }

    /// The same, from memory or from the store. A part that the store can verify alone is not kept, since the kernel keeps what was
    /// read.
    pub(crate) fn read(&self, blocks: &dyn Blocks, name: &Name, offset: usize, buffer: &mut [u8]) -> Result<()> {
        if self.peek(name, offset, buffer)? || blocks.read_part(name, offset, buffer, Patience::Unlimited) {
            return Ok(());
        }
        let body = blocks.get(name)?.body;
        self.0.insert(*name, body.clone());
        copy_part(name, &body, offset, buffer)
    }
}

fn copy_part(name: &Name, body: &Bytes, offset: usize, buffer: &mut [u8]) -> Result<()> {
    let end = offset + buffer.len();
    let Some(part) = body.get(offset..end) else {
        let what = format!("block {name} has {} bytes, an extent wants those up to {end}", body.len());
        return Err(block::Error::Corrupt { what }.into());
    };
    buffer.copy_from_slice(part);
    Ok(())
}
