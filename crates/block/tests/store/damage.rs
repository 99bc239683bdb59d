//! Damage is named or harmless; it never gives wrong content and never panics.

use crate::*;
use block::{Error, Health, Position};

const SEGMENTS: &str = "segments";

/// A store of several segments with records and syncs in it, closed.
fn filled() -> (SimDisk, MemoryIndex, Vec<(Name, Block)>) {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let mut blocks = Vec::new();
    for number in 0..12 {
        blocks.extend(fill(&store, number, 5));
        store.append(&root(number % 3, "state")).unwrap();
        store.sync().unwrap();
    }
    store.flush_index().unwrap();
    assert!(store.statistics().segments >= 3);
    (disk, index, blocks)
}

fn segment(number: u32) -> String {
    format!("{SEGMENTS}/{number:010}.segment")
}

/// Opens a damaged store and reads all of it. Returns whether anything was noticed.
fn read_all(disk: &SimDisk, index: &MemoryIndex, blocks: &[(Name, Block)]) -> bool {
    let Ok(store) = open(disk, index) else { return true };
    let mut is_noticed = store.records_from(Position::START, &mut |_| Ok(())).is_err();
    for (name, block) in blocks {
        match store.get(name) {
            Ok(found) => assert_eq!(&found, block),
            Err(_) => is_noticed = true,
        }
    }
    for stream in 0..3 {
        is_noticed |= store.latest_root(stream).is_err();
    }
    is_noticed
}

#[test]
fn a_flipped_byte_anywhere_never_gives_wrong_content() {
    let (disk, index, blocks) = filled();
    for path in disk.paths(SEGMENTS) {
        for offset in (0..SEGMENT_BYTES).step_by(61) {
            let damaged = disk.image();
            damaged.flip(&path, offset, 0x11);
            read_all(&damaged, &index.snapshot(), &blocks);
            read_all(&damaged, &MemoryIndex::default(), &blocks);
        }
    }
}

#[test]
fn damage_that_the_index_reaches_is_named_when_the_block_is_read() {
    let (disk, index, blocks) = filled();
    disk.flip(&segment(1), 64 + 64 + 10, 1);
    let store = open(&disk, &index).unwrap();
    let error = store.get(&blocks[0].0).unwrap_err();
    let expected = format!("block {} in segment 1 at 64: the payload's checksum does not match", blocks[0].0);
    assert!(matches!(&error, Error::Corrupt { what } if *what == expected), "{error}");
    assert_holds(&store, &blocks[1..]);
}

/// Why a store takes no writes.
fn reason(store: &Store) -> String {
    match store.health() {
        Health::ReadOnly { reason, .. } => reason,
        Health::Ok => panic!("the damage went unnoticed"),
    }
}

#[test]
fn damage_in_the_middle_of_the_log_is_not_taken_for_a_torn_tail() {
    let (disk, _, blocks) = filled();
    disk.flip(&segment(2), 64 + 8, 1);
    let before = disk.operations();
    let index = MemoryIndex::default();
    for _ in 0..2 {
        let store = open(&disk, &index).unwrap();
        assert!(reason(&store).contains("segment 2 at 64"), "{}", reason(&store));
        let lost = blocks.iter().filter(|(name, block)| match store.get(name) {
            Ok(found) => {
                assert_eq!(found, *block);
                false
            }
            Err(_) => true,
        });
        assert_eq!(lost.count(), 1, "all that is sound stays readable, also behind the damage");
        assert!((0..3).all(|stream| store.latest_root(stream).unwrap().is_some()));
        assert!(matches!(store.put(&Block::data("new".into())), Err(Error::ReadOnly { .. })));
        assert!(store.come_back().is_err(), "a damaged log does not come back");
        store.flush_index().unwrap();
    }
    assert!(
        disk.operations() - before <= 6,
        "only names and the segment before were synced: {}",
        disk.operations() - before
    );
}

