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

/// Blocks and a root that no sync covers; the sync of them fails.
fn with_failed_sync(disk: &SimDisk, index: &MemoryIndex) -> (Store, Vec<(Name, Block)>) {
    let store = create(disk, index);
    let mut kept = fill(&store, 1, 20);
    store.append(&root(1, "old")).unwrap();
    store.sync().unwrap();
    kept.extend(fill(&store, 2, 40));
    store.append(&intent(1, "a step")).unwrap();
    store.append(&root(1, "new")).unwrap();
    kept.extend(fill(&store, 3, 3));
    disk.fail_at(disk.operations(), ErrorKind::Other);
    assert!(store.sync().is_err());
    (store, kept)
}

fn assert_all_there(store: &Store, kept: &[(Name, Block)]) {
    assert_holds(store, kept);
    assert_eq!(store.latest_root(1).unwrap().unwrap().record.body, "new");
    let mut bodies = Vec::new();
    let visit = &mut |stored: block::StoredRecord| {
        bodies.push(stored.record.body);
        Ok(())
    };
    store.records_from(block::Position::START, visit).unwrap();
    assert_eq!(bodies, ["old", "a step", "new"]);
}

#[test]
fn a_store_comes_back_after_a_failed_sync_with_all_that_was_accepted() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (store, mut kept) = with_failed_sync(&disk, &index);
    store.come_back().unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_all_there(&store, &kept);
    // Nothing but what a sync of the new file has made durable counts.
    assert_all_there(&open(&disk.crash(0), &index.snapshot()).unwrap(), &kept);
    kept.extend(fill(&store, 4, 30));
    store.sync().unwrap();
    store.flush_index().unwrap();
    drop(store);
    for index in [index, MemoryIndex::default()] {
        assert_all_there(&open(&disk.crash(0), &index).unwrap(), &kept);
    }
}

#[test]
fn a_frame_that_could_not_be_written_is_left_out_when_the_store_comes_back() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let kept = fill(&store, 1, 5);
    disk.fail_at(disk.operations(), ErrorKind::Other);
    let lost = Block::data("lost".into());
    assert!(store.put(&lost).is_err());
    store.come_back().unwrap();
    assert_holds(&store, &kept);
    assert!(!store.contains(&lost.name()).unwrap());
    store.put(&lost).unwrap();
    store.sync().unwrap();
    drop(store);
    let store = open(&disk.crash(0), &MemoryIndex::default()).unwrap();
    assert_holds(&store, &kept);
    assert_eq!(store.get(&lost.name()).unwrap(), lost);
}

#[test]
fn a_store_that_cannot_read_back_what_it_accepted_does_not_come_back() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (store, _) = with_failed_sync(&disk, &index);
    let head = store.position();
    disk.flip(&format!("segments/{:010}.segment", head.segment()), head.offset() as u64 - 100, 1);
    let error = store.come_back().unwrap_err().to_string();
    assert!(error.contains("cannot be read back"), "{error}");
    assert!(matches!(store.health(), Health::ReadOnly { .. }));
    assert!(matches!(store.put(&Block::data("more".into())), Err(Error::ReadOnly { .. })));
}

#[test]
fn what_was_read_back_once_is_kept_until_the_store_comes_back() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (store, kept) = with_failed_sync(&disk, &index);
    let head = store.position();
    disk.fail_at(disk.operations(), ErrorKind::StorageFull);
    assert!(store.come_back().is_err());
    // The kernel forgets pages that it could not write.
    disk.flip(&format!("segments/{:010}.segment", head.segment()), head.offset() as u64 - 100, 1);
    store.come_back().unwrap();
    assert_all_there(&store, &kept);
    assert_all_there(&open(&disk.crash(0), &index.snapshot()).unwrap(), &kept);
}

/// The disk fails at each operation of coming back in turn; then it comes back, or the power goes.
#[test]
fn coming_back_can_fail_at_any_operation_and_be_tried_again() {
    for operation in 0.. {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let (store, kept) = with_failed_sync(&disk, &index);
        disk.fail_at(disk.operations() + operation, ErrorKind::Other);
        let first = store.come_back();
        let durable = &kept[..20];
        assert_holds(&open(&disk.crash(operation), &index.snapshot()).unwrap(), durable);
        store.come_back().unwrap();
        assert_all_there(&store, &kept);
        assert_all_there(&open(&disk.crash(operation), &index.snapshot()).unwrap(), &kept);
        if first.is_ok() {
            assert!(operation > 40, "every frame is an operation: {operation}");
            return;
        }
    }
}

