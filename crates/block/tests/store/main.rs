//! The store on a simulated disk: what it keeps, what it refuses, what it does with damage.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod damage;
mod failures;
mod gate;
mod group_commit;
mod keeping;
mod scrub;

use block::{Block, Blocks, Compression, MemoryIndex, Name, Record, RecordKind, Store, StoreId, StoreOptions};
use sim::{Random, SimDisk};
use std::sync::Arc;

const SEGMENT_BYTES: u64 = 16 << 10;

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: SEGMENT_BYTES,
        compression: Compression::Lz4,
        id: Some(StoreId::from_bytes([4; StoreId::BYTES])),
    }
}

fn create(disk: &SimDisk, index: &MemoryIndex) -> Store {
    Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap()
}

fn open(disk: &SimDisk, index: &MemoryIndex) -> block::Result<Store> {
    Store::open(Arc::new(disk.clone()), Box::new(index.clone()), options())
}

/// Puts some blocks of noise and returns them with their names.
fn fill(store: &Store, seed: u64, count: usize) -> Vec<(Name, Block)> {
    let mut random = Random::new(seed);
    let mut filled = Vec::new();
    for _ in 0..count {
        let length = random.below(2000) as usize;
        let block = Block::data(random.bytes(length).into());
        filled.push((store.put(&block).unwrap(), block));
    }
    filled
}

fn assert_holds(store: &Store, blocks: &[(Name, Block)]) {
    for (name, block) in blocks {
        assert_eq!(&store.get(name).unwrap(), block);
    }
}

fn root(stream: u64, body: &'static str) -> Record {
    Record { kind: RecordKind::Root, stream, links: Vec::new(), body: body.into() }
}

fn intent(stream: u64, body: &'static str) -> Record {
    Record { kind: RecordKind::Intent, ..root(stream, body) }
}
