//! Times of last access: seen at once, written when there is time for that.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::MemoryIndex;
use place::{OWNER, open_pool_with};
use sim::SimDisk;
use std::sync::Arc;
use volume::{AccessTimes, AttributeChanges, Inode, NewInode, Pool, TimeChange, Timestamp, Volume, VolumeId};

const FILES: u64 = 100;

fn volume(pool: &Pool) -> Arc<Volume> {
    pool.volume(VolumeId::FIRST).unwrap()
}

/// A volume with some files that nobody has read.
fn filled(disk: &SimDisk, index: &MemoryIndex) -> (Pool, Vec<Inode>) {
    let pool = open_pool_with(disk, index.clone(), true, &Arc::default()).unwrap();
    let volume = volume(&pool);
    let make = |number: u64| {
        let name = format!("file{number}");
        volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o644, OWNER).unwrap().0
    };
    let files = (0..FILES).map(make).collect();
    pool.checkpoint().unwrap();
    (pool, files)
}

fn accessed(volume: &Volume, inode: Inode) -> Timestamp {
    volume.attributes(inode).unwrap().accessed
}

fn all(volume: &Volume, files: &[Inode]) -> Vec<Timestamp> {
    files.iter().map(|file| accessed(volume, *file)).collect()
}

fn read_all(volume: &Volume, files: &[Inode]) {
    let before = all(volume, files);
    files.iter().for_each(|file| volume.accessed(*file, AccessTimes::Relative).unwrap());
    let after = all(volume, files);
    assert!(after.iter().zip(&before).all(|(after, before)| after > before), "they are seen at once");
}

#[test]
fn times_of_access_are_no_changes_until_something_looks_at_the_whole_state() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, files) = filled(&disk, &index);
    let live = volume(&pool);
    let unread = all(&live, &files);
    let log_bytes = pool.store().statistics().log_bytes;
    read_all(&live, &files);
    let read = all(&live, &files);
    live.sync().unwrap();
    assert!(live.is_quiet());
    assert_eq!(pool.store().statistics().log_bytes, log_bytes, "nothing was written");

    // A crash loses them, and nothing else.
    let crashed = open_pool_with(&disk.crash(1), index.snapshot(), false, &Arc::default()).unwrap();
    assert_eq!(all(&volume(&crashed), &files), unread);
    drop(crashed);
    for settle in [Pool::checkpoint, Pool::sync] {
        settle(&pool).unwrap();
        let crashed = open_pool_with(&disk.crash(2), index.snapshot(), false, &Arc::default()).unwrap();
        assert_eq!(all(&volume(&crashed), &files), read);
    }
    assert_eq!(all(&live, &files), read);
    let snapshot = live.create_snapshot("read", false).unwrap();
    let view = live.open_kept(&snapshot.root).unwrap();
    assert!(files.iter().zip(&read).all(|(file, time)| view.attributes(*file).unwrap().accessed == *time));
}

#[test]
fn a_time_that_somebody_sets_counts_also_if_it_is_earlier() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, files) = filled(&disk, &index);
    let live = volume(&pool);
    read_all(&live, &files);
    let (set, read) = (files[0], files[1]);
    let past = Timestamp { seconds: -77, nanoseconds: 0 };
    let to_past = AttributeChanges { accessed: Some(TimeChange::To(past)), ..AttributeChanges::default() };
    assert_eq!(live.set_attributes(set, &to_past).unwrap().accessed, past);
    let time = accessed(&live, read);
    let permissions = AttributeChanges { permissions: Some(0o600), ..AttributeChanges::default() };
    assert_eq!(live.set_attributes(read, &permissions).unwrap().accessed, time, "another change keeps it");
    live.unlink(Inode::ROOT, b"file2").unwrap();
    pool.checkpoint().unwrap();
    drop(pool);
    let pool = open_pool_with(&disk.restart(), index.snapshot(), false, &Arc::default()).unwrap();
    assert_eq!((accessed(&volume(&pool), set), accessed(&volume(&pool), read)), (past, time));
}

#[test]
fn a_state_that_comes_back_has_its_own_times() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let (pool, files) = filled(&disk, &index);
    let live = volume(&pool);
    let unread = all(&live, &files);
    let snapshot = live.create_snapshot("unread", false).unwrap();
    read_all(&live, &files);
    let read = all(&live, &files);
    let before = live.roll_back(&snapshot.root, "read").unwrap();
    assert_eq!(all(&live, &files), unread);
    let view = live.open_kept(&before.root).unwrap();
    assert!(files.iter().zip(&read).all(|(file, time)| view.attributes(*file).unwrap().accessed == *time));
}
