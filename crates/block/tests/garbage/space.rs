//! Space that comes back.

use crate::world::{Port, World};
use crate::{create, options};
use block::{Block, Blocks, CollectionStage, Compression, MemoryIndex, Position, Record, RecordKind, Store, Thrift};
use parking_lot::Mutex;
use sim::{Random, SimDisk};
use std::sync::Arc;

/// A ring of blocks, each linked to by the newest root: every round replaces some of them.
#[test]
fn a_store_whose_content_is_replaced_again_and_again_does_not_grow() {
    const BLOCKS: usize = 200;
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let options = block::StoreOptions { segment_bytes: 32 << 10, compression: Compression::None, ..options() };
    let store = Store::create(Arc::new(disk.clone()), Box::new(index), options).unwrap();
    let mut random = Random::new(1);
    let mut ring: Vec<_> = (0..BLOCKS).map(|_| store.put(&Block::data(random.bytes(1000).into())).unwrap()).collect();
    let world = Mutex::new(World::default());
    let (mut written, mut copied, mut most) = (0, 0, 0);
    for _ in 0..200 {
        for _ in 0..50 {
            let place = random.below(BLOCKS as u64) as usize;
            ring[place] = store.put(&Block::data(random.bytes(1000).into())).unwrap();
            written += 1000;
        }
        let record = Record { kind: RecordKind::Root, stream: 1, links: ring.clone(), body: "".into() };
        world.lock().roots.insert(1, store.append(&record).unwrap());
        store.sync().unwrap();
        let port = Port { world: &world, forget: None };
        let mut collection = store.begin_collection(&port, Thrift::Usual).unwrap().unwrap();
        while collection.step().unwrap() {}
        let progress = store.collection_progress();
        assert_eq!(progress.stage, CollectionStage::Done);
        copied += progress.copied_bytes;
        most = most.max(store.usage().unwrap().stored_bytes);
    }
    let alive = BLOCKS as u64 * 1000;
    println!(
        "alive {alive}, on disk at most {most}, copied {:.2} for each byte written",
        copied as f64 / written as f64
    );
    assert!(most < alive * 3, "{most}");
    assert!(copied < written * 2, "{copied} for {written}");
    assert!(ring.iter().all(|name| store.get(name).is_ok()));
}

#[test]
fn what_nothing_refers_to_goes_whole_and_without_being_copied() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index).unwrap();
    let mut random = Random::new(1);
    (0..500).for_each(|_| assert!(store.put(&Block::data(random.bytes(1000).into())).is_ok()));
    let root = Record { kind: RecordKind::Root, stream: 1, links: Vec::new(), body: "".into() };
    let root = store.append(&root).unwrap();
    store.append(&Record { kind: RecordKind::Root, stream: 2, links: Vec::new(), body: "".into() }).unwrap();
    store.sync().unwrap();
    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    crate::collect(&store, &Port { world: &world, forget: None }).unwrap();
    let progress = store.collection_progress();
    assert_eq!((progress.copied_bytes, progress.dead_blocks), (0, 500));
    assert!(store.usage().unwrap().stored_bytes < 3 * crate::SEGMENT_BYTES);
    assert_eq!(store.statistics().blocks, 0);
    assert_eq!(store.streams(), [1], "the other stream is not in use");
    assert!(store.position() > Position::START);
}

#[test]
fn a_purge_leaves_nothing_of_what_is_dead_among_much_that_is_alive() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index).unwrap();
    let mut random = Random::new(1);
    let contents: Vec<_> = (0..300).map(|_| random.bytes(1000)).collect();
    let names: Vec<_> =
        contents.iter().map(|content| store.put(&Block::data(content.clone().into())).unwrap()).collect();
    let is_dead = |number: usize| number % 30 == 7;
    let alive = (0..300).filter(|number| !is_dead(*number));
    let links: Vec<_> = alive.map(|number| names[number]).collect();
    store.sync().unwrap();
    store.begin_segment().unwrap();
    let record = Record { kind: RecordKind::Root, stream: 1, links: links.clone(), body: "".into() };
    let root = store.append(&record).unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    let port = Port { world: &world, forget: None };
    let collect = |thrift| {
        let mut collection = store.begin_collection(&port, thrift).unwrap().unwrap();
        while collection.step().unwrap() {}
    };
    let is_in_a_file = |content: &[u8]| {
        use block::Disk;
        disk.list("segments").unwrap().iter().any(|name| {
            let file = disk.open(&format!("segments/{name}")).unwrap();
            let mut bytes = vec![0; file.length().unwrap() as usize];
            file.read_at(&mut bytes, 0).unwrap();
            bytes.windows(16).any(|window| window == &content[500..516])
        })
    };
    collect(Thrift::Usual);
    let left = (0..300).filter(|number| is_dead(*number) && is_in_a_file(&contents[*number])).count();
    assert!(left > 0, "an ordinary collection leaves some");
    collect(Thrift::Purge);
    assert!((0..300).all(|number| is_in_a_file(&contents[number]) != is_dead(number)));
    assert!(links.iter().all(|name| store.get(name).is_ok()));
    let copied = store.collection_progress().copied_bytes;
    assert!(copied > 0);
    store.begin_segment().unwrap();
    world.lock().roots.insert(1, store.append(&record).unwrap());
    collect(Thrift::Purge);
    assert!(store.collection_progress().copied_bytes < copied / 2, "what is all alive is left as it is");
    drop(store);
    let store = crate::open(&disk, &MemoryIndex::default()).unwrap();
    assert!(links.iter().all(|name| store.get(name).is_ok()));
}
