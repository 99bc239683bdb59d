//! A store of this machine as either side.

use crate::error::Side;
use crate::limits::{KEEP_BYTES, UNSYNCED_BYTES_MAX};
use crate::ports::{Source, Target, Visitor};
use crate::{Error, Result};
use block::{Blocks, Name, PackedBlock, Store};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

impl Source for Store {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        let mut failed = None;
        let mut linked_bytes = 0;
        let read = self.read_packed(names, &mut |block| {
            linked_bytes += if block.links().is_empty() { 0 } else { block.stored_bytes() };
            failed = visit(block).err();
            let is_enough = failed.is_some() || linked_bytes >= linked_bytes_max;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        failed.map_or(read.map_err(Error::of(Side::Source)), Err)
    }
}

/// Those of the names that a store does not have, in their order.
pub(crate) fn lacking(store: &Store, names: &[Name]) -> Result<Vec<Name>> {
    let mut lacking = Vec::new();
    for name in names {
        if !store.contains(name).map_err(Error::of(Side::Target))? {
            lacking.push(*name);
        }
    }
    Ok(lacking)
}

/// Takes note of blocks of a store that nothing else refers to yet.
pub trait Keeper: Send + Sync {
    /// These are there, with everything below them, and are to stay, in place of those noted before.
    fn keep(&self, complete: &[Name]) -> Result<()>;
}

/// A store that blocks go to.
///
/// Invariant: what it has received, and what it said that it has, can be reached from `complete`.
pub struct StoreTarget<'a> {
    store: Arc<Store>,
    keeper: Arc<dyn Keeper + 'a>,
    received: Mutex<Received>,
}

#[derive(Default)]
struct Received {
    /// Blocks that are there with everything below them, and that no block that was received links to.
    complete: HashSet<Name>,
    unsynced_bytes: usize,
    unkept_bytes: u64,
}

impl<'a> StoreTarget<'a> {
    /// Blocks go to this store; the keeper takes note of them.
    pub fn new(store: Arc<Store>, keeper: Arc<dyn Keeper + 'a>) -> Self {
        Self { store, keeper, received: Mutex::default() }
    }

    /// Makes what was received durable, and has note taken of it: for a transfer that ends before its end.
    pub fn settle(&self) -> Result<()> {
        let mut received = self.received.lock();
        if received.unkept_bytes == 0 {
            return Ok(());
        }
        received.unkept_bytes = 0;
        let complete: Vec<_> = received.complete.iter().copied().collect();
        self.keeper.keep(&complete)
    }

    /// Everything that was received is referred to now.
    pub fn finish(&self) {
        *self.received.lock() = Received::default();
    }

    fn note(&self, block: &PackedBlock, is_new: bool) -> (bool, bool) {
        let mut received = self.received.lock();
        for link in block.links() {
            received.complete.remove(link);
        }
        received.complete.insert(block.name());
        if is_new {
            received.unsynced_bytes += block.encoded_bytes();
            received.unkept_bytes += block.encoded_bytes() as u64;
        }
        let must_sync = received.unsynced_bytes >= UNSYNCED_BYTES_MAX;
        if must_sync {
            received.unsynced_bytes = 0;
        }
        (must_sync, received.unkept_bytes >= KEEP_BYTES)
    }
}

impl Target for StoreTarget<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        let mut received = self.received.lock();
        let lacking = lacking(&self.store, names)?;
        received.complete.extend(names);
        for name in &lacking {
            received.complete.remove(name);
        }
        Ok(lacking)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        let is_new = self.store.put_packed(block).map_err(Error::of(Side::Target))?;
        let (must_sync, must_keep) = self.note(block, is_new);
        if must_keep {
            self.settle()?;
        } else if must_sync {
            self.store.sync().map_err(Error::of(Side::Target))?;
        }
        Ok(is_new)
    }
}
