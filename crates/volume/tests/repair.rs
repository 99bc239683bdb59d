//! Repair: a damaged pool goes on with the newest state that is whole, whenever the power goes meanwhile.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::{Disk, MemoryIndex, Position, RecordKind, Store};
use place::{OWNER, open_pool_with, pool_options, store_options};
use sim::SimDisk;
use std::sync::Arc;
use volume::{Fallback, Inode, NewInode, Pool, PoolError, Privileges, RepairedVolume, VolumeId};

/// Whom the volumes have met.
const OTHER: [u8; 16] = [9; 16];

const FILES: [&[u8]; 2] = [b"old", b"new"];

/// A pool with two volumes, each with a file that a checkpoint has and one that only the journal has, and a large one between them.
fn filled(disk: &SimDisk, index: &MemoryIndex) -> (Pool, VolumeId) {
    let pool = open_pool_with(disk, index.clone(), true, &Arc::default()).unwrap();
    let second = pool.create_volume("second", OWNER).unwrap().id;
    for id in [VolumeId::FIRST, second] {
        write(&pool, id, b"old", b"old").unwrap();
        let volume = pool.volume(id).unwrap();
        volume.checkpoint().unwrap();
        volume.note_meeting(OTHER, volume.state().tree()).unwrap();
    }
    write(&pool, VolumeId::FIRST, b"large", &[7; 20_000]).unwrap();
    pool.checkpoint().unwrap();
    for id in [VolumeId::FIRST, second] {
        write(&pool, id, b"new", b"new").unwrap();
        pool.volume(id).unwrap().sync().unwrap();
    }
    (pool, second)
}

fn write(pool: &Pool, id: VolumeId, name: &[u8], content: &[u8]) -> volume::Result<()> {
    let volume = pool.volume(id).unwrap();
    let (file, _) = volume.make(Inode::ROOT, name, NewInode::File, 0o600, OWNER)?;
    volume.write(file, 0, content, Privileges::Keep)
}

fn read(pool: &Pool, id: VolumeId, name: &[u8]) -> volume::Result<Vec<u8>> {
    let volume = pool.volume(id).unwrap();
    let (file, _) = volume.lookup(Inode::ROOT, name)?;
    let mut bytes = vec![0; 20_000];
    let length = volume.read(file, 0, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn open(disk: &SimDisk, index: &MemoryIndex) -> Pool {
    open_pool_with(disk, index.clone(), false, &Arc::default()).unwrap()
}

fn repair(disk: &SimDisk, index: &MemoryIndex) -> Result<(Pool, Vec<RepairedVolume>), PoolError> {
    let open = || Store::open(Arc::new(disk.clone()), Box::new(index.clone()), store_options());
    open()?.mend()?;
    Pool::repair(Arc::new(open()?), pool_options())
}

/// Changes the content of a frame.
fn flip(disk: &SimDisk, position: Position) {
    flip_at(disk, position, 70);
}

fn flip_at(disk: &SimDisk, position: Position, offset: u64) {
    disk.flip(&format!("segments/{:010}.segment", position.segment()), position.offset() as u64 + offset, 1);
}

/// Damages the header of the large file's block, which the index does not know: so where it ends is lost, and the log is damaged.
fn damage_log(disk: &SimDisk, index: &MemoryIndex) {
    let block = block::Block::data(vec![7; 20_000].into()).name();
    let position = block::Index::get(index, &block).unwrap().unwrap().position;
    flip_at(disk, position, 8);
}

fn check_whole(disk: &SimDisk, index: &MemoryIndex, second: VolumeId, what: &str) {
    for index in [index.clone(), MemoryIndex::default()] {
        let disk = disk.restart();
        let pool = open(&disk, &index);
        assert_eq!(pool.damages().unwrap(), [""; 0], "{what}");
        for (id, name) in [VolumeId::FIRST, second].into_iter().flat_map(|id| FILES.map(|name| (id, name))) {
            assert_eq!(read(&pool, id, name).unwrap(), name, "{what}");
        }
        assert!(read(&pool, VolumeId::FIRST, b"large").is_err(), "{what}");
        write(&pool, second, b"more", b"more").unwrap();
        pool.checkpoint().unwrap();
        drop(pool);
        assert_eq!(read(&open(&disk, &index), second, b"more").unwrap(), b"more", "{what}");
    }
}

/// Whether what the volume has counts as what came of the state in which it met the other one, so that what is not there was deleted.
fn is_met(pool: &Pool, id: VolumeId) -> bool {
    let past = pool.volume(id).unwrap().past().unwrap();
    assert_eq!(past.age.incarnation == 0, past.meetings.contains_key(&OTHER));
    assert_eq!(past.age.incarnation == 0, past.states.len() > 1);
    past.age.incarnation == 0
}

#[test]
fn a_damaged_log_is_gone_on_with_wherever_the_power_goes() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.checkpoint().unwrap();
    damage_log(&disk, &index);
    drop(pool);
    let mut points = 0;
    loop {
        let (disk, index) = (disk.image(), MemoryIndex::default());
        disk.stop_at(disk.operations() + points);
        let repaired = repair(&disk, &index);
        if !disk.is_stopped() {
            repaired.unwrap();
            check_whole(&disk, &index, second, "without a power loss");
            break;
        }
        drop(repaired);
        for seed in 0..4 {
            let (crashed, index) = (disk.crash(seed), index.snapshot());
            let what = format!("operation {points}, seed {seed}");
            let pool = open(&crashed, &index);
            let damages = pool.damages().unwrap();
            drop(pool);
            if !damages.is_empty() {
                repair(&crashed, &index).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            check_whole(&crashed, &index, second, &what);
        }
        points += 1;
    }
    println!("{points} crash points");
    assert!(points > 10, "the repair has operations");
}

#[test]
fn looking_at_what_a_repair_would_do_changes_nothing() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.checkpoint().unwrap();
    damage_log(&disk, &index);
    drop(pool);
    let before = disk.operations();
    let index = Box::new(MemoryIndex::default());
    let store = Store::open_read_only(Arc::new(disk.clone()), index, store_options(), &mut |_, _| {}).unwrap();
    assert!(store.damage().is_some() && !store.damages_behind_index().unwrap().is_empty());
    let (pool, _) = Pool::repair(Arc::new(store), pool_options()).unwrap();
    assert_eq!(read(&pool, second, b"new").unwrap(), b"new");
    assert!(write(&pool, second, b"more", b"more").is_err());
    assert_eq!(disk.operations(), before);
}

#[test]
fn a_volume_whose_root_is_lost_falls_back_to_the_one_before_and_its_journal() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.store().flush_index().unwrap();
    flip(&disk, pool.store().latest_root_position(second.0).unwrap());
    disk.remove("copies").unwrap();
    drop(pool);
    let (pool, repaired) = repair(&disk, &index).unwrap();
    assert!(matches!(repaired[..], [RepairedVolume { outcome: Fallback::OlderRoot { .. }, .. }]), "{repaired:?}");
    drop(pool);
    let pool = open(&disk, &index);
    assert_eq!(pool.damages().unwrap(), [""; 0]);
    FILES.iter().for_each(|name| assert_eq!(read(&pool, second, name).unwrap(), *name));
    assert!(!is_met(&pool, second) && is_met(&pool, VolumeId::FIRST));
}

