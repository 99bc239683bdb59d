//! Several threads, each in a directory of its own, beside the threads of the pool; the power goes after one in four operations of the
//! disk. What comes back of each directory must be a state that its thread saw, not older than its last sync.

use crate::number;
use crate::place::{OWNER, main_volume, open_pool, pool_options, store_options};
use crate::workload::{Workload, digest, dump};
use block::{MemoryIndex, Name, Store};
use sim::SimDisk;
use std::sync::Arc;
use volume::{Inode, NewInode, Pool, PoolOptions, Volume};

const THREADS: usize = 3;

/// Of so many operations of the disk, the power goes after one.
const IMAGES_EACH: usize = 4;

/// Steps of each thread.
const STEPS: usize = 250;

/// What a thread did.
struct Done {
    top: Inode,
    states: Vec<Name>,
    /// How many operations of the disk there had been when a sync returned, and the state that it covers.
    promises: Vec<(u64, usize)>,
}

impl Done {
    /// The state that is promised when the power goes after so many operations of the disk.
    fn durable(&self, operations: u64) -> usize {
        let kept = self.promises.iter().rev().find(|(returned, _)| *returned <= operations);
        kept.map_or(0, |(_, state)| *state)
    }

    /// How many syncs covered a change: each took a write and a sync of the disk at least.
    fn changes_synced(&self) -> usize {
        let state = |promise: &(u64, usize)| self.states[promise.1];
        self.promises.windows(2).filter(|pair| state(&pair[0]) != state(&pair[1])).count()
    }
}

#[test]
fn what_several_writers_synced_survives_a_crash_at_any_moment() {
    let seeds = number("WRITER_SEEDS").unwrap_or(3);
    let points: u64 = (0..seeds).map(crash_beside_writers).sum();
    println!("{points} moments");
}

/// Gives how many moments were tried.
fn crash_beside_writers(seed: u64) -> u64 {
    let disk = SimDisk::new();
    let store = Store::create(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), store_options()).unwrap();
    let pool = Pool::open(Arc::new(store), PoolOptions { background: true, ..pool_options() }).unwrap();
    let volume = main_volume(&pool);
    disk.keep_images();
    let before = disk.operations();
    let done: Vec<Done> = std::thread::scope(|scope| {
        let writer = |number: usize| {
            let (volume, disk) = (&volume, &disk);
            scope.spawn(move || write(volume, disk, number, seed * THREADS as u64 + number as u64))
        };
        let writers: Vec<_> = (0..THREADS).map(writer).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let images = disk.take_images();
    // Threads share rounds of syncs, but each waits for its own.
    let floor = done.iter().map(|done| 2 * done.changes_synced()).max().unwrap_or(0);
    assert!(images.len() >= floor && floor > STEPS / 8, "{} images, at least {floor} expected", images.len());
    let checked = (before + 1..).zip(&images).skip(seed as usize % IMAGES_EACH).step_by(IMAGES_EACH);
    checked.map(|(operations, image)| check(image, operations, &done, seed)).count() as u64
}

/// Works, and notes what was promised. State 0 is that the directory is not there.
fn write(volume: &Volume, disk: &SimDisk, number: usize, seed: u64) -> Done {
    let name = format!("writer{number}").into_bytes();
    let (top, _) = volume.make(Inode::ROOT, &name, NewInode::Directory, 0o755, OWNER).unwrap();
    let mut workload = Workload::new(top, seed, 40 << 10);
    workload.states = Some(vec![absent()]);
    workload.note();
    let mut promises = Vec::new();
    for _ in 0..STEPS {
        workload.step(volume).unwrap();
        workload.note();
        let last = workload.states.as_ref().unwrap().len() - 1;
        match workload.random.below(12) {
            0 | 1 => volume.sync().unwrap(),
            2 => volume.checkpoint().unwrap(),
            _ => continue,
        }
        promises.push((disk.operations(), last));
    }
    Done { top, states: workload.states.unwrap(), promises }
}

fn absent() -> Name {
    digest(&["absent".to_owned()])
}

/// The power goes after so many operations of the disk.
fn check(disk: &SimDisk, operations: u64, done: &[Done], seed: u64) {
    let place = format!("seed {seed}, operation {operations}");
    let pool = match open_pool(&disk.crash(operations), false) {
        Ok(pool) => pool,
        Err(_) if done.iter().all(|done| done.durable(operations) == 0) => return,
        Err(error) => panic!("{place}: a pool with synced content does not open: {error}"),
    };
    let volume = main_volume(&pool);
    for (writer, done) in done.iter().enumerate() {
        let Done { top, states, .. } = done;
        let durable = done.durable(operations);
        let found = match dump(&volume, *top) {
            Ok(found) => digest(&found),
            Err(volume::Error::NotFound) => absent(),
            Err(error) => panic!("{place}: {error}"),
        };
        let kept = states.iter().rposition(|state| *state == found);
        let kept = kept.unwrap_or_else(|| panic!("{place}: writer {writer}'s directory is in no state it ever had"));
        assert!(kept >= durable, "{place}: writer {writer} synced {durable} states, {kept} are there");
    }
}
