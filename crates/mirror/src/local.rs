//! A store of this machine as either side.

use crate::error::Side;
use crate::limits::UNSYNCED_BYTES_MAX;
use crate::ports::{Source, Target, Visitor};
use crate::{Error, Result};
use block::{Blocks, Name, PackedBlock, Store};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

impl Source for Store {
    fn read(&self, names: &[Name], visit: &mut Visitor<'_>) -> Result<()> {
        let mut failed = None;
        let read = self.read_packed(names, &mut |block| {
            Ok(visit(block).unwrap_or_else(|error| {
                failed = Some(error);
                ControlFlow::Break(())
            }))
        });
        match failed {
            Some(error) => Err(error),
            None => read.map_err(Error::of(Side::Source)),
        }
    }
}

/// Takes note of blocks of a store that nothing else refers to yet.
pub trait Keeper: Send + Sync {
    /// These are there, and are to stay.
    fn keep(&self, complete: &[Name]) -> Result<()>;
}

/// A store that blocks go to.
pub struct StoreTarget<'a> {
    store: Arc<Store>,
    keeper: &'a dyn Keeper,
    unsynced_bytes: AtomicUsize,
}

impl<'a> StoreTarget<'a> {
    /// Blocks go to this store; the keeper takes note of them.
    pub fn new(store: Arc<Store>, keeper: &'a dyn Keeper) -> Self {
        Self { store, keeper, unsynced_bytes: AtomicUsize::new(0) }
    }
}

impl Target for StoreTarget<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        let mut lacking = Vec::new();
        for name in names {
            if !self.store.contains(name).map_err(Error::of(Side::Target))? {
                lacking.push(*name);
            }
        }
        Ok(lacking)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        let is_new = self.store.put_packed(block).map_err(Error::of(Side::Target))?;
        let bytes = if is_new { block.encoded_bytes() } else { 0 };
        if self.unsynced_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes >= UNSYNCED_BYTES_MAX {
            self.unsynced_bytes.store(0, Ordering::Relaxed);
            self.store.sync().map_err(Error::of(Side::Target))?;
        }
        Ok(is_new)
    }

    fn keep(&self, complete: &[Name]) -> Result<()> {
        self.keeper.keep(complete)
    }
}
