//! What retired segments leave in the log.

use crate::world::{Port, World};
use crate::{collect, create, open, options};
use block::{Block, Blocks, Health, MemoryIndex, Name, Record, RecordKind, Store};
use parking_lot::Mutex;
use sim::{Random, SimDisk};

/// A store whose first segments are mostly dead, collected, and what is alive in it.
fn collected(disk: &SimDisk, index: &MemoryIndex) -> (Store, Vec<Block>) {
    let store = create(disk, index).unwrap();
    let mut random = Random::new(1);
    let blocks: Vec<_> = (0..200).map(|_| Block::data(random.bytes(1000).into())).collect();
    blocks.iter().for_each(|block| assert!(store.put(block).is_ok()));
    let alive: Vec<_> = blocks.iter().step_by(9).skip(8).cloned().collect();
    let links: Vec<Name> = alive.iter().map(Block::name).collect();
    let root = store.append(&Record { kind: RecordKind::Root, stream: 1, links, body: "".into() }).unwrap();
    store.sync().unwrap();
    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    collect(&store, &Port { world: &world, forget: None }).unwrap();
    (store, alive)
}

fn assert_alive(store: &Store, alive: &[Block]) {
    assert!(alive.iter().all(|block| store.get(&block.name()).unwrap() == *block));
    assert_eq!(store.latest_root(1).unwrap().unwrap().record.links.len(), alive.len());
}

fn files(disk: &SimDisk, suffix: &str) -> Vec<String> {
    let mut paths = disk.paths("segments");
    paths.retain(|path| path.ends_with(suffix));
    paths
}

#[test]
fn retired_segments_leave_one_gap_and_the_log_is_read_past_it_with_and_without_an_index() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (store, alive) = collected(&disk, &index);
    assert!(store.collection_progress().retired > 10);
    assert_eq!(files(&disk, ".gap").len(), 1);
    let segments = files(&disk, ".segment").len();
    assert_eq!(store.statistics().segments, segments as u64);
    drop(store);
    for index in [index, MemoryIndex::default()] {
        let store = open(&disk.image(), &index).unwrap();
        assert_alive(&store, &alive);
        assert_eq!(store.statistics().segments, segments as u64);
    }
}

#[test]
fn a_segment_that_is_missing_without_a_gap_is_damage() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    drop(collected(&disk, &index));
    let segments = files(&disk, ".segment");
    for path in &segments[..segments.len() - 1] {
        let damaged = disk.image();
        block::Disk::remove(&damaged, path).unwrap();
        let health = open(&damaged, &MemoryIndex::default()).unwrap().health();
        assert!(matches!(health, Health::ReadOnly { .. }), "{path}");
    }
    let gap = &files(&disk, ".gap")[0];
    let damaged = disk.image();
    block::Disk::remove(&damaged, gap).unwrap();
    let health = open(&damaged, &MemoryIndex::default()).unwrap().health();
    assert!(matches!(health, Health::ReadOnly { .. }), "{gap}");
}

#[test]
fn a_store_with_gaps_has_another_format_so_that_older_versions_leave_it_alone() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let version = |disk: &SimDisk| {
        let mut bytes = [0; 64];
        block::Disk::open(disk, "store").unwrap().read_at(&mut bytes, 0).unwrap();
        bytes[8]
    };
    drop(create(&disk, &index).unwrap());
    assert_eq!(version(&disk), 1);
    let disk = SimDisk::new();
    drop(collected(&disk, &MemoryIndex::default()));
    assert_eq!(version(&disk), 2);
    block::Disk::remove(&disk, "store").unwrap();
    drop(open(&disk, &MemoryIndex::default()).unwrap());
    assert_eq!(version(&disk), 2, "made again");
}

/// The index that is made again knows blocks that were dead, and that lack what they link to.
#[test]
fn a_dead_block_that_a_new_index_finds_is_not_relied_on() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index).unwrap();
    let mut random = Random::new(2);
    let child = Block::data(random.bytes(1000).into());
    store.put(&child).unwrap();
    let segment = store.position().segment();
    while store.position().segment() < segment + 2 {
        store.put(&Block::data(random.bytes(1000).into())).unwrap();
    }
    let parent = Block { links: vec![child.name()], body: "parent".into() };
    store.put(&parent).unwrap();
    let kept: Vec<_> = (0..5).map(|_| Block::data(random.bytes(1200).into())).collect();
    let links: Vec<Name> = kept.iter().map(|block| store.put(block).unwrap()).collect();
    let root = store.append(&Record { kind: RecordKind::Root, stream: 1, links, body: "".into() }).unwrap();
    (0..20).for_each(|_| assert!(store.put(&Block::data(random.bytes(1000).into())).is_ok()));
    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    collect(&store, &Port { world: &world, forget: None }).unwrap();
    assert!(store.collection_progress().retired >= 2);
    assert!(!store.contains(&parent.name()).unwrap());
    drop(store);
    let store = open(&disk, &MemoryIndex::default()).unwrap();
    assert!(store.get(&parent.name()).is_ok(), "its segment is there: the test tests something");
    assert!(store.get(&child.name()).is_err());
    assert!(!store.contains(&parent.name()).unwrap());
    store.put(&child).unwrap();
    store.put(&parent).unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    assert!(store.contains(&parent.name()).unwrap(), "it was put anew");
    collect(&store, &Port { world: &world, forget: None }).unwrap();
    store.put(&child).unwrap();
    let before = store.position();
    store.put(&kept[0]).unwrap();
    assert_eq!(store.position(), before, "what is alive is there");
    assert_eq!(options().segment_bytes, crate::SEGMENT_BYTES);
}
