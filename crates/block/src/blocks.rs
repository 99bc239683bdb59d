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

    /// Reads bytes of a block's body from an offset on, verified: into the buffer, if that is to be had for less than the whole block.
    fn read_part(&self, name: &Name, _offset: usize, _buffer: &mut [u8], patience: Patience) -> Result<Part> {
        match patience {
            Patience::AtHand => Ok(self.get_at_hand(name).map_or(Part::Later, Part::Whole)),
            Patience::Unlimited => self.get(name).map(Part::Whole),
        }
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

/// What a place gives to who reads a part of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The buffer is filled.
    Filled,
    /// The whole block, as that was not to be had for less. The buffer may be changed.
    Whole(Block),
    /// Nothing: it takes more patience. The buffer may be changed.
    Later,
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
