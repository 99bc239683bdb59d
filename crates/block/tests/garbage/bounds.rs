//! What a collection costs.

use crate::world::Port;
use crate::world::World;
use block::{Block, Blocks, Compression, MemoryIndex, Name, Record, RecordKind, Store, StoreOptions, Thrift};
use parking_lot::Mutex;
use sim::SimDisk;
use std::sync::Arc;

/// A store of the shape of many small files: 260 leaves below each block with links. 64 MiB for 100 million blocks are less than
/// 0.68 bytes for each; what a small store takes more for each is bounded too.
#[test]
fn the_memory_of_a_collection_is_little_for_each_block() {
    const INNER: u64 = 400;
    const LEAVES: u64 = 260;
    let options = StoreOptions { segment_bytes: 4 << 20, compression: Compression::None, ..crate::options() };
    let store = Store::create(Arc::new(SimDisk::new()), Box::new(MemoryIndex::default()), options).unwrap();
    let mut tops = Vec::new();
    for number in 0..INNER {
        let leaf = |leaf: u64| store.put(&Block::data((number * LEAVES + leaf).to_le_bytes().to_vec().into())).unwrap();
        let links: Vec<Name> = (0..LEAVES).map(leaf).collect();
        tops.push(store.put(&Block { links, body: "".into() }).unwrap());
    }
    let root = store.append(&Record { kind: RecordKind::Root, stream: 1, links: tops, body: "".into() }).unwrap();
    store.sync().unwrap();
    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    let reads = store.statistics().reads;
    let port = Port { world: &world, forget: None };
    let mut collection = store.begin_collection(&port, Thrift::Usual).unwrap().unwrap();
    while collection.step().unwrap() {}
    let progress = store.collection_progress();
    let blocks = INNER * (LEAVES + 1);
    assert_eq!((progress.live_blocks, progress.dead_blocks), (blocks, 0));
    assert_eq!(store.statistics().reads - reads, INNER, "blocks without links are not read");
    let bloom_bytes = blocks * 12 / 8;
    assert!(progress.memory_bytes < bloom_bytes + INNER * 5 + 4096, "{progress:?}");
}
