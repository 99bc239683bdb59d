//! Random operations on a volume, against a file system that is obviously right; then the same with the power going at every
//! operation of the disk.
//!
//! A failure names its seed. `MODEL_SEEDS` and `CRASH_SEEDS` set how many are tried.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod kept;
mod model;
mod workload;

use block::{Compression, MemoryIndex, Store, StoreId, StoreOptions};
use kept::KeptModel;
use sim::{Random, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Creator, Environment, Inode, NewInode, Pool, PoolOptions, Timestamp, Volume, VolumeId};
use workload::{FILE_BYTES_MAX, Workload, dump};

/// A clock that ticks when it is looked at.
#[derive(Default)]
struct Clock(AtomicU64);

impl Clock {
    fn seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        let ticks = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp { seconds: ticks as i64, nanoseconds: 0 }
    }

    fn random(&self) -> u64 {
        7
    }
}

fn store_options() -> StoreOptions {
    let id = Some(StoreId::from_bytes([1; StoreId::BYTES]));
    StoreOptions { segment_bytes: 256 << 10, compression: Compression::Lz4, id }
}

const OWNER: Creator = Creator { uid: 1, gid: 1 };

fn pool_options() -> PoolOptions {
    PoolOptions { environment: Arc::new(Clock::default()), background: false, owner: OWNER }
}

fn open_pool(disk: &SimDisk, is_new: bool) -> Result<Pool, volume::PoolError> {
    open_pool_at(disk, is_new, &Arc::default())
}

fn open_pool_at(disk: &SimDisk, is_new: bool, clock: &Arc<Clock>) -> Result<Pool, volume::PoolError> {
    let disk = Arc::new(disk.clone());
    let index = Box::new(MemoryIndex::default());
    let store = match is_new {
        true => Store::create(disk, index, store_options())?,
        false => Store::open(disk, index, store_options())?,
    };
    Pool::open(Arc::new(store), PoolOptions { environment: clock.clone(), ..pool_options() })
}

fn main_volume(pool: &Pool) -> Arc<Volume> {
    pool.volume(VolumeId::FIRST).expect("a pool has a first volume")
}

