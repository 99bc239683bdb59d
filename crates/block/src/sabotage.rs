//! Mistakes that tests make on purpose, to show that they would notice them.

use crate::Block;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Of the blocks that bad memory passes on, it damages those whose name's first byte is a multiple of this.
const GARBLED_EACH: u8 = 2;

/// A mistake of the store, or of what it runs on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Sabotage {
    /// A block that is put again while a collection is marking is not marked.
    ForgetRevived,
    /// A segment is retired before the copies of its blocks are durable.
    RetireTooEarly,
    /// What is read is not compared with its name.
    SkipNames,
    /// Bad memory: of some blocks, a bit flips after they were named and before they are summed up and written.
    GarbleBlocks,
}

/// Which mistakes are to be made. None, outside of tests.
#[derive(Default)]
pub(crate) struct Sabotaged {
    pub(crate) forget_revived: AtomicBool,
    pub(crate) retire_too_early: AtomicBool,
    pub(crate) skip_names: AtomicBool,
    garble_blocks: AtomicBool,
}

impl Sabotaged {
    pub(crate) fn begin(&self, sabotage: Sabotage) {
        let mistake = match sabotage {
            Sabotage::ForgetRevived => &self.forget_revived,
            Sabotage::RetireTooEarly => &self.retire_too_early,
            Sabotage::SkipNames => &self.skip_names,
            Sabotage::GarbleBlocks => &self.garble_blocks,
        };
        mistake.store(true, Ordering::Relaxed);
    }

    /// A block as it gets to the disk.
    pub(crate) fn as_written<'a>(&self, block: &'a Block) -> Cow<'a, Block> {
        if !self.garble_blocks.load(Ordering::Relaxed) || !block.name().as_bytes()[0].is_multiple_of(GARBLED_EACH) {
            return Cow::Borrowed(block);
        }
        let mut body = block.body.to_vec();
        body.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        Cow::Owned(Block { links: block.links.clone(), body: body.into() })
    }
}
