//! Data blocks in memory, as read and verified, bounded in bytes.

use crate::Result;
use crate::limits::{CHUNK_BYTES, DATA_CACHE_BYTES};
use block::{Block, Blocks, Name, Part, Patience};
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

    /// The same, from memory or from the store; false if it takes more patience. A part that the store can verify alone is not kept,
    /// since the kernel keeps what was read.
    pub(crate) fn read(
        &self,
        blocks: &dyn Blocks,
        name: &Name,
        offset: usize,
        buffer: &mut [u8],
        patience: Patience,
    ) -> Result<bool> {
        if self.peek(name, offset, buffer)? {
            return Ok(true);
        }
        match blocks.read_part(name, offset, buffer, patience)? {
            Part::Filled => Ok(true),
            Part::Later => Ok(false),
            Part::Whole(Block { body, .. }) => {
                self.0.insert(*name, body.clone());
                copy_part(name, &body, offset, buffer).map(|()| true)
            }
        }
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
