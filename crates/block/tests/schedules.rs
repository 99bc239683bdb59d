//! The store's locks under shuttle: many schedules of a few threads, each switched at every lock.
//!
//! `SCHEDULES` says how many are tried of each. A failure prints its schedule.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{
    Alive, Block, Blocks, Compression, Live, MemoryIndex, Name, Record, RecordKind, Sabotage, Store, StoreId,
    StoreOptions, Thrift,
};
use parking_lot::Mutex;
use parking_lot::shuttle::scheduler::{PctScheduler, RandomScheduler};
use parking_lot::shuttle::{Config, Runner, thread};
use sim::{Random, SimDisk};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Schedules of each test unless `SCHEDULES` says otherwise; half of them at random, half of few switches.
const SCHEDULES_DEFAULT: usize = 300;

/// Switches of a schedule of few.
const SWITCHES: usize = 3;

/// A store opens and compares frames on a thread's stack.
const STACK_BYTES: usize = 1 << 20;

const SEGMENT_BYTES: u64 = 8 << 10;

fn try_schedules(run: impl Fn() + Send + Sync + Clone + 'static) {
    let count = std::env::var("SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SCHEDULES_DEFAULT);
    let config = || {
        let mut config = Config::new();
        config.stack_size = STACK_BYTES;
        config
    };
    Runner::new(RandomScheduler::new(count / 2), config()).run(run.clone());
    Runner::new(PctScheduler::new(SWITCHES, count / 2), config()).run(run);
}

fn options() -> StoreOptions {
    let id = Some(StoreId::from_bytes([6; StoreId::BYTES]));
    StoreOptions { segment_bytes: SEGMENT_BYTES, compression: Compression::None, id }
}

fn open(disk: &SimDisk, index: &MemoryIndex) -> Store {
    Store::open(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap()
}

#[derive(Clone)]
struct Place {
    disk: SimDisk,
    index: MemoryIndex,
    store: Arc<Store>,
}

impl Place {
    fn new() -> Self {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let store = Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap();
        Self { disk, index, store: Arc::new(store) }
    }

    /// What is there when the power goes now, with nothing but what was synced.
    fn after_crash(&self) -> Store {
        open(&self.disk.crash_to_durable(), &MemoryIndex::default())
    }
}

/// Large enough that three fill a segment.
fn block(seed: u64) -> Block {
    Block::data(Random::new(seed).bytes(2200).into())
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Log, leader and followers: whoever led the round, a sync that returned has covered what was put before it.
#[test]
fn what_a_sync_covered_survives_whoever_led_it() {
    try_schedules(|| {
        let place = Place::new();
        let writer = |number: u64| {
            let place = place.clone();
            thread::spawn(move || {
                for turn in 0..2 {
                    let name = place.store.put(&block(number * 10 + turn)).unwrap();
                    place.store.sync().unwrap();
                    assert_eq!(place.after_crash().get(&name).unwrap(), block(number * 10 + turn));
                }
            })
        };
        join((1..=3).map(writer).collect());
    });
}

/// Recent and index: a block that was put is found at any moment from then on, while the index is flushed.
#[test]
fn a_block_is_found_while_it_moves_from_memory_to_the_index() {
    try_schedules(|| {
        let place = Place::new();
        let first = place.store.put(&block(1)).unwrap();
        let flusher = |place: Place| {
            thread::spawn(move || {
                place.store.sync().unwrap();
                place.store.flush_index().unwrap();
            })
        };
        let reader = |place: Place| {
            thread::spawn(move || {
                let second = place.store.put(&block(2)).unwrap();
                for name in [first, second, first] {
                    assert!(place.store.contains(&name).unwrap());
                    place.store.get(&name).unwrap();
                }
            })
        };
        join(vec![flusher(place.clone()), reader(place.clone()), flusher(place.clone())]);
        let totals = place.store.statistics();
        assert_eq!(totals.blocks, 2, "each block is counted once");
    });
}

/// A layer above that has one root. Whoever puts what no root refers to yet keeps the survey away.
struct OneRoot {
    store: Arc<Store>,
    changing: Arc<Mutex<()>>,
}

impl Live for OneRoot {
    fn survey(&self, begin: &mut dyn FnMut(), _visit: &mut dyn FnMut(Name)) -> Alive {
        let _stands_still = self.changing.lock();
        begin();
        Alive { streams: [(1, self.store.position())].into() }
    }
}

fn root(links: Vec<Name>) -> Record {
    Record { kind: RecordKind::Root, stream: 1, links, body: "root".into() }
}

/// A collection, and beside it a writer that puts a dead block again and lets a root refer to it.
fn revive_beside_a_collection(sabotage: Option<Sabotage>) {
    let place = Place::new();
    sabotage.into_iter().for_each(|sabotage| place.store.sabotage(sabotage));
    let (dead, alive) = (block(1), block(2));
    place.store.put(&dead).unwrap();
    let kept = place.store.put(&alive).unwrap();
    place.store.append(&root(vec![kept])).unwrap();
    // The segments before the head are those that may go.
    for seed in 3..8 {
        place.store.put(&block(seed)).unwrap();
    }
    place.store.sync().unwrap();
    place.store.flush_index().unwrap();
    let changing = Arc::new(Mutex::new(()));
    let collector = {
        let (place, changing) = (place.clone(), changing.clone());
        thread::spawn(move || {
            let live = OneRoot { store: place.store.clone(), changing };
            let mut collection = place.store.begin_collection(&live, Thrift::SpaceIsOut).unwrap().unwrap();
            while collection.step().unwrap() {}
        })
    };
    let writer = {
        let (place, dead) = (place.clone(), dead.clone());
        thread::spawn(move || {
            let _changing = changing.lock();
            let name = place.store.put(&dead).unwrap();
            place.store.append(&root(vec![kept, name])).unwrap();
            place.store.sync().unwrap();
        })
    };
    join(vec![collector, writer]);
    for store in [&*place.store, &place.after_crash(), &open(&place.disk.crash_to_durable(), &place.index)] {
        assert_eq!(store.get(&dead.name()).unwrap(), dead);
        assert_eq!(store.get(&kept).unwrap(), alive);
    }
}

/// The barrier: a writer relies only on what the collection will not take.
#[test]
fn a_block_that_is_put_again_beside_a_collection_stays() {
    try_schedules(|| revive_beside_a_collection(None));
}

#[test]
fn a_block_that_is_put_again_and_not_marked_is_noticed() {
    let tried = || try_schedules(|| revive_beside_a_collection(Some(Sabotage::ForgetRevived)));
    assert!(catch_unwind(AssertUnwindSafe(tried)).is_err());
}

/// A sync fails while others append; somebody lets the store come back. What a sync covered, before or after, is there.
#[test]
fn what_was_synced_around_a_failure_and_a_comeback_survives() {
    try_schedules(|| {
        let place = Place::new();
        let first = place.store.put(&block(1)).unwrap();
        place.store.sync().unwrap();
        place.disk.fail_at(place.disk.operations() + 3, ErrorKind::Other);
        let writer = |number: u64| {
            let place = place.clone();
            thread::spawn(move || {
                for turn in 0..3 {
                    let content = block(number * 10 + turn);
                    let put = place.store.put(&content);
                    if put.and_then(|name| place.store.sync().map(|()| name)).is_ok() {
                        assert_eq!(place.after_crash().get(&content.name()).unwrap(), content);
                    }
                }
            })
        };
        let healer = {
            let place = place.clone();
            thread::spawn(move || (0..3).for_each(|_| drop(place.store.come_back())))
        };
        join(vec![writer(1), writer(2), healer]);
        place.store.come_back().unwrap();
        let last = place.store.put(&block(99)).unwrap();
        place.store.sync().unwrap();
        let store = place.after_crash();
        assert!(store.get(&first).is_ok() && store.get(&last).is_ok());
    });
}