fn seeds(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn set_retention(pool: &Pool, retention: &str) {
    pool.set_volume("main", &[("retention".into(), retention.into())]).unwrap();
}

const RETENTIONS: [&str; 4] = ["none", "forever:all", "100s:all,1000s:100s", "50s:all,400s:20s,forever:100s"];

#[test]
fn a_volume_behaves_as_the_model_through_checkpoints_and_reopening() {
    for seed in 0..seeds("MODEL_SEEDS", 12) {
        println!("seed {seed}");
        let (disk, clock) = (SimDisk::new(), Arc::default());
        let mut pool = open_pool_at(&disk, true, &clock).unwrap();
        let mut volume = main_volume(&pool);
        let mut workload = Workload::new(Inode::ROOT, seed, FILE_BYTES_MAX);
        let mut kept = KeptModel::default();
        kept.saw(0, workload.model.dump());
        for step in 0..400 {
            workload.step(&volume).unwrap();
            kept.saw(clock.seconds(), workload.model.dump());
            match workload.random.below(45) {
                0 => volume.checkpoint().unwrap(),
                1 => volume.sync().unwrap(),
                2 => {
                    let is_clean = workload.random.percent(50);
                    if is_clean {
                        pool.checkpoint().unwrap()
                    } else {
                        pool.sync().unwrap()
                    }
                    drop((volume, pool));
                    pool = open_pool_at(&disk, false, &clock).unwrap();
                    volume = main_volume(&pool);
                }
                3..=6 => kept = kept.step(&mut workload.random, &volume, &workload.model.dump()).after,
                7 => set_retention(&pool, RETENTIONS[workload.random.below(4) as usize]),
                _ => {}
            }
            if step % 50 == 49 {
                assert_eq!(dump(&volume, Inode::ROOT).unwrap(), workload.model.dump(), "seed {seed}, step {step}");
                kept.check(&volume, clock.seconds());
            }
        }
        let counted = volume.space().unwrap().inodes;
        assert_eq!(counted, workload.model.nodes.len() as u64, "seed {seed}: inodes are miscounted");
    }
}

/// What a run of the workload accepted, until it ended or the power went.
struct History {
    /// What a user saw after each number of steps.
    states: Vec<Vec<String>>,
    /// Steps that a completed sync promised to keep.
    durable_steps: usize,
    /// The snapshots that are there.
    kept: KeptModel,
    /// Those that are there if the operation that the power cut off was done.
    kept_perhaps: KeptModel,
    operations: u64,
}

fn run(seed: u64, disk: &SimDisk, steps: usize) -> History {
    let mut workload = Workload::new(Inode::ROOT, seed, 40 << 10);
    let mut history = History {
        states: vec![workload.model.dump()],
        durable_steps: 0,
        kept: KeptModel::default(),
        kept_perhaps: KeptModel::default(),
        operations: 0,
    };
    let Ok(pool) = open_pool(disk, true) else {
        return history;
    };
    let volume = main_volume(&pool);
    for _ in 0..steps {
        if workload.step(&volume).is_err() {
            break;
        }
        history.states.push(workload.model.dump());
        let is_durable = match workload.random.below(8) {
            0 => volume.sync().is_ok(),
            1 => volume.checkpoint().is_ok(),
            2 => step_snapshots(&mut history, &mut workload, &volume),
            _ => false,
        };
        if is_durable {
            history.durable_steps = history.states.len() - 1;
        }
        if disk.is_stopped() {
            break;
        }
    }
    history.operations = disk.operations();
    history
}

/// Does something to snapshots. Gives whether everything before it is durable.
fn step_snapshots(history: &mut History, workload: &mut Workload, volume: &Volume) -> bool {
    let before = history.kept.snapshots.clone();
    let attempt = history.kept.step(&mut workload.random, volume, &workload.model.dump());
    history.kept_perhaps = attempt.after;
    if attempt.is_done {
        history.kept = history.kept_perhaps.clone();
    }
    attempt.is_done && history.kept.snapshots != before
}

/// Recovers and checks the prefix; then the volume must take operations again.
fn check_recovered(disk: &SimDisk, history: &History) {
    let Ok(pool) = open_pool(disk, false) else {
        assert_eq!(history.durable_steps, 0, "a pool with synced content does not open");
        return;
    };
    let volume = main_volume(&pool);
    let found = dump(&volume, Inode::ROOT).unwrap();
    let kept = history.states.iter().rposition(|state| *state == found);
    let kept = kept.unwrap_or_else(|| panic!("no prefix of the operations gives what was recovered:\n{found:#?}"));
    assert!(kept >= history.durable_steps, "{} steps were synced, {kept} are there", history.durable_steps);
    let snapshots = KeptModel::found(&volume);
    let is_right = [&history.kept, &history.kept_perhaps].iter().any(|model| model.snapshots == snapshots);
    assert!(is_right, "snapshots:\n{snapshots:#?}\nshould be\n{:#?}", history.kept.snapshots);
    volume
        .write(
            volume.make(Inode::ROOT, b"after", NewInode::File, 0o600, Creator { uid: 1, gid: 1 }).unwrap().0,
            0,
            &[1; 5000],
            volume::Privileges::Keep,
        )
        .unwrap();
    volume.sync().unwrap();
    volume.checkpoint().unwrap();
}

#[test]
fn a_crash_at_any_operation_of_the_disk_leaves_a_prefix_with_everything_synced() {
    let mut points = 0;
    for seed in 0..seeds("CRASH_SEEDS", 4) {
        let whole = run(seed, &SimDisk::new(), 60);
        for operation in 0..whole.operations {
            let disk = SimDisk::new();
            disk.stop_at(operation);
            let history = run(seed, &disk, 60);
            for survival in 0..2 {
                println!("seed {seed}, operation {operation}, survival {survival}");
                let crashed = disk.crash(survival * 1000 + operation);
                crash_in_recovery(&crashed, operation + survival, &history);
                check_recovered(&crashed, &history);
                points += 1;
            }
        }
    }
    println!("{points} crashes");
    assert!(points > 400, "the workload is long enough to mean something: {points}");
}

/// The power goes again while the first loss is being recovered from.
fn crash_in_recovery(crashed: &SimDisk, seed: u64, history: &History) {
    let disk = crashed.image();
    disk.stop_at(Random::new(seed).below(6));
    let _ = open_pool(&disk, false);
    check_recovered(&disk.crash(seed), history);
}

#[test]
#[should_panic(expected = "steps")]
fn the_crash_test_notices_a_disk_that_ignores_syncs() {
    for seed in 0..20 {
        let disk = SimDisk::new();
        disk.ignore_syncs();
        let history = run(seed, &disk, 60);
        for survival in 0..10 {
            let crashed = disk.crash(survival);
            let Ok(pool) = open_pool(&crashed, false) else { panic!("{} steps were synced", history.durable_steps) };
            let found = dump(&main_volume(&pool), Inode::ROOT);
            let kept = found.ok().and_then(|found| history.states.iter().rposition(|state| *state == found));
            assert!(kept.is_some_and(|kept| kept >= history.durable_steps), "steps are lost");
        }
    }
}

/// Several threads work in directories of their own, and now and then sync, while the pool's threads store and checkpoint.
#[test]
fn threads_beside_each_other_and_beside_checkpoints_each_see_their_own_model() {
    const THREADS: u64 = 4;
    for seed in 0..seeds("THREAD_SEEDS", 3) {
        let disk = SimDisk::new();
        let store = Store::create(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), store_options()).unwrap();
        let pool = Pool::open(Arc::new(store), PoolOptions { background: true, ..pool_options() }).unwrap();
        let volume = main_volume(&pool);
        let work = &|number: u64| {
            let name = format!("thread{number}").into_bytes();
            let (top, _) = volume.make(Inode::ROOT, &name, NewInode::Directory, 0o755, OWNER).unwrap();
            let mut workload = Workload::new(top, seed * THREADS + number, FILE_BYTES_MAX);
            for _ in 0..400 {
                workload.step(&volume).unwrap();
                match workload.random.below(20) {
                    0 => volume.sync().unwrap(),
                    1 => volume.checkpoint().unwrap(),
                    _ => {}
                }
            }
            assert_eq!(dump(&volume, top).unwrap(), workload.model.dump(), "seed {seed}, thread {number}");
            (top, workload.model)
        };
        let models: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || work(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        pool.sync().unwrap();
        drop((volume, pool));
        let pool = open_pool(&disk.crash(seed), false).unwrap();
        for (top, model) in models {
            assert_eq!(dump(&main_volume(&pool), top).unwrap(), model.dump(), "seed {seed}: after a crash");
        }
    }
}

/// The bound of a checkpoint's work must not let history grow faster than it is thinned out.
#[test]
fn history_that_the_retention_does_not_keep_goes_with_later_checkpoints() {
    let pool = open_pool(&SimDisk::new(), true).unwrap();
    let volume = main_volume(&pool);
    let change_and_checkpoint = || {
        volume.set_xattr(Inode::ROOT, b"user.count", &7_u64.to_le_bytes(), volume::XattrMode::Set).unwrap();
        volume.checkpoint().unwrap();
    };
    let count = || {
        let time = |seconds| Timestamp { seconds, nanoseconds: 0 };
        volume.kept_roots(time(i64::MIN), time(i64::MAX)).unwrap().count()
    };
    set_retention(&pool, "forever:all");
    (0..1000).for_each(|_| change_and_checkpoint());
    assert!(count() >= 1000);
    volume.checkpoint().unwrap();
    let before = count();
    assert_eq!(before, count(), "a checkpoint that changed nothing is no history");
    set_retention(&pool, "100s:all,forever:1000s");
    (0..40).for_each(|_| change_and_checkpoint());
    assert!(count() < 100, "{} roots are left", count());
    set_retention(&pool, "none");
    (0..3).for_each(|_| change_and_checkpoint());
    assert_eq!(count(), 2, "the state before and the newest");
}

/// Found by reading: the search for data went through the holes of a file piece by piece, for hours.
#[test]
fn what_a_file_costs_depends_on_its_extents_and_not_on_its_holes() {
    const SIZE: u64 = i64::MAX as u64;
    const PLACE: u64 = 1 << 62;
    let pool = open_pool(&SimDisk::new(), true).unwrap();
    let volume = main_volume(&pool);
    let (file, _) = volume.make(Inode::ROOT, b"sparse", NewInode::File, 0o600, OWNER).unwrap();
    let resize = |size| {
        let changes = volume::AttributeChanges { size: Some(size), ..Default::default() };
        volume.set_attributes(file, &changes).unwrap()
    };
    for is_in_tree in [false, true] {
        resize(SIZE);
        volume.write(file, PLACE, &[1; 10_000], volume::Privileges::Keep).unwrap();
        if is_in_tree {
            volume.checkpoint().unwrap();
        }
        assert_eq!(volume.seek(file, 0, volume::Seek::Data).unwrap(), PLACE);
        assert_eq!(volume.seek(file, PLACE, volume::Seek::Hole).unwrap(), PLACE + 10_000);
        assert!(volume.seek(file, PLACE + 10_000, volume::Seek::Data).is_err());
        assert_eq!(resize(PLACE + 5_000).allocated_bytes, 5_000);
        assert_eq!(resize(1 << 20).allocated_bytes, 0);
    }
}

/// More extents than are taken from a layer at a time, in all layers.
#[test]
fn a_file_of_many_extents_is_read_and_searched_to_its_end() {
    const EXTENTS: u64 = 5_000;
    const STEP_BYTES: u64 = 1 << 20;
    let pool = open_pool(&SimDisk::new(), true).unwrap();
    let volume = main_volume(&pool);
    let (file, _) = volume.make(Inode::ROOT, b"many", NewInode::File, 0o600, OWNER).unwrap();
    let write = |number: u64| volume.write(file, number * STEP_BYTES, &[number as u8; 100], volume::Privileges::Keep);
    (0..EXTENTS).for_each(|number| write(number).unwrap());
    volume.checkpoint().unwrap();
    (0..EXTENTS).step_by(2).for_each(|number| volume.punch(file, number * STEP_BYTES, STEP_BYTES).unwrap());
    let mut at = 0;
    let mut found = 0;
    while let Ok(data) = volume.seek(file, at, volume::Seek::Data) {
        assert_eq!(data, (2 * found + 1) * STEP_BYTES);
        at = volume.seek(file, data, volume::Seek::Hole).unwrap();
        assert_eq!(at, data + 100);
        found += 1;
    }
    assert_eq!(found, EXTENTS / 2);
    assert_eq!(volume.attributes(file).unwrap().allocated_bytes, EXTENTS / 2 * 100);
}
