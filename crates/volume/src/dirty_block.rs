//! File data in memory that is going to be a block.
//!
//! Invariants:
//!
//! - A dirty block is open (writes of the same epoch may extend or overwrite it in place), then sealed (its bytes never change
//!   again), then stored (it is a block of the store, and its memory is given back). It never goes back.
//! - Only writes of the epoch in which it was made change it. A commit begins a new epoch, so what the commit saw stays as it
//!   was without being touched.
//! - Bytes that are not stored count against the [`Budget`], until they are stored or nobody refers to them any more.

use crate::Result;
use block::{Block, Blocks, Name};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that may grow, until they are a block.
pub(crate) struct DirtyBlock {
    epoch: u64,
    content: Mutex<Content>,
    /// Held while the block is being put, so that two threads do not do the same work.
    storing: Mutex<()>,
    budget: Arc<Budget>,
}

enum Content {
    Open(Vec<u8>),
    Sealed(Bytes),
    Stored(Name),
}

impl Content {
    fn memory(&self) -> Option<&[u8]> {
        match self {
            Self::Open(bytes) => Some(bytes),
            Self::Sealed(bytes) => Some(bytes),
            Self::Stored(_) => None,
        }
    }

    fn seal(&mut self) {
        if let Self::Open(bytes) = self {
            *self = Self::Sealed(std::mem::take(bytes).into());
        }
    }
}

impl DirtyBlock {
    /// A block that begins with these bytes.
    pub(crate) fn new(epoch: u64, bytes: Vec<u8>, budget: &Arc<Budget>) -> Arc<Self> {
        budget.add(bytes.len() as u64);
        let content = Mutex::new(Content::Open(bytes));
        Arc::new(Self { epoch, content, storing: Mutex::new(()), budget: budget.clone() })
    }

    /// Adds bytes at the end, if the block is open and ends at `at`.
    pub(crate) fn append(&self, epoch: u64, at: u32, bytes: &[u8]) -> bool {
        match &mut *self.content.lock() {
            Content::Open(content) if self.epoch == epoch && content.len() == at as usize => {
                content.extend_from_slice(bytes);
                self.budget.add(bytes.len() as u64);
                true
            }
            _ => false,
        }
    }

    /// Replaces bytes, if the block is open and has them.
    pub(crate) fn overwrite(&self, epoch: u64, at: u32, bytes: &[u8]) -> bool {
        match &mut *self.content.lock() {
            Content::Open(content) if self.epoch == epoch => {
                let Some(place) = content.get_mut(at as usize..at as usize + bytes.len()) else {
                    return false;
                };
                place.copy_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Copies bytes from `offset` on, or gives the name of the block that has them now.
    pub(crate) fn read(&self, offset: u32, buffer: &mut [u8]) -> Option<Name> {
        let content = self.content.lock();
        match content.memory() {
            Some(memory) => buffer.copy_from_slice(&memory[offset as usize..][..buffer.len()]),
            None => return content_name(&content),
        }
        None
    }

    /// No write changes it in place any more. Gives the name of the block that has its bytes already.
    pub(crate) fn seal(&self) -> Option<Name> {
        let mut content = self.content.lock();
        content.seal();
        content_name(&content)
    }

    /// The name of the block that it is in the store, if it is one. Waits while it is being put.
    pub(crate) fn stored_name(&self) -> Option<Name> {
        let _storing = self.storing.lock();
        content_name(&self.content.lock())
    }

    /// Makes it a block of the store.
    pub(crate) fn store(&self, blocks: &dyn Blocks) -> Result<Name> {
        let _storing = self.storing.lock();
        let body = {
            let mut content = self.content.lock();
            content.seal();
            match &*content {
                Content::Stored(name) => return Ok(*name),
                Content::Sealed(bytes) => bytes.clone(),
                Content::Open(_) => unreachable!("sealed just above"),
            }
        };
        let bytes = body.len() as u64;
        let name = blocks.put(&Block::data(body))?;
        *self.content.lock() = Content::Stored(name);
        self.budget.remove(bytes);
        Ok(name)
    }
}

fn content_name(content: &Content) -> Option<Name> {
    match content {
        Content::Stored(name) => Some(*name),
        Content::Open(_) | Content::Sealed(_) => None,
    }
}

impl Drop for DirtyBlock {
    fn drop(&mut self) {
        if let Some(memory) = self.content.get_mut().memory() {
            self.budget.remove(memory.len() as u64);
        }
    }
}

impl std::fmt::Debug for DirtyBlock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.content.lock() {
            Content::Open(bytes) => write!(formatter, "Open({} bytes)", bytes.len()),
            Content::Sealed(bytes) => write!(formatter, "Sealed({} bytes)", bytes.len()),
            Content::Stored(name) => write!(formatter, "Stored({name:?})"),
        }
    }
}

/// Bytes of file data in memory that no block holds yet, over all volumes of a pool.
#[derive(Default)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    /// Bytes that are not stored.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
