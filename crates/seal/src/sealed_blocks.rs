//! The blocks of an encrypted volume: [`Blocks`] whose bodies are sealed on the way down and opened on the way up.

use crate::{Context, VolumeKey};
use arc_swap::ArcSwapOption;
use block::{Block, Blocks, Name, Result};
use std::sync::Arc;

/// Blocks that are sealed with a key, as long as there is one.
pub struct SealedBlocks {
    below: Arc<dyn Blocks>,
    key: ArcSwapOption<VolumeKey>,
}

impl SealedBlocks {
    /// Sealed blocks that lie in these. Without a key they can be named and copied, not read.
    pub fn new(below: Arc<dyn Blocks>) -> Self {
        Self { below, key: ArcSwapOption::empty() }
    }

    /// Gives or takes the key.
    pub fn set_key(&self, key: Option<Arc<VolumeKey>>) {
        self.key.store(key);
    }

    /// The key, if it is here.
    pub fn key(&self) -> Option<Arc<VolumeKey>> {
        self.key.load_full()
    }

    fn key_or_error(&self) -> Result<Arc<VolumeKey>> {
        self.key().ok_or(block::Error::NoKey)
    }
}

impl Blocks for SealedBlocks {
    fn get(&self, name: &Name) -> Result<Block> {
        let key = self.key_or_error()?;
        opened(&key, name, self.below.get(name)?)
    }

    fn get_at_hand(&self, name: &Name) -> Option<Block> {
        let key = self.key()?;
        opened(&key, name, self.below.get_at_hand(name)?).ok()
    }

    fn will_get(&self, name: &Name) {
        self.below.will_get(name);
    }

    fn put(&self, block: &Block) -> Result<Name> {
        let body = self.key_or_error()?.seal(Context::Block, &block.links, &block.body);
        self.below.put(&Block { links: block.links.clone(), body })
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        self.below.contains(name)
    }

    fn sync(&self) -> Result<()> {
        self.below.sync()
    }
}

fn opened(key: &VolumeKey, name: &Name, block: Block) -> Result<Block> {
    let Block { links, body } = block;
    let opened = key.open(Context::Block, &links, &body);
    let body = opened.map_err(|error| block::Error::Corrupt { what: format!("block {name}: {error}") })?;
    Ok(Block { links, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use block::MemoryBlocks;
    use bytes::Bytes;

    fn sealed(below: &Arc<MemoryBlocks>, key: u8) -> SealedBlocks {
        let blocks = SealedBlocks::new(below.clone());
        blocks.set_key(Some(Arc::new(VolumeKey::from_bytes(&[key; VolumeKey::BYTES]))));
        blocks
    }

    #[test]
    fn what_lies_below_is_named_as_any_block_and_tells_nothing() {
        let below = Arc::new(MemoryBlocks::default());
        let (one, other) = (sealed(&below, 1), sealed(&below, 2));
        let child = one.put(&Block::data(Bytes::from_static(b"a secret child"))).unwrap();
        let parent = Block { links: vec![child], body: Bytes::from_static(b"a secret parent") };
        let name = one.put(&parent).unwrap();
        assert_eq!((one.put(&parent).unwrap(), below.len()), (name, 2), "it is there already");
        assert_eq!(one.get(&name).unwrap(), parent);
        let lies = below.get(&name).unwrap();
        assert_eq!((lies.name(), &lies.links), (name, &parent.links));
        assert!(!lies.body.windows(6).any(|window| window == b"secret"));
        assert_ne!(other.put(&parent).unwrap(), name);
        assert!(matches!(other.get(&name), Err(block::Error::Corrupt { .. })));
        one.set_key(None);
        assert!(matches!(one.get(&name), Err(block::Error::NoKey)));
        assert!(matches!(one.put(&parent), Err(block::Error::NoKey)));
        assert!(one.contains(&name).unwrap());
    }
}