#[test]
fn the_power_may_go_at_any_operation_of_coming_back() {
    for operation in 0.. {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let (store, kept) = with_failed_sync(&disk, &index);
        disk.stop_at(disk.operations() + operation);
        let came_back = store.come_back().is_ok();
        for seed in 0..3 {
            let store = open(&disk.crash(seed), &index.snapshot()).unwrap();
            assert_holds(&store, &kept[..20]);
            if came_back {
                assert_all_there(&store, &kept);
            }
        }
        if !disk.is_stopped() {
            return;
        }
    }
}

#[test]
fn the_reserve_is_there_for_who_may_use_it_and_is_made_again_when_there_is_space() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    store.fill_reserve();
    let mut random = Random::new(1);
    let mut put = || store.put(&Block::data(random.bytes(1000).into()));
    disk.set_capacity(6 * SEGMENT_BYTES);
    assert!(store.room().unwrap() < 4 * SEGMENT_BYTES);
    while put().is_ok() {}
    assert!(matches!(put(), Err(Error::Full)));
    assert!(store.room().unwrap() < 1500);
    let mut helped = 0;
    while store.with_reserve(&mut put).is_ok() {
        helped += 1;
    }
    assert!(helped >= 2 * 14, "two segments: {helped} blocks");
    store.sync().unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert!(store.room().unwrap() < 1500);
    disk.set_capacity(20 * SEGMENT_BYTES);
    store.fill_reserve();
    assert!(disk.paths("segments").iter().filter(|path| path.ends_with(".spare")).count() == 2);
    put().unwrap();
    let blocks = store.statistics().blocks;
    store.sync().unwrap();
    drop(store);
    let store = open(&disk.crash(1), &MemoryIndex::default()).unwrap();
    assert_eq!(store.statistics().blocks, blocks);
}

/// An index that refuses every change for a while.
#[derive(Clone, Default)]
struct Refusing {
    index: MemoryIndex,
    refuses: Arc<std::sync::atomic::AtomicBool>,
}

impl block::Index for Refusing {
    fn get(&self, name: &Name) -> block::Result<Option<block::Location>> {
        self.index.get(name)
    }

    fn scan(&self, from: &Name, count: usize) -> block::Result<Vec<(Name, block::Location)>> {
        self.index.scan(from, count)
    }

    fn state(&self) -> block::Result<Option<block::IndexState>> {
        self.index.state()
    }

    fn apply(&self, update: &block::IndexUpdate) -> block::Result<()> {
        match self.refuses.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(Error::Full),
            false => self.index.apply(update),
        }
    }

    fn note(&self, key: &[u8]) -> block::Result<Option<Vec<u8>>> {
        self.index.note(key)
    }

    fn notes(&self, from: &[u8], count: usize) -> block::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.index.notes(from, count)
    }

    fn write_notes(&self, notes: &[block::Note]) -> block::Result<()> {
        self.index.write_notes(notes)
    }

    fn reset(&self, store: StoreId) -> block::Result<()> {
        self.index.reset(store)
    }
}

#[test]
fn an_index_that_cannot_be_changed_stops_nobody_from_writing_and_follows_later() {
    let (disk, index) = (SimDisk::new(), Refusing::default());
    let store = Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap();
    let mut kept = fill(&store, 1, 10);
    store.sync().unwrap();
    index.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(store.flush_index(), Err(Error::Full)));
    assert!(store.index_problem().is_some());
    kept.extend(fill(&store, 2, 10));
    store.sync().unwrap();
    assert_eq!(store.health(), Health::Ok);
    assert_holds(&open(&disk.crash(1), &index.index.snapshot()).unwrap(), &kept);
    index.refuses.store(false, std::sync::atomic::Ordering::Relaxed);
    store.flush_index().unwrap();
    assert_eq!(store.index_problem(), None);
    drop(store);
    assert_holds(&open(&disk.crash(1), &index.index).unwrap(), &kept);
}
