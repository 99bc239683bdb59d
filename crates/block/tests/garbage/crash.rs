//! The power goes at every operation of the disk, beside and during collections, also while the store recovers.

use crate::world::{Port, World, check_block, check_tree, decode, leaf};
use crate::{collect, create, open, options, run, seeds};
use block::{Error, MemoryIndex, Position, RecordKind, Sabotage, Store};
use parking_lot::Mutex;
use sim::{Random, SimDisk};
use std::collections::BTreeMap;

/// What was known when the power went.
struct History {
    is_made: bool,
    /// The newest roots at the last completed sync, of the streams that were not dropped.
    synced: BTreeMap<u64, Position>,
    index: MemoryIndex,
}

/// Works until the power goes.
fn work(seed: u64, disk: &SimDisk, sabotage: Option<Sabotage>) -> History {
    let index = MemoryIndex::default();
    let mut history = History { is_made: false, synced: BTreeMap::new(), index: index.clone() };
    let Ok(store) = create(disk, &index) else { return history };
    history.is_made = true;
    sabotage.into_iter().for_each(|sabotage| store.sabotage(sabotage));
    let (world, mut random) = (Mutex::new(World::default()), Random::new(seed));
    let port = Port { world: &world, forget: None };
    for _ in 0..14 {
        let worked = run(&store, &world, &mut random, 3, &port)
            .and_then(|()| World::sync(&world, &store))
            .and_then(|()| if random.percent(30) { collect(&store, &port) } else { Ok(()) });
        if worked.is_err() {
            break;
        }
    }
    history.synced = world.lock().synced.clone();
    history
}

/// Opens the store on what the power left, and finds the world in it: what was synced, or something newer.
fn recover(disk: &SimDisk, index: &MemoryIndex, history: &History) -> Result<(Store, World), String> {
    let store = match open(disk, index) {
        Err(Error::NotAStore { .. }) if !history.is_made => create(disk, index),
        result => result,
    };
    let store = store.map_err(|error| format!("cannot open: {error}"))?;
    let mut world = World::default();
    for (stream, synced) in &history.synced {
        let root = store.latest_root(*stream).map_err(|error| error.to_string())?;
        let root = root.filter(|root| root.position >= *synced);
        let root = root.ok_or_else(|| format!("the root of stream {stream} is lost that was synced"))?;
        let tree = decode(&root);
        check_tree(&store, &tree)?;
        world.trees.insert(*stream, tree);
        world.roots.insert(*stream, root.position);
    }
    add_intents(&store, &mut world)?;
    Ok((store, world))
}

fn add_intents(store: &Store, world: &mut World) -> Result<(), String> {
    let from = world.roots.values().copied().min().unwrap_or(Position::START);
    let mut intents = Vec::new();
    let visit = &mut |stored: block::StoredRecord| {
        intents.push(stored);
        Ok(())
    };
    store.records_from(from, visit).map_err(|error| error.to_string())?;
    for stored in intents.into_iter().filter(|stored| stored.record.kind == RecordKind::Intent) {
        let stream = stored.record.stream;
        if world.roots.get(&stream).is_some_and(|root| *root < stored.position) {
            let content = u64::from_le_bytes(stored.record.body[..8].try_into().unwrap());
            check_block(store, &leaf(content))?;
            world.intents.entry(stream).or_default().push(content);
        }
    }
    Ok(())
}

/// Recovers, collects, works on, and looks at it all again, with the index and without.
fn check(disk: &SimDisk, index: &MemoryIndex, history: &History, seed: u64) -> Result<(), String> {
    let (store, world) = recover(disk, index, history)?;
    let (world, mut random) = (Mutex::new(world), Random::new(seed));
    let port = Port { world: &world, forget: None };
    let text = |error: Error| error.to_string();
    collect(&store, &port).map_err(text)?;
    world.lock().check(&store)?;
    run(&store, &world, &mut random, 5, &port).map_err(text)?;
    world.lock().check(&store)?;
    world.lock().check_whole(&store)?;
    World::sync(&world, &store).map_err(text)?;
    let world = world.lock().clone();
    let history = History { is_made: true, synced: world.synced.clone(), index: index.clone() };
    drop(store);
    let crashed = disk.crash(seed);
    for index in [index.snapshot(), MemoryIndex::default()] {
        let (store, _) = recover(&crashed.image(), &index, &history)?;
        world.trees.values().try_for_each(|tree| check_tree(&store, tree))?;
        world.check_whole(&store)?;
    }
    Ok(())
}

fn crash_everywhere(seed: u64, blank: &SimDisk, sabotage: Option<Sabotage>) -> Result<u64, String> {
    let mut points = 0;
    for operation in 0.. {
        let disk = blank.image();
        disk.stop_at(operation);
        let history = work(seed, &disk, sabotage);
        for survival in 0..2 {
            let place = format!("seed {seed}, operation {operation}, survival {survival}");
            let mut random = Random::new(seed << 40 | operation << 8 | survival);
            let crashed = disk.crash(random.number());
            let index = if random.percent(70) { history.index.snapshot() } else { MemoryIndex::default() };
            check(&crashed.image(), &index.snapshot(), &history, random.number())
                .map_err(|why| format!("{place}: {why}"))?;
            let interrupted = crashed.image();
            interrupted.stop_at(random.below(20));
            if let Ok((store, world)) = recover(&interrupted, &index, &history) {
                let world = Mutex::new(world);
                let _ = collect(&store, &Port { world: &world, forget: None });
            }
            let again = interrupted.crash(random.number());
            check(&again, &index, &history, random.number())
                .map_err(|why| format!("{place}, and again in recovery: {why}"))?;
            points += 2;
        }
        if !disk.is_stopped() {
            return Ok(points);
        }
    }
    Ok(points)
}

#[test]
fn a_crash_at_any_operation_beside_collections_loses_nothing_that_was_synced() {
    let mut points = 0;
    for seed in 0..seeds("CRASH_SEEDS", 4) {
        points += crash_everywhere(seed, &SimDisk::new(), None).unwrap();
    }
    println!("{points} crashes, segments of {} bytes", options().segment_bytes);
    assert!(points > 1000, "the workload is long enough to mean something: {points}");
}

#[test]
fn the_crash_test_notices_a_segment_that_goes_before_its_copies_are_durable() {
    assert!((0..6).any(|seed| crash_everywhere(seed, &SimDisk::new(), Some(Sabotage::RetireTooEarly)).is_err()));
}

#[test]
fn the_crash_test_notices_a_disk_that_ignores_syncs_of_names() {
    let disk = SimDisk::new();
    disk.ignore_folder_syncs();
    assert!((0..6).any(|seed| crash_everywhere(seed, &disk, None).is_err()));
}
