//! The power goes at every operation of a workload; the store must come back with everything that was synced, and nothing else
//! than a prefix of what was accepted.
//!
//! A failure names its seed, crash point and survival seed. `CRASH_SEEDS` sets how many workloads are tried.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod check;
mod workload;

use block::{Blocks, Compression, Error, MemoryIndex, Store, StoreId, StoreOptions};
use check::check;
use sim::{Random, SimDisk};
use std::sync::Arc;
use workload::{History, Workload};

/// Workloads tried unless `CRASH_SEEDS` says otherwise.
const SEEDS_DEFAULT: u64 = 3;

/// Remains tried of each crash.
const SURVIVALS: u64 = 4;

/// Small, so that most crashes fall near a roll from one segment to the next.
const SEGMENT_BYTES: u64 = 8 << 10;

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: SEGMENT_BYTES,
        compression: Compression::Lz4,
        id: Some(StoreId::from_bytes([1; StoreId::BYTES])),
    }
}

/// How much was tried.
#[derive(Default, Debug)]
struct Tally {
    crash_points: u64,
    crashes: u64,
    crashes_in_recovery: u64,
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_synced() {
    let seeds = std::env::var("CRASH_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS_DEFAULT);
    let mut tally = Tally::default();
    for seed in 0..seeds {
        crash_everywhere(seed, &SimDisk::new(), &mut tally).unwrap();
    }
    println!("{tally:?}");
    assert!(tally.crash_points > 100 * seeds, "the workload is long enough to mean something: {tally:?}");
}

#[test]
fn crash_test_notices_a_skipped_sync() {
    let disk = SimDisk::new();
    disk.ignore_syncs();
    let outcome = crash_everywhere(0, &disk, &mut Tally::default());
    assert!(outcome.is_err(), "a disk that ignores syncs went unnoticed");
}

#[test]
fn crash_test_notices_a_skipped_sync_of_names() {
    let disk = SimDisk::new();
    disk.ignore_folder_syncs();
    let outcome = crash_everywhere(0, &disk, &mut Tally::default());
    assert!(outcome.is_err(), "a disk that ignores syncs of folders went unnoticed");
}

/// Runs one workload again and again, with the power going one operation later each time, until it runs to its end.
fn crash_everywhere(seed: u64, blank: &SimDisk, tally: &mut Tally) -> Result<(), String> {
    for operation in 0.. {
        let disk = blank.image();
        disk.stop_at(operation);
        let history = Workload::new(seed).run(&disk, options());
        tally.crash_points += 1;
        for survival in 0..SURVIVALS {
            let place = format!("workload {seed}, crash at operation {operation}, survival {survival}");
            let salt = seed << 40 | operation << 8 | survival;
            crash_once(&disk, &history, salt, tally).map_err(|why| format!("{place}: {why}"))?;
        }
        if !disk.is_stopped() {
            return Ok(());
        }
    }
    Ok(())
}

/// Crashes, then crashes once more while the store recovers, then looks what is there.
fn crash_once(disk: &SimDisk, history: &History, salt: u64, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(salt);
    let after = disk.crash(random.number());
    let index = history.index_after_crash(&mut random);
    tally.crashes += 1;
    check_remains(&after.image(), index.snapshot(), history, random.number())?;
    check_remains(&disk.restart(), index.snapshot(), history, random.number())
        .map_err(|why| format!("only the process ended: {why}"))?;

    let interrupted = after.image();
    interrupted.stop_at(random.below(12));
    let index_meanwhile = index.snapshot();
    let added = open_and_add(&interrupted, &index_meanwhile, history);
    tally.crashes_in_recovery += 1;
    let again = interrupted.crash(random.number());
    let index = if random.percent(50) { index_meanwhile } else { MemoryIndex::default() };
    match added {
        // What was synced after the first crash must be there as well: the plain check would call it unknown.
        Some(extended) => check_remains(&again, index, &extended, salt),
        None => check_remains(&again, index, history, salt),
    }
}

/// Opens a store on the remains and checks it; goes on with it, opens it again and checks that as well.
fn check_remains(disk: &SimDisk, index: MemoryIndex, history: &History, seed: u64) -> Result<(), String> {
    let store = open(disk, &index, history)?;
    let mut history = check(&store, history)?;
    // What a recovered store serves is durable without another sync.
    check(&open(&disk.crash(seed), &index.snapshot(), &history)?, &history)
        .map_err(|why| format!("recovered twice: {why}"))?;
    history.add_and_sync(&store).map_err(|error| format!("the recovered store takes no writes: {error}"))?;
    store.flush_index().map_err(|error| error.to_string())?;
    check(&store, &history)?;
    drop(store);
    let crashed = disk.crash(seed);
    for index in [index, MemoryIndex::default()] {
        check(&open(&crashed.image(), &index, &history)?, &history)?;
    }
    Ok(())
}

/// Recovers until the power goes again. If it goes late enough, something new was accepted.
fn open_and_add(disk: &SimDisk, index: &MemoryIndex, history: &History) -> Option<History> {
    let store = open(disk, index, history).ok()?;
    let mut history = check(&store, history).ok()?;
    let _ = history.add_and_sync(&store);
    let _ = store.flush_index();
    Some(history)
}

fn open(disk: &SimDisk, index: &MemoryIndex, history: &History) -> Result<Store, String> {
    let place: Arc<SimDisk> = Arc::new(disk.clone());
    match Store::open(place.clone(), Box::new(index.clone()), options()) {
        Err(Error::NotAStore { .. }) if !history.created => {
            Store::create(place, Box::new(index.clone()), options()).map_err(|error| format!("cannot create: {error}"))
        }
        result => result.map_err(|error| format!("cannot open: {error}")),
    }
}

#[test]
fn a_full_disk_refuses_a_segment_and_damages_nothing() {
    let disk = SimDisk::new();
    let index = MemoryIndex::default();
    let store = Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap();
    disk.set_capacity(4 * SEGMENT_BYTES);
    let mut random = Random::new(1);
    let mut names = Vec::new();
    let error = loop {
        let block = block::Block::data(random.bytes(1000).into());
        match store.put(&block) {
            Ok(name) => names.push((name, block)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full), "{error}");
    assert_eq!(store.health(), block::Health::Ok);
    store.sync().unwrap();
    drop(store);
    let store = Store::open(Arc::new(disk.crash(1)), Box::new(index), options()).unwrap();
    assert!(names.len() > 20);
    assert!(names.iter().all(|(name, block)| store.get(name).unwrap() == *block));
    let tiny = block::Block::data(random.bytes(10).into());
    let _ = store.put(&tiny);
    disk.set_capacity(100 * SEGMENT_BYTES);
}
