//! The port through which the layers above use blocks.

use crate::{Block, Error, Name, Result};
use parking_lot::RwLock;
use std::collections::HashMap;

/// A place that holds blocks.
///
/// Invariant, kept by every writer: **children before parents**. A block is put only when every block it links to is there, so
/// "this place has the block" means "this place has everything below it".
pub trait Blocks: Send + Sync {
    /// The block with this name, verified against it. [`Error::Missing`] if the place has none,
    /// [`Error::Corrupt`] if what it has does not match.
    fn get(&self, name: &Name) -> Result<Block>;

    /// As [`Blocks::get`], if that is short work that waits for no disk and no other machine; `None` means only that it is not.
    fn get_at_hand(&self, _name: &Name) -> Option<Block> {
        None
    }

    /// Fills a buffer with bytes of a block's body from an offset on, verified, if that is to be had for less than [`Blocks::get`].
    /// False means only that it is not; the buffer may be changed then.
    fn read_part(&self, _name: &Name, _offset: usize, _buffer: &mut [u8], _patience: Patience) -> bool {
        false
    }

    /// A hint: this block will be read soon.
    fn will_get(&self, _name: &Name) {}

    /// Keeps a block and returns its name. Putting a block that is there already costs no space. Durable after the next
    /// [`Blocks::sync`].
    fn put(&self, block: &Block) -> Result<Name>;

    /// Whether the block is there, and so everything below it.
    fn contains(&self, name: &Name) -> Result<bool>;

    /// Returns when everything put before the call is durable.
    fn sync(&self) -> Result<()>;
}

/// How long a read may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Unlimited,
    /// Only short work, that waits for no disk and no other machine.
    AtHand,
}

/// Blocks in memory, for tests.
#[derive(Default)]
pub struct MemoryBlocks {
    blocks: RwLock<HashMap<Name, Block>>,
}

impl MemoryBlocks {
    /// How many distinct blocks are held.
    pub fn len(&self) -> usize {
        self.blocks.read().len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Blocks for MemoryBlocks {
    fn get(&self, name: &Name) -> Result<Block> {
        self.blocks.read().get(name).cloned().ok_or(Error::Missing { name: *name })
    }

    fn put(&self, block: &Block) -> Result<Name> {
        let name = block.name();
        self.blocks.write().entry(name).or_insert_with(|| block.clone());
        Ok(name)
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        Ok(self.blocks.read().contains_key(name))
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}