#[test]
fn damaged_content_that_the_index_does_not_reach_is_of_its_block_alone_and_heals() {
    let (disk, _, blocks) = filled();
    disk.flip(&segment(2), 64 + 64 + 10, 1);
    let index = MemoryIndex::default();
    for _ in 0..2 {
        let store = open(&disk, &index).unwrap();
        assert_eq!(store.health(), Health::Ok);
        let damaged = store.damaged();
        assert!(damaged.len() == 1 && damaged[0].what.contains("segment 2 at 64"), "{damaged:?}");
        let lost = |block: &&(Name, Block)| store.get(&block.0).is_err();
        assert_eq!(blocks.iter().filter(lost).map(|(name, _)| *name).collect::<Vec<_>>(), [damaged[0].name]);
        assert!((0..3).all(|stream| store.latest_root(stream).unwrap().is_some()));
    }
    let store = open(&disk, &index).unwrap();
    let name = store.damaged()[0].name;
    let (_, block) = blocks.iter().find(|(other, _)| *other == name).unwrap();
    assert!(store.repair(block).unwrap());
    store.sync().unwrap();
    drop(store);
    for index in [&index, &MemoryIndex::default()] {
        let store = open(&disk, index).unwrap();
        assert_eq!(store.damaged(), []);
        assert_holds(&store, &blocks);
    }
}

#[test]
fn damage_in_the_last_segment_is_known_from_a_later_record() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    fill(&store, 1, 1);
    store.sync().unwrap();
    store.append(&root(1, "a state")).unwrap();
    store.sync().unwrap();
    disk.flip(&segment(1), 64 + 8, 1);
    let store = open(&disk, &index).unwrap();
    let reason = reason(&store);
    assert!(reason.contains("segment 1 at 64: there is no frame header; the log was durable up to"), "{reason}");
    assert!(store.latest_root(1).unwrap().is_some());
}

#[test]
fn damage_in_a_log_without_records_is_known_from_later_segments() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    for seed in 0..10 {
        fill(&store, seed, 10);
        store.sync().unwrap();
    }
    assert!(store.statistics().segments > 4);
    disk.flip(&segment(2), 64 + 8, 1);
    let store = open(&disk, &MemoryIndex::default()).unwrap();
    assert!(reason(&store).contains("segment 2 at 64"));
}

#[test]
fn a_damaged_root_is_read_from_its_copy() {
    let (disk, index, _) = filled();
    let store = open(&disk, &index).unwrap();
    let root = store.latest_root(1).unwrap().unwrap();
    disk.flip(&segment(root.position.segment()), root.position.offset() as u64 + 66, 1);
    assert_eq!(store.latest_root(1).unwrap().unwrap(), root);
    for index in [index, MemoryIndex::default()] {
        assert_eq!(open(&disk, &index).unwrap().latest_root(1).unwrap().unwrap(), root);
    }
    block::Disk::remove(&disk, "copies").unwrap();
    assert!(
        open(&disk, &MemoryIndex::default()).unwrap().latest_root(1).is_err(),
        "without a copy it is lost, and said so"
    );
}

#[test]
fn a_block_that_is_kept_twice_survives_the_loss_of_its_segment() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 2);
    store.keep_twice(vec![blocks[1].0]);
    store.append(&root(0, "state")).unwrap();
    store.sync().unwrap();
    fill(&store, 2, 30);
    store.sync().unwrap();
    store.flush_index().unwrap();
    drop(store);
    block::Disk::remove(&disk, &segment(1)).unwrap();
    for index in [index, MemoryIndex::default()] {
        let store = open(&disk, &index).unwrap();
        assert!(store.get(&blocks[0].0).is_err());
        assert_eq!(store.get(&blocks[1].0).unwrap(), blocks[1].1);
    }
}

/// Found by reading: such a store opened as a new one.
#[test]
fn a_store_whose_only_segment_is_cut_is_not_taken_for_a_new_one() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    store.append(&root(0, "state")).unwrap();
    store.sync().unwrap();
    drop(store);
    for length in [0, 30, 63] {
        let damaged = disk.image();
        block::Disk::open(&damaged, &segment(1)).unwrap().truncate(length).unwrap();
        let store = open(&damaged, &MemoryIndex::default()).unwrap();
        assert!(reason(&store).contains("the log was durable up to"), "{}", reason(&store));
        assert!(block::Disk::open(&damaged, &segment(1)).is_ok(), "nothing was removed");
    }
}

