//! A whole collection on a real directory, with the index on the disk: how long its stages take and what memory they need.
//!
//! `COLLECTION_BLOCKS=100000000 cargo test --release -p block --test garbage scale -- --nocapture` tries it in full, in `TMPDIR`.

use crate::world::{Port, World};
use block::{
    Block, Blocks, CollectionStage, Compression, Name, OpenMode, Record, RecordKind, Store, StoreOptions, Thrift,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const LEAVES_PER_INNER: u64 = 128;

/// What a collection of any size may take: marks, sums for each segment, and what the index caches and writes back.
const MEMORY_BYTES_MAX: u64 = 160 << 20;

#[test]
fn a_collection_of_a_large_store_stays_within_its_memory() {
    let blocks = crate::seeds("COLLECTION_BLOCKS", 50_000);
    let directory = tempfile::tempdir().unwrap();
    let segment_bytes = (blocks * 4).clamp(256 << 10, 64 << 20);
    let options = StoreOptions { segment_bytes, compression: Compression::None, ..StoreOptions::default() };
    let store = Store::open_directory(&directory.path().join("store"), options, OpenMode::Create).unwrap();
    let filling = Instant::now();
    let (root, alive) = fill(&store, blocks);
    let filled = store.usage().unwrap();
    println!("filled: {blocks} blocks, {} bytes stored, {:.0?}", filled.stored_bytes, filling.elapsed());

    let world = Mutex::new(World { roots: [(1, root)].into(), ..World::default() });
    let resident_before = begin_peak();
    let mut took = BTreeMap::<&str, Duration>::new();
    let port = Port { world: &world, forget: None };
    let mut collection = store.begin_collection(&port, Thrift::Usual).unwrap().unwrap();
    let mut longest = Duration::ZERO;
    loop {
        let (began, stage) = (Instant::now(), store.collection_progress().stage);
        let goes_on = collection.step().unwrap();
        longest = longest.max(began.elapsed());
        *took.entry(stage_name(stage)).or_default() += began.elapsed();
        if !goes_on {
            break;
        }
    }
    drop(collection);
    let more = resident_peak().saturating_sub(resident_before);
    let progress = store.collection_progress();
    println!("collected: {took:.1?}, longest step {longest:.0?}, {progress:?}");
    println!("resident: {} MiB more at most than the {} MiB before", more >> 20, resident_before >> 20);
    assert_eq!(progress.stage, CollectionStage::Done);
    assert!(progress.retired > 0 && progress.copied_bytes > 0, "{progress:?}");
    assert!(progress.live_blocks >= alive, "{progress:?}");
    assert!(progress.memory_bytes <= 64 << 20, "{progress:?}");
    assert!(more <= MEMORY_BYTES_MAX, "{more} bytes more");
    assert!(store.usage().unwrap().stored_bytes < filled.stored_bytes);
}

/// Puts leaves below blocks with links, of which the root record names some: few of the first quarter, so that its segments are
/// worth rewriting, and nearly all of the rest. Returns the record's place, and how many blocks are alive.
fn fill(store: &Store, blocks: u64) -> (block::Position, u64) {
    let inner_blocks = blocks / LEAVES_PER_INNER;
    let mut upper = Vec::new();
    let mut alive = 0;
    for inner in 0..inner_blocks {
        let leaf = |leaf: u64| {
            let number = inner * LEAVES_PER_INNER + leaf;
            store.put(&Block::data([number.to_le_bytes(), (!number).to_le_bytes()].concat().into())).unwrap()
        };
        let links: Vec<Name> = (0..LEAVES_PER_INNER).map(leaf).collect();
        let name = store.put(&Block { links, body: "".into() }).unwrap();
        let is_alive = if inner < inner_blocks / 4 { inner % 4 == 0 } else { inner % 16 > 0 };
        if is_alive {
            upper.push(name);
            alive += LEAVES_PER_INNER + 1;
        }
    }
    while upper.len() > LEAVES_PER_INNER as usize {
        let above = upper.chunks(LEAVES_PER_INNER as usize);
        upper = above.map(|links| store.put(&Block { links: links.into(), body: "".into() }).unwrap()).collect();
        alive += upper.len() as u64;
    }
    let root = Record { kind: RecordKind::Root, stream: 1, links: upper, body: "".into() };
    let position = store.append(&root).unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    (position, alive)
}

fn stage_name(stage: CollectionStage) -> &'static str {
    match stage {
        CollectionStage::None | CollectionStage::Done => "none",
        CollectionStage::Mark => "mark",
        CollectionStage::Sweep => "sweep",
        CollectionStage::Compact => "compact",
    }
}

/// Forgets the peak of what is resident; returns what is now.
fn begin_peak() -> u64 {
    fs::write("/proc/self/clear_refs", "5").unwrap();
    resident("VmRSS:")
}

fn resident_peak() -> u64 {
    resident("VmHWM:")
}

fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
