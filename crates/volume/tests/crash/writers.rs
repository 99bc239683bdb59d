//! Several threads, each in a directory of its own, beside the threads of the pool; the power goes at moments that another thread
//! chooses. What comes back of each directory must be a state that its thread saw, not older than its last sync.

use crate::number;
use crate::place::{OWNER, main_volume, open_pool, pool_options, store_options};
use crate::workload::{Workload, digest, dump};
use block::{MemoryIndex, Name, Store};
use sim::SimDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use volume::{Inode, NewInode, Pool, PoolOptions, Volume};

const THREADS: usize = 3;

/// Operations of the disk between two images.
const OPERATIONS_BETWEEN: u64 = 7;

/// Steps of each thread.
const STEPS: usize = 250;

/// A moment at which the power may go.
struct Moment {
    disk: SimDisk,
    /// What each thread's completed syncs had promised before.
    durable: Vec<usize>,
}

/// What a thread did.
struct Done {
    top: Inode,
    states: Vec<Name>,
}

#[test]
fn what_several_writers_synced_survives_a_crash_at_any_moment() {
    let mut points = 0;
    for seed in 0..number("WRITER_SEEDS").unwrap_or(3) {
        points += crash_beside_writers(seed);
    }
    println!("{points} moments");
    // How many there are depends on how the threads share syncs; that there are some for each seed does not.
    assert!(points > 10, "there were only {points} moments");
}

fn crash_beside_writers(seed: u64) -> usize {
    let disk = SimDisk::new();
    let store = Store::create(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), store_options()).unwrap();
    let pool = Pool::open(Arc::new(store), PoolOptions { background: true, ..pool_options() }).unwrap();
    let volume = main_volume(&pool);
    let durable: [AtomicUsize; THREADS] = Default::default();
    let is_over = AtomicBool::new(false);
    let (done, moments) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&disk, &durable, &is_over));
        let writer = |number: usize| {
            let (volume, durable) = (&volume, &durable[number]);
            scope.spawn(move || write(volume, number, seed * THREADS as u64 + number as u64, durable))
        };
        let writers: Vec<_> = (0..THREADS).map(writer).collect();
        let done: Vec<Done> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        is_over.store(true, Ordering::SeqCst);
        (done, watcher.join().unwrap())
    });
    for (number, moment) in moments.iter().enumerate() {
        check(moment, &done, seed, number as u64);
    }
    moments.len()
}

/// Works, and notes what was promised. State 0 is that the directory is not there.
fn write(volume: &Volume, number: usize, seed: u64, durable: &AtomicUsize) -> Done {
    let name = format!("writer{number}").into_bytes();
    let (top, _) = volume.make(Inode::ROOT, &name, NewInode::Directory, 0o755, OWNER).unwrap();
    let mut workload = Workload::new(top, seed, 40 << 10);
    workload.states = Some(vec![absent()]);
    workload.note();
    for _ in 0..STEPS {
        workload.step(volume).unwrap();
        workload.note();
        let last = workload.states.as_ref().unwrap().len() - 1;
        match workload.random.below(12) {
            0 | 1 => volume.sync().unwrap(),
            2 => volume.checkpoint().unwrap(),
            _ => continue,
        }
        durable.store(last, Ordering::SeqCst);
    }
    Done { top, states: workload.states.unwrap() }
}

fn absent() -> Name {
    digest(&["absent".to_owned()])
}

/// Takes an image now and then. What was promised is read first: it must be in the image.
fn watch(disk: &SimDisk, durable: &[AtomicUsize; THREADS], is_over: &AtomicBool) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut next = 0;
    while !is_over.load(Ordering::SeqCst) {
        if disk.operations() < next {
            std::thread::yield_now();
            continue;
        }
        let durable = durable.iter().map(|durable| durable.load(Ordering::SeqCst)).collect();
        moments.push(Moment { disk: disk.image(), durable });
        next = disk.operations() + OPERATIONS_BETWEEN;
    }
    moments
}

fn check(moment: &Moment, done: &[Done], seed: u64, number: u64) {
    let place = format!("seed {seed}, moment {number}");
    let pool = match open_pool(&moment.disk.crash(number), false) {
        Ok(pool) => pool,
        Err(_) if moment.durable.iter().all(|durable| *durable == 0) => return,
        Err(error) => panic!("{place}: a pool with synced content does not open: {error}"),
    };
    let volume = main_volume(&pool);
    for (writer, (Done { top, states }, durable)) in done.iter().zip(&moment.durable).enumerate() {
        let found = match dump(&volume, *top) {
            Ok(found) => digest(&found),
            Err(volume::Error::NotFound) => absent(),
            Err(error) => panic!("{place}: {error}"),
        };
        let kept = states.iter().rposition(|state| *state == found);
        let kept = kept.unwrap_or_else(|| panic!("{place}: writer {writer}'s directory is in no state it ever had"));
        assert!(kept >= *durable, "{place}: writer {writer} synced {durable} states, {kept} are there");
    }
}
