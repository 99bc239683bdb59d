//! Damage of what finds everything else: copies stand in, and where there is none, only what is damaged is out of reach.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::{Disk, MemoryIndex, Position};
use place::{OWNER, open_pool_with};
use sim::SimDisk;
use std::sync::Arc;
use volume::{Inode, NewInode, Pool, Privileges, VolumeId};

/// A pool with two volumes, each with a file that a checkpoint has and one that only the journal has.
fn filled(disk: &SimDisk, index: &MemoryIndex) -> (Pool, VolumeId) {
    let pool = open_pool_with(disk, index.clone(), true, &Arc::default()).unwrap();
    let second = pool.create_volume("second", OWNER).unwrap().id;
    for id in [VolumeId::FIRST, second] {
        write(&pool, id, b"old").unwrap();
        pool.volume(id).unwrap().checkpoint().unwrap();
    }
    for id in [VolumeId::FIRST, second] {
        write(&pool, id, b"new").unwrap();
        pool.volume(id).unwrap().sync().unwrap();
    }
    (pool, second)
}

fn write(pool: &Pool, id: VolumeId, name: &[u8]) -> volume::Result<()> {
    let volume = pool.volume(id).unwrap();
    let (file, _) = volume.make(Inode::ROOT, name, NewInode::File, 0o600, OWNER)?;
    volume.write(file, 0, name, Privileges::Keep)
}

fn read(pool: &Pool, id: VolumeId, name: &[u8]) -> volume::Result<Vec<u8>> {
    let volume = pool.volume(id).unwrap();
    let (file, _) = volume.lookup(Inode::ROOT, name)?;
    let mut bytes = vec![0; 100];
    let length = volume.read(file, 0, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn reopen(disk: &SimDisk, index: &MemoryIndex) -> Pool {
    open_pool_with(&disk.image(), index.snapshot(), false, &Arc::default()).unwrap()
}

/// In the header of a frame, from where it lies.
const IN_HEADER: u64 = 8;
/// In what follows it.
const IN_CONTENT: u64 = 70;

fn segment(position: Position) -> String {
    format!("segments/{:010}.segment", position.segment())
}

fn flip(disk: &SimDisk, position: Position) {
    disk.flip(&segment(position), position.offset() as u64 + IN_CONTENT, 1);
}

#[test]
fn a_damaged_root_comes_from_its_copy_and_everything_is_there() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    flip(&disk, pool.store().latest_root_position(second.0).unwrap());
    flip(&disk, pool.store().latest_root_position(0).unwrap());
    drop(pool);
    for index in [index, MemoryIndex::default()] {
        let pool = reopen(&disk, &index);
        for id in [VolumeId::FIRST, second] {
            assert_eq!(read(&pool, id, b"old").unwrap(), b"old");
            assert_eq!(read(&pool, id, b"new").unwrap(), b"new");
        }
    }
}

#[test]
fn a_volume_whose_root_is_lost_does_not_keep_the_others_from_opening() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.store().flush_index().unwrap();
    flip(&disk, pool.store().latest_root_position(second.0).unwrap());
    disk.remove("copies").unwrap();
    drop(pool);
    let pool = reopen(&disk, &index);
    assert!(pool.volume(second).is_none());
    assert!(pool.volume_damage(second).unwrap().contains("checksum"), "{:?}", pool.volume_damage(second));
    assert_eq!(pool.volume_damage(VolumeId::FIRST), None);
    assert_eq!(read(&pool, VolumeId::FIRST, b"new").unwrap(), b"new");
    write(&pool, VolumeId::FIRST, b"more").unwrap();
    pool.sync().unwrap();
    pool.checkpoint().unwrap();
    assert!(pool.store().is_held(), "no garbage collection takes what the lost volume needs");
}

#[test]
fn a_volume_whose_journal_is_damaged_is_as_it_was_before_and_read_only() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    pool.store().flush_index().unwrap();
    let mut parts = Vec::new();
    let from = pool.store().latest_root_position(second.0).unwrap();
    pool.store()
        .records_from(from, &mut |stored| {
            if stored.record.kind == block::RecordKind::Intent && stored.record.stream == second.0 {
                parts.push(stored.position);
            }
            Ok(())
        })
        .unwrap();
    flip(&disk, *parts.last().unwrap());
    drop(pool);
    let pool = reopen(&disk, &index);
    assert_eq!(read(&pool, second, b"old").unwrap(), b"old");
    assert_eq!(read(&pool, second, b"new").unwrap_err().errno(), volume::Error::NotFound.errno());
    assert!(pool.volume_damage(second).unwrap().contains("checksum"), "{:?}", pool.volume_damage(second));
    let refused = write(&pool, second, b"more").unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    pool.checkpoint().unwrap();
    assert_eq!(read(&pool, VolumeId::FIRST, b"new").unwrap(), b"new");
    write(&pool, VolumeId::FIRST, b"more").unwrap();
}

/// A pool whose index is lost and a block of whose log is damaged, at so many bytes from where it lies; all that is whole can be had.
fn without_index(damaged_at: u64) -> Pool {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, second) = filled(&disk, &index);
    let volume = pool.volume(VolumeId::FIRST).unwrap();
    let (file, _) = volume.make(Inode::ROOT, b"large", NewInode::File, 0o600, OWNER).unwrap();
    volume.write(file, 0, &[7; 20_000], Privileges::Keep).unwrap();
    pool.checkpoint().unwrap();
    let block = block::Block::data(vec![7; 20_000].into()).name();
    let position = block::Index::get(&index, &block).unwrap().unwrap().position;
    disk.flip(&segment(position), position.offset() as u64 + damaged_at, 1);
    drop((volume, pool));
    let pool = reopen(&disk, &MemoryIndex::default());
    for id in [VolumeId::FIRST, second] {
        assert_eq!(read(&pool, id, b"new").unwrap(), b"new");
    }
    assert!(read(&pool, VolumeId::FIRST, b"large").is_err());
    pool
}

#[test]
fn a_pool_on_a_damaged_log_without_an_index_is_read_only_and_shows_what_is_sound() {
    let pool = without_index(IN_HEADER);
    assert!(matches!(pool.store().health(), block::Health::ReadOnly { .. }));
    pool.sync().unwrap();
}

#[test]
fn a_damaged_block_in_a_log_without_an_index_is_named_and_nothing_else_is_lost() {
    let pool = without_index(IN_CONTENT);
    assert_eq!(pool.store().health(), block::Health::Ok);
    assert_eq!(pool.store().damaged().len(), 1);
    let volume = pool.volume(VolumeId::FIRST).unwrap();
    let (file, _) = volume.make(Inode::ROOT, b"again", NewInode::File, 0o600, OWNER).unwrap();
    volume.write(file, 0, &[7; 20_000], Privileges::Keep).unwrap();
    pool.sync().unwrap();
    assert!(read(&pool, VolumeId::FIRST, b"large").is_ok(), "the same content, written anew");
}
