//! The store (skeleton).

use crate::{
    Block, Blocks, Disk, Health, Index, Name, Position, Record, Result, Space, Statistics, StoreId,
    StoreOptions, StoredRecord,
};
use std::path::Path;
use std::sync::Arc;

/// Blocks and records in one append-only log on a disk.
pub struct Store {}

/// What to do when a directory holds no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Make one, if the directory is empty or not there.
    Create,
    /// Fail.
    MustExist,
}

#[allow(unused_variables)]
impl Store {
    /// Makes a store on a disk that is empty.
    pub fn create(
        disk: Arc<dyn Disk>,
        index: Box<dyn Index>,
        options: StoreOptions,
    ) -> Result<Self> {
        todo!()
    }
    /// Opens the store on a disk; whatever a crash left is put in order first.
    pub fn open(disk: Arc<dyn Disk>, index: Box<dyn Index>, options: StoreOptions) -> Result<Self> {
        todo!()
    }
    /// Opens or makes the store in a directory of this machine.
    pub fn open_directory(path: &Path, options: StoreOptions, mode: OpenMode) -> Result<Self> {
        todo!()
    }
    /// Appends a record. It is durable after the next sync.
    pub fn append(&self, record: &Record) -> Result<Position> {
        todo!()
    }
    /// The newest root of a stream.
    pub fn latest_root(&self, stream: u64) -> Result<Option<StoredRecord>> {
        todo!()
    }
    /// The streams that have a root, in order.
    pub fn streams(&self) -> Vec<u64> {
        todo!()
    }
    /// Shows the records from a position on, in log order, up to where the log ended when the call began.
    pub fn records_from(
        &self,
        from: Position,
        visit: &mut dyn FnMut(StoredRecord) -> Result<()>,
    ) -> Result<()> {
        todo!()
    }
    /// The log's head: everything appended before lies below it.
    pub fn position(&self) -> Position {
        todo!()
    }
    /// Moves what is durable into the index.
    pub fn flush_index(&self) -> Result<()> {
        todo!()
    }
    /// Figures of the store.
    pub fn statistics(&self) -> Statistics {
        todo!()
    }
    /// Space of the disk.
    pub fn space(&self) -> Result<Space> {
        todo!()
    }
    /// The store's identity.
    pub fn id(&self) -> StoreId {
        todo!()
    }
    /// Whether the store takes writes.
    pub fn health(&self) -> Health {
        todo!()
    }
}

#[allow(unused_variables)]
impl Blocks for Store {
    fn get(&self, name: &Name) -> Result<Block> {
        todo!()
    }
    fn put(&self, block: &Block) -> Result<Name> {
        todo!()
    }
    fn contains(&self, name: &Name) -> Result<bool> {
        todo!()
    }
    fn sync(&self) -> Result<()> {
        todo!()
    }
}
