//! Reading everything finds what is damaged and names it; putting it again heals it.

use crate::*;
use block::{Damage, DamagedSubject, Position, Reach, RecordKind};

/// Everything that is damaged, as reading in steps of some bytes finds it.
fn verify(store: &Store, step_bytes: u64) -> Vec<Damage> {
    let (mut found, mut next) = (Vec::new(), Some(Position::START));
    while let Some(from) = next {
        next = store.verify(from, step_bytes, &mut |damage| found.push(damage)).unwrap().next;
    }
    found
}

/// A block with links to some others, put.
fn put_linked(store: &Store, links: &[(Name, Block)]) -> Name {
    let links = links.iter().map(|(name, _)| *name).collect();
    store.put(&Block { links, body: "parent".into() }).unwrap()
}

/// The blocks that cannot be had below some others.
fn lacking(store: &Store, from: &[Name], damages: &[Damage]) -> Vec<Name> {
    let (mut reach, mut found) = (Reach::new(from.to_vec(), damages), Vec::new());
    while reach.step(store, 3, &mut |name, _| found.push(name)).unwrap() {}
    found
}

#[test]
fn a_sound_store_has_no_damage_whatever_the_steps() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks: Vec<_> = (0..8).flat_map(|seed| fill(&store, seed, 6)).collect();
    let parent = put_linked(&store, &blocks);
    store.append(&root(1, "a state")).unwrap();
    for step_bytes in [0, 100, 5000, u64::MAX] {
        assert_eq!(verify(&store, step_bytes), []);
    }
    let all = store.bytes_to_verify(Position::START);
    assert!(all > 3 * SEGMENT_BYTES && all <= store.statistics().segments * SEGMENT_BYTES, "{all} bytes");
    assert_eq!(lacking(&store, &[parent], &[]), []);
}

#[test]
fn a_flipped_byte_is_found_and_the_block_named_and_healed() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 3);
    let parent = put_linked(&store, &blocks);
    store.append(&root(1, "a state")).unwrap();
    store.sync().unwrap();
    let name = blocks[0].0;
    disk.flip("segments/0000000001.segment", 64 + 64 + 10, 1);
    let found = verify(&store, u64::MAX);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].position, found[0].subject), (Position::new(1, 64), DamagedSubject::Block(name)));
    assert_eq!(lacking(&store, &[parent], &found), [name]);
    assert!(store.get(&name).is_err());
    assert_eq!(store.damaged().iter().map(|damaged| damaged.name).collect::<Vec<_>>(), [name]);
    assert!(!store.contains(&name).unwrap(), "a damaged block is not there");
    store.put(&blocks[0].1).unwrap();
    assert_eq!(store.get(&name).unwrap(), blocks[0].1);
    assert!(store.damaged().is_empty() && store.contains(&name).unwrap());
    assert_eq!(lacking(&store, &[parent], &verify(&store, u64::MAX)), [], "the old place is of no meaning any more");
    store.flush_index().unwrap();
    let store = open(&disk.crash(1), &index).unwrap();
    assert_eq!(store.get(&name).unwrap(), blocks[0].1, "the healed block is the one that a restart finds");
}

#[test]
fn repair_writes_only_what_cannot_be_read() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 2);
    store.sync().unwrap();
    let writes = store.statistics().writes;
    assert!(!store.repair(&blocks[0].1).unwrap());
    assert_eq!(store.statistics().writes, writes);
    disk.flip("segments/0000000001.segment", 64 + 64 + 10, 1);
    assert!(store.repair(&blocks[0].1).unwrap(), "nobody had noticed the damage before");
    assert_holds(&store, &blocks);
}

#[test]
fn a_damaged_header_hides_one_frame_and_not_those_behind_it() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 3);
    let parent = put_linked(&store, &blocks);
    store.append(&root(7, "a state")).unwrap();
    store.sync().unwrap();
    disk.flip("segments/0000000001.segment", 64 + 5, 1);
    let found = verify(&store, u64::MAX);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].subject, DamagedSubject::Unknown);
    assert_eq!(lacking(&store, &[parent], &found), [blocks[0].0]);
    let root = store.latest_root(7).unwrap().unwrap();
    disk.flip("segments/0000000001.segment", root.position.offset() as u64 + 64, 1);
    let found = verify(&store, 10);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1].subject, DamagedSubject::Record { kind: RecordKind::Root, stream: 7 });
}

#[test]
fn a_missing_segment_is_damage_of_its_whole_length() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks: Vec<_> = (0..8).flat_map(|seed| fill(&store, seed, 6)).collect();
    let parent = put_linked(&store, &blocks);
    store.append(&root(1, "a state")).unwrap();
    store.flush_index().unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    drop(store);
    block::Disk::remove(&disk, "segments/0000000002.segment").unwrap();
    let store = open(&disk, &index).unwrap();
    let found = verify(&store, u64::MAX);
    let lost = lacking(&store, &[parent], &found);
    assert!(!lost.is_empty() && lost.len() < blocks.len());
    for (name, block) in &blocks {
        match lost.contains(name) {
            true => assert!(store.get(name).is_err()),
            false => assert_eq!(store.get(name).unwrap(), *block),
        }
    }
}

/// Reads without any check: what dropping the hash and the checksums would be.
fn read_unchecked(disk: &SimDisk, index: &MemoryIndex, name: &Name) -> Vec<u8> {
    let location = block::Index::get(index, name).unwrap().unwrap();
    let file = block::Disk::open(disk, &format!("segments/{:010}.segment", location.position.segment())).unwrap();
    let mut bytes = vec![0; location.payload_bytes as usize];
    file.read_at(&mut bytes, location.position.offset() as u64 + 64).unwrap();
    bytes
}

/// A deliberate break: the check that damaged content is never served must fail for a reader that compares nothing.
#[test]
fn a_reader_that_drops_the_checks_is_noticed() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 5);
    store.sync().unwrap();
    store.flush_index().unwrap();
    let (name, block) = &blocks[2];
    assert_eq!(read_unchecked(&disk, &index, name), block.body, "noise is stored as it is");
    let position = block::Index::get(&index, name).unwrap().unwrap().position;
    disk.flip("segments/0000000001.segment", position.offset() as u64 + 64, 1);
    let is_wrong = |served: Option<Vec<u8>>| served.is_some_and(|served| served != block.body);
    assert!(!is_wrong(store.get(name).ok().map(|block| block.body.to_vec())));
    assert!(is_wrong(Some(read_unchecked(&disk, &index, name))), "dropping the checks went unnoticed");
}