#[test]
fn a_volume_whose_journal_is_damaged_goes_on_with_what_was_before() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.store().flush_index().unwrap();
    let from = pool.store().latest_root_position(second.0).unwrap();
    let mut parts = Vec::new();
    let mut visit = |stored: block::StoredRecord| {
        let is_part = stored.record.kind == RecordKind::Intent && stored.record.stream == second.0;
        parts.extend(is_part.then_some(stored.position));
        Ok(())
    };
    pool.store().records_from(from, &mut visit).unwrap();
    flip(&disk, *parts.last().unwrap());
    drop(pool);
    let (pool, repaired) = repair(&disk, &index).unwrap();
    assert!(matches!(repaired[..], [RepairedVolume { outcome: Fallback::Journal { .. }, .. }]), "{repaired:?}");
    drop(pool);
    let pool = open(&disk, &index);
    assert_eq!(pool.damages().unwrap(), [""; 0]);
    assert_eq!(read(&pool, second, b"old").unwrap(), b"old");
    assert!(read(&pool, second, b"new").is_err());
    assert!(is_met(&pool, second));
    write(&pool, second, b"new", b"again").unwrap();
}

#[test]
fn a_volume_whose_newest_tree_and_older_roots_are_lost_falls_back_to_a_kept_state() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.volume(second).unwrap().create_snapshot("safe", false).unwrap();
    write(&pool, second, b"later", b"later").unwrap();
    pool.checkpoint().unwrap();
    pool.store().flush_index().unwrap();
    let mut roots = Vec::new();
    let mut visit = |stored: block::StoredRecord| {
        let is_root = stored.record.kind == RecordKind::Root && stored.record.stream == second.0;
        roots.extend(is_root.then_some(stored.position));
        Ok(())
    };
    pool.store().records_from(Position::START, &mut visit).unwrap();
    let newest = roots.pop().unwrap();
    assert!(!roots.is_empty() && pool.store().latest_root_position(second.0) == Some(newest));
    let tree = pool.volume(second).unwrap().state().tree().unwrap();
    flip(&disk, block::Index::get(&index, &tree).unwrap().unwrap().position);
    roots.iter().for_each(|root| flip(&disk, *root));
    disk.remove("copies").unwrap();
    drop(pool);
    let (pool, repaired) = repair(&disk, &index).unwrap();
    assert!(matches!(repaired[..], [RepairedVolume { outcome: Fallback::Kept { .. }, .. }]), "{repaired:?}");
    drop(pool);
    let pool = open(&disk, &index);
    assert_eq!(pool.damages().unwrap(), [""; 0]);
    FILES.iter().for_each(|name| assert_eq!(read(&pool, second, name).unwrap(), *name));
    assert!(read(&pool, second, b"later").is_err());
    assert!(!is_met(&pool, second));
    let snapshots = pool.volume(second).unwrap().snapshots().unwrap().map(|snapshot| snapshot.unwrap().name);
    assert_eq!(snapshots.collect::<Vec<_>>(), ["safe"]);
    write(&pool, second, b"later", b"again").unwrap();
}
