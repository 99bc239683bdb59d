//! Garbage collection: a simple layer above works beside a collection that is taken step by step, and nothing that is alive is
//! lost, whatever the order, and whenever the power goes.
//!
//! A failure names its seed. `MODEL_SEEDS` and `CRASH_SEEDS` set how many are tried.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod bounds;
mod crash;
mod gaps;
mod scale;
mod space;
mod world;

use block::{Blocks, Collection, Compression, Error, MemoryIndex, Sabotage, Store, StoreId, StoreOptions, Thrift};
use parking_lot::Mutex;
use sim::{Random, SimDisk};
use std::sync::Arc;
use world::{Port, World};

/// Small, so that there are many.
const SEGMENT_BYTES: u64 = 8 << 10;

fn options() -> StoreOptions {
    let id = Some(StoreId::from_bytes([5; StoreId::BYTES]));
    StoreOptions { segment_bytes: SEGMENT_BYTES, compression: Compression::None, id }
}

fn create(disk: &SimDisk, index: &MemoryIndex) -> Result<Store, Error> {
    Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options())
}

fn open(disk: &SimDisk, index: &MemoryIndex) -> Result<Store, Error> {
    Store::open(Arc::new(disk.clone()), Box::new(index.clone()), options())
}

fn seeds(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Works on a store for some steps, with collections beside it.
fn run(store: &Store, world: &Mutex<World>, random: &mut Random, steps: usize, port: &Port<'_>) -> Result<(), Error> {
    let mut collection = None;
    for _ in 0..steps {
        begin(store, &mut collection, random, port)?;
        World::step(world, store, random, &mut |random| take_steps(&mut collection, random))?;
    }
    Ok(())
}

/// Begins a collection now and then. Not while an operation is under way: the layer above stands still for it.
fn begin<'a>(
    store: &'a Store,
    collection: &mut Option<Collection<'a>>,
    random: &mut Random,
    port: &Port<'_>,
) -> Result<(), Error> {
    if collection.is_none() && random.percent(20) {
        let thrift = [Thrift::Usual, Thrift::SpaceIsShort, Thrift::Purge][random.below(3) as usize];
        *collection = store.begin_collection(port, thrift)?;
    }
    Ok(())
}

/// Takes some steps of a collection, and at times gives it up.
fn take_steps(collection: &mut Option<Collection<'_>>, random: &mut Random) -> Result<(), Error> {
    for _ in 0..random.below(3) {
        let goes_on = match collection {
            Some(collection) => collection.step()?,
            None => return Ok(()),
        };
        if !goes_on || random.below(200) == 0 {
            *collection = None;
        }
    }
    Ok(())
}

/// Collects until nothing is left to do.
fn collect(store: &Store, port: &Port<'_>) -> Result<(), Error> {
    let mut collection = store.begin_collection(port, Thrift::SpaceIsShort)?.expect("none is under way");
    while collection.step()? {}
    Ok(())
}

fn model(seed: u64, sabotage: Option<Sabotage>, forget: Option<u64>) -> Result<u64, String> {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index).unwrap();
    sabotage.into_iter().for_each(|sabotage| store.sabotage(sabotage));
    let (world, mut random) = (Mutex::new(World::default()), Random::new(seed));
    let port = Port { world: &world, forget };
    let text = |error: Error| error.to_string();
    for round in 0..25 {
        run(&store, &world, &mut random, 20, &port).map_err(text)?;
        world.lock().check(&store)?;
        world.lock().check_whole(&store).map_err(|why| format!("round {round}: {why}"))?;
    }
    collect(&store, &port).map_err(text)?;
    world.lock().check(&store)?;
    world.lock().check_whole(&store).map_err(|why| format!("collected: {why}"))?;
    let retired = store.collection_progress().retired + store.position().segment() as u64 - store.statistics().segments;
    store.sync().unwrap();
    drop(store);
    for index in [index, MemoryIndex::default()] {
        let store = open(&disk, &index).map_err(text)?;
        world.lock().check(&store)?;
        world.lock().check_whole(&store)?;
        collect(&store, &port).map_err(text)?;
        world.lock().check(&store)?;
        world.lock().check_whole(&store)?;
    }
    Ok(retired)
}

#[test]
fn what_is_alive_stays_and_what_is_dead_goes_whatever_happens_beside_the_collection() {
    let mut retired = 0;
    for seed in seeds("MODEL_FIRST", 0)..seeds("MODEL_SEEDS", 40) {
        retired += model(seed, None, None).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    println!("{retired} segments were retired");
    assert!(retired > 1000, "{retired}");
}

#[test]
fn the_model_notices_a_block_that_is_put_again_and_not_marked() {
    assert!((0..40).any(|seed| model(seed, Some(Sabotage::ForgetRevived), None).is_err()));
}

#[test]
fn the_model_notices_a_root_that_is_not_shown() {
    assert!((0..10).any(|seed| model(seed, None, Some(1)).is_err()));
}

/// Threads put, read and drop blocks while collections run as fast as they can.
#[test]
fn readers_and_writers_beside_collections_find_what_is_alive() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index).unwrap();
    let world = Mutex::new(World::default());
    let mut random = Random::new(1);
    (0..60).for_each(|_| World::step(&world, &store, &mut random, &mut |_| Ok(())).unwrap());
    let fixed = world.lock().clone();
    let shown = Mutex::new(fixed.clone());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let port = Port { world: &shown, forget: None };
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                collect(&store, &port).unwrap();
            }
        });
        let writer = |seed| {
            let (store, shown) = (&store, &shown);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..1500 {
                    let content = random.below(80);
                    // The survey stands still for as long as nothing refers to the block.
                    let mut shown = shown.lock();
                    store.put(&world::leaf(content)).unwrap();
                    shown.held.push(content);
                    drop(shown);
                    world::check_block(store, &world::leaf(content)).unwrap();
                }
            })
        };
        let writers = [writer(1), writer(2)];
        let reader = scope.spawn(|| (0..300).for_each(|_| fixed.check(&store).unwrap()));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        reader.join().unwrap();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        collecting.join().unwrap();
    });
    shown.lock().check(&store).unwrap();
}
