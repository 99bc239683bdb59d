//! The disk refuses an operation.

use crate::*;
use block::{Error, Health};
use std::io::ErrorKind;

#[test]
fn a_failed_sync_makes_the_store_read_only_and_is_never_tried_again() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let kept = fill(&store, 1, 5);
    store.sync().unwrap();
    fill(&store, 2, 2);
    disk.fail_at(disk.operations(), ErrorKind::Other);
    assert!(matches!(store.sync(), Err(Error::Disk { operation: "sync", .. })));
    let syncs = disk.syncs();
    assert!(matches!(store.sync(), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.put(&Block::data("more".into())), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.append(&root(1, "more")), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.health(), Health::ReadOnly { .. }));
    assert_eq!(disk.syncs(), syncs);
    assert_holds(&store, &kept);
    drop(store);
    let store = open(&disk.crash(3), &index).unwrap();
    assert_holds(&store, &kept);
    assert_eq!(store.health(), Health::Ok);
}

#[test]
fn a_failed_write_makes_the_store_read_only() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let kept = fill(&store, 1, 5);
    disk.fail_at(disk.operations(), ErrorKind::Other);
    assert!(matches!(store.put(&Block::data("lost".into())), Err(Error::Disk { operation: "write", .. })));
    assert!(matches!(store.sync(), Err(Error::ReadOnly { .. })));
    assert_holds(&store, &kept);
    assert!(!store.contains(&Block::data("lost".into()).name()).unwrap());
}

#[test]
fn a_disk_without_space_for_a_segment_is_full_and_takes_writes_again_when_there_is_some() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let large = Block::data(Random::new(1).bytes(SEGMENT_BYTES as usize / 2 + 100).into());
    let other = Block::data(Random::new(2).bytes(SEGMENT_BYTES as usize / 2 + 100).into());
    store.put(&large).unwrap();
    disk.set_capacity(0);
    assert!(matches!(store.put(&other), Err(Error::Full)));
    store.put(&Block::data("small".into())).unwrap();
    store.sync().unwrap();
    assert_eq!(store.health(), Health::Ok);
    disk.set_capacity(1 << 30);
    let name = store.put(&other).unwrap();
    assert_eq!(store.get(&name).unwrap(), other);
}

#[test]
fn a_full_disk_can_be_opened_after_a_crash() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let kept = fill(&store, 1, 5);
    store.sync().unwrap();
    fill(&store, 2, 5);
    disk.set_capacity(0);
    for seed in 0..20 {
        assert_holds(&open(&disk.crash(seed), &index.snapshot()).unwrap(), &kept);
    }
}

#[test]
fn making_a_store_where_one_is_already_changes_nothing() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let blocks = fill(&create(&disk, &index), 1, 5);
    let before = disk.operations();
    let again = Store::create(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), options());
    assert!(matches!(again, Err(Error::NotAStore { .. })));
    assert_eq!(disk.operations(), before);
    assert_holds(&open(&disk, &index).unwrap(), &blocks);
}
