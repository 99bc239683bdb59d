//! Random operations on a volume, against a file system that is obviously right. `tests/crash` does the same while the power goes.
//!
//! A failure names its seed. `MODEL_SEEDS` sets how many are tried.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod kept;
mod model;
mod past;
mod place;
mod workload;

use block::{MemoryIndex, Store, Thrift};
use kept::KeptModel;
use model::Model;
use place::{Clock, OWNER, main_volume, open_pool, open_pool_at, pool_options, store_options};
use sim::SimDisk;
use std::collections::BTreeMap;
use std::sync::Arc;
use volume::{Inode, NewInode, Pool, PoolOptions, Timestamp};
use workload::{FILE_BYTES_MAX, Workload, dump};

fn seeds(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn set_retention(pool: &Pool, retention: &str) {
    pool.set_volume("main", &[("retention".into(), retention.into())]).unwrap();
}

const RETENTIONS: [&str; 4] = ["none", "forever:all", "100s:all,1000s:100s", "50s:all,400s:20s,forever:100s"];

#[test]
fn a_volume_behaves_as_the_model_through_checkpoints_and_reopening() {
    let mut retired = 0;
    for seed in 0..seeds("MODEL_SEEDS", 12) {
        println!("seed {seed}");
        let (disk, clock) = (SimDisk::new(), Clock::of_pool(seed % 3 == 2));
        let mut pool = open_pool_at(&disk, true, &clock).unwrap();
        let mut volume = main_volume(&pool);
        let mut workload = Workload::new(Inode::ROOT, seed, FILE_BYTES_MAX);
        let mut kept = KeptModel::default();
        kept.saw(0, workload.model.dump());
        let mut models: BTreeMap<String, Model> = BTreeMap::new();
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
                3..=6 => {
                    let now = workload.model.dump();
                    kept = kept.step(&mut workload.random, &volume, &now);
                    models.retain(|name, model| kept.shows(name, &model.dump()));
                    kept.names_of(&now).for_each(|name| drop(models.insert(name, workload.model.clone())));
                }
                8 => {
                    models.retain(|name, model| kept.shows(name, &model.dump()));
                    if let Some(from) = past::roll_back(&volume, &mut workload, &models, step) {
                        kept.saw(from, workload.model.dump());
                    }
                }
                9 => {
                    models.retain(|name, model| kept.shows(name, &model.dump()));
                    past::clone(&pool, &volume, &models, seed);
                }
                7 => set_retention(&pool, RETENTIONS[workload.random.below(4) as usize]),
                10 | 11 => retired += collect_beside(&pool, &mut workload, &mut kept, &clock),
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
    println!("{retired} segments were retired");
    assert!(retired > 100, "{retired}");
}

/// Collects garbage, with operations between the steps; now and then it gives up. Returns how many segments went.
fn collect_beside(pool: &Pool, workload: &mut Workload, kept: &mut KeptModel, clock: &Clock) -> u64 {
    let volume = main_volume(pool);
    let thrift = if workload.random.percent(50) { Thrift::Usual } else { Thrift::SpaceIsShort };
    let mut collection = pool.begin_collection(thrift).unwrap().expect("none is under way");
    while collection.step().unwrap() && workload.random.below(100) > 0 {
        if workload.random.percent(30) {
            workload.step(&volume).unwrap();
            kept.saw(clock.seconds(), workload.model.dump());
        }
        match workload.random.below(40) {
            0 => volume.checkpoint().unwrap(),
            1 => volume.sync().unwrap(),
            2 => *kept = kept.step(&mut workload.random, &volume, &workload.model.dump()),
            _ => {}
        }
    }
    drop(collection);
    pool.store().collection_progress().retired
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
                    2 => drop(pool.collect()),
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
        assert!(pool.garbage().finished > 0, "garbage was collected beside");
        assert_eq!(pool.garbage().last.and_then(|last| last.error), None);
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
    let changes = std::cell::Cell::new(0_u64);
    let change_and_checkpoint = || {
        changes.set(changes.get() + 1);
        let value = changes.get().to_le_bytes();
        volume.set_xattr(Inode::ROOT, b"user.count", &value, volume::XattrMode::Set).unwrap();
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
    (0..EXTENTS).step_by(2).for_each(|number| {
        assert_eq!(volume.punch(file, number * STEP_BYTES, STEP_BYTES).unwrap(), STEP_BYTES);
    });
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