#[test]
fn a_frame_behind_a_torn_one_does_not_come_back_when_the_torn_one_is_written_again() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    fill(&store, 1, 1);
    store.sync().unwrap();
    let torn = Block::data(Random::new(1).bytes(2000).into());
    let behind = Block::data(Random::new(2).bytes(1000).into());
    store.put(&torn).unwrap();
    store.put(&behind).unwrap();
    let mut survivals = 0;
    for seed in 0..300 {
        let disk = disk.crash(seed);
        let has_survived = disk_holds(&disk, &behind.body);
        let store = open(&disk, &index.snapshot()).unwrap();
        if store.contains(&torn.name()).unwrap() || !has_survived {
            continue;
        }
        survivals += 1;
        store.put(&torn).unwrap();
        store.sync().unwrap();
        let again = open(&disk.crash(seed), &MemoryIndex::default()).unwrap();
        assert_holds(&again, &[(torn.name(), torn.clone())]);
        assert!(!again.contains(&behind.name()).unwrap(), "seed {seed}");
    }
    assert!(survivals > 5, "the case came up {survivals} times");
}

/// Whether these bytes lie in the first segment.
fn disk_holds(disk: &SimDisk, body: &[u8]) -> bool {
    let file = block::Disk::open(disk, &segment(1)).unwrap();
    let mut bytes = vec![0; SEGMENT_BYTES as usize];
    let length = file.read_at(&mut bytes, 0).unwrap();
    bytes[..length].windows(body.len()).any(|window| window == body)
}

#[test]
fn an_index_that_knows_more_than_the_log_is_not_trusted() {
    let (disk, index, _) = filled();
    let last = disk.paths(SEGMENTS).into_iter().max().unwrap();
    block::Disk::remove(&disk, &last).unwrap();
    let store = open(&disk, &index).unwrap();
    assert!(reason(&store).contains("is missing"), "{}", reason(&store));
}

#[test]
fn a_missing_segment_is_named_by_whoever_needs_it() {
    let (disk, index, blocks) = filled();
    block::Disk::remove(&disk, &segment(1)).unwrap();
    let store = open(&disk, &index).unwrap();
    let error = store.get(&blocks[0].0).unwrap_err();
    assert!(error.to_string().contains("segments/0000000001.segment is missing"), "{error}");
    let store = open(&disk, &MemoryIndex::default()).unwrap();
    assert!(!reason(&store).is_empty());
    let (name, block) = blocks.last().unwrap();
    assert_eq!(store.get(name).unwrap(), *block);
}

#[test]
fn a_truncated_segment_never_panics() {
    let (disk, index, blocks) = filled();
    for path in disk.paths(SEGMENTS) {
        for length in (0..SEGMENT_BYTES).step_by(509) {
            let damaged = disk.image();
            block::Disk::open(&damaged, &path).unwrap().truncate(length).unwrap();
            read_all(&damaged, &index.snapshot(), &blocks);
            read_all(&damaged, &MemoryIndex::default(), &blocks);
        }
    }
}

#[test]
fn random_bytes_in_place_of_segments_never_panic() {
    let (disk, index, blocks) = filled();
    let mut random = Random::new(9);
    for _ in 0..200 {
        let damaged = disk.image();
        let paths = damaged.paths(SEGMENTS);
        let path = &paths[random.below(paths.len() as u64) as usize];
        let length = random.below(4096) as usize;
        let bytes = random.bytes(length);
        let offset = random.below(SEGMENT_BYTES);
        let file = block::Disk::open(&damaged, path).unwrap();
        file.write_at(&[std::io::IoSlice::new(&bytes)], offset).unwrap();
        read_all(&damaged, &index.snapshot(), &blocks);
        read_all(&damaged, &MemoryIndex::default(), &blocks);
    }
}

#[test]
fn an_index_of_another_store_is_made_again() {
    let (disk, _, blocks) = filled();
    let other = MemoryIndex::default();
    block::Index::reset(&other, StoreId::from_bytes([9; 16])).unwrap();
    assert_holds(&open(&disk, &other).unwrap(), &blocks);
}

#[test]
fn a_lost_superblock_is_made_again_from_the_segments() {
    let (disk, index, blocks) = filled();
    block::Disk::remove(&disk, "store").unwrap();
    assert_holds(&open(&disk, &index).unwrap(), &blocks);
    disk.flip("store", 3, 0xff);
    let store = open(&disk, &index).unwrap();
    assert_eq!(store.id(), options().id.unwrap());
    assert!(block::Disk::open(&disk, "store").is_ok());
}
