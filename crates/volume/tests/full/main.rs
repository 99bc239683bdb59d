//! A disk that is full: what grows is refused when it is asked for, what was accepted stays, and deleting makes space.
//! And a disk that fails for a while.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../model/place.rs"]
#[allow(dead_code, reason = "the model test uses all of it")]
mod place;

use block::{Compression, Health, MemoryIndex, Store, StoreOptions};
use place::{OWNER, main_volume, pool_options, store_options};
use sim::{Random, SimDisk};
use std::collections::BTreeMap;
use std::sync::Arc;
use volume::{Inode, NewInode, Pool, PoolOptions, Privileges, Volume};

const DISK_BYTES: u64 = 48 << 20;

const ENOSPC: i32 = 28;

const EROFS: i32 = 30;

fn options() -> StoreOptions {
    StoreOptions { segment_bytes: 64 << 20, compression: Compression::None, ..store_options() }
}

fn open(disk: &SimDisk, is_new: bool) -> Pool {
    let (disk, index) = (Arc::new(disk.clone()), Box::new(MemoryIndex::default()));
    let store = if is_new { Store::create(disk, index, options()) } else { Store::open(disk, index, options()) };
    Pool::open(Arc::new(store.unwrap()), PoolOptions { background: true, ..pool_options() }).unwrap()
}

/// A pool on a small disk.
fn small_pool() -> (SimDisk, Pool) {
    let disk = SimDisk::new();
    disk.set_capacity(DISK_BYTES);
    let pool = open(&disk, true);
    (disk, pool)
}

/// Files of noise, by name.
#[derive(Default)]
struct Files(BTreeMap<String, (Inode, u64, usize)>);

impl Files {
    /// Writes a file of noise in several writes.
    fn write(&mut self, volume: &Volume, random: &mut Random) -> volume::Result<()> {
        let (seed, length) = (random.number(), 1 + random.below(600_000) as usize);
        let name = format!("file{seed:x}");
        let (inode, _) = volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o600, OWNER)?;
        let bytes = Random::new(seed).bytes(length);
        for (number, part) in bytes.chunks(100_000).enumerate() {
            if let Err(error) = volume.write(inode, number as u64 * 100_000, part, Privileges::Keep) {
                remove(volume, &name, inode);
                return Err(error);
            }
        }
        self.0.insert(name, (inode, seed, length));
        Ok(())
    }

    /// Writes files until the disk is full.
    fn fill(&mut self, volume: &Volume, random: &mut Random) -> usize {
        let before = self.0.len();
        loop {
            match self.write(volume, random) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.errno(), ENOSPC, "{error}");
                    return self.0.len() - before;
                }
            }
        }
    }

    /// Removes so many of 100 files.
    fn thin(&mut self, volume: &Volume, random: &mut Random, percent: u64) {
        self.0.retain(|name, (inode, ..)| {
            let goes = random.percent(percent);
            if goes {
                remove(volume, name, *inode);
            }
            !goes
        });
    }

    fn check(&self, volume: &Volume) {
        for (name, (inode, seed, length)) in &self.0 {
            assert_eq!(volume.lookup(Inode::ROOT, name.as_bytes()).unwrap().0, *inode);
            let mut bytes = vec![0; length + 1];
            assert_eq!(volume.read(*inode, 0, &mut bytes).unwrap(), *length, "{name}");
            assert!(bytes[..*length] == Random::new(*seed).bytes(*length), "{name} has other content");
        }
    }
}

fn remove(volume: &Volume, name: &str, inode: Inode) {
    volume.unlink(Inode::ROOT, name.as_bytes()).unwrap();
    volume.reclaim(inode).unwrap();
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again_after_deleting() {
    for (seed, retention) in [(1, "none"), (2, "forever:all")] {
        let (disk, pool) = small_pool();
        pool.set_volume("main", &[("retention".into(), retention.into())]).unwrap();
        let (volume, mut random, mut files) = (main_volume(&pool), Random::new(seed), Files::default());
        let first = files.fill(&volume, &mut random);
        assert!(first > 80, "most of the disk is for files: {first}");
        assert!(volume.space().unwrap().free_bytes() < 2 << 20, "{:?}", volume.space());
        for round in 0..6 {
            // What was accepted needs no more luck.
            volume.sync().unwrap();
            volume.checkpoint().unwrap();
            files.check(&volume);
            files.thin(&volume, &mut random, 50);
            let more = files.fill(&volume, &mut random);
            assert!(more > first / 4, "round {round}, retention {retention}: {more} more files, {first} at first");
        }
        files.check(&volume);
        volume.sync().unwrap();
        assert_eq!(pool.store().health(), Health::Ok);
        drop((volume, pool));
        let pool = open(&disk.crash(seed), false);
        files.check(&main_volume(&pool));
    }
}

#[test]
fn everything_can_be_deleted_from_a_full_disk() {
    let (disk, pool) = small_pool();
    let (volume, mut random, mut files) = (main_volume(&pool), Random::new(3), Files::default());
    files.fill(&volume, &mut random);
    files.fill(&volume, &mut random);
    volume.checkpoint().unwrap();
    // Somebody else takes what is left.
    disk.set_capacity(1);
    files.thin(&volume, &mut random, 100);
    volume.sync().unwrap();
    volume.checkpoint().unwrap();
    assert_eq!(volume.space().unwrap().inodes, 1);
    assert_eq!(pool.store().health(), Health::Ok);
    disk.set_capacity(DISK_BYTES);
    let number = pool.collect();
    assert!(pool.wait_for_collections(number, std::time::Duration::from_secs(30)));
    assert!(files.fill(&volume, &mut random) > 60);
    files.check(&volume);
}

/// What may come in without another look at the disk was promised when there was space.
#[test]
fn deleting_and_syncing_go_on_when_others_take_the_last_space_in_the_middle_of_writes() {
    let (disk, pool) = small_pool();
    let (volume, mut random, mut files) = (main_volume(&pool), Random::new(5), Files::default());
    (0..4).for_each(|_| files.write(&volume, &mut random).unwrap());
    disk.set_capacity(1);
    files.fill(&volume, &mut random);
    volume.sync().unwrap();
    files.check(&volume);
    files.thin(&volume, &mut random, 100);
    volume.sync().unwrap();
    volume.checkpoint().unwrap();
    assert_eq!(pool.store().health(), Health::Ok);
}

#[test]
fn a_disk_that_fails_for_a_while_is_used_again_and_nothing_is_lost() {
    let (disk, pool) = small_pool();
    let (volume, mut random, mut files) = (main_volume(&pool), Random::new(4), Files::default());
    for round in 0..5 {
        (0..3).for_each(|_| files.write(&volume, &mut random).unwrap());
        disk.fail_at(disk.operations() + round, std::io::ErrorKind::Other);
        // The pool's threads may meet the failure first, and come back before anybody notices.
        let synced = volume.sync();
        if synced.is_err() {
            let refused = files.write(&volume, &mut random);
            assert!(refused.is_ok() || refused.is_err_and(|error| error.errno() == EROFS));
        }
        while volume.sync().is_err() {
            let _ = pool.store().come_back();
        }
        files.check(&volume);
    }
    assert_eq!(pool.store().health(), Health::Ok);
    drop((volume, pool));
    files.check(&main_volume(&open(&disk.crash(1), false)));
}
