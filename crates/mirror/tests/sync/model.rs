//! Random topologies: places that are edited, synced in any direction, cut off while they are, promoted, and restarted.

use crate::world::{CREATE, Clock, Place, assert_same, edit, missing, run};
use block::Name;
use mirror::{
    LocalReplica, LocalSource, Origin, ReplicaMode, ReplicaVolume, Source, SourceVolume, SyncOptions, Visitor, sync_all,
};
use sim::Random;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use volume::Role;

const PLACES: u64 = 4;

#[test]
fn whatever_happened_before_one_sync_makes_two_places_equal() {
    for seed in 0..crate::seeds("MIRROR_SEEDS", 12) {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let clock = Arc::new(Clock::default());
        let is_encrypted = seed % 3 == 2;
        let new = |number: u64| match number {
            0 if is_encrypted => Place::encrypted(1, &clock),
            _ => Place::new(number as u8 + 1, &clock, number == 0),
        };
        let mut places: Vec<_> = (0..PLACES).map(new).collect();
        for replica in &places[1..] {
            run(&places[0], replica, CREATE).unwrap();
        }
        for _ in 0..60 {
            step(&mut places, &mut random);
        }
    }
}

/// The power goes on one side of a sync. What the replica has is a state that it had or was to have, and nobody else notices.
fn cut(places: &mut [Place], from: usize, to: usize, random: &mut Random) {
    if places[to].role() == Role::Primary {
        places[to].unlock();
    }
    let expected = [newest(&places[to]), newest(&places[from])];
    let cut = if random.percent(50) { from } else { to };
    let disk = places[cut].disk.clone();
    disk.stop_at(disk.operations() + random.below(40));
    let mode = ReplicaMode { create: false, replace: true };
    let is_done = run_quietly(&places[from], &places[to], mode);
    places[cut] = places[cut].reopen_on(disk.crash(random.below(1 << 20))).unwrap();
    let now = places[to].volume().state().tree();
    assert!(expected.contains(&now), "it is neither the one before nor the one after");
    assert!(!is_done || now == expected[1], "what was reported is there");
    if places[from].role() == Role::Primary {
        places[from].unlock();
    }
    run(&places[from], &places[to], mode).unwrap();
    assert_same(&places[from], &places[to]);
}

/// The state that a place would give now.
fn newest(place: &Place) -> Option<Name> {
    LocalSource::open(&place.pool, "main").unwrap().origin().state.tree()
}

/// A sync that may fail; whether it did not.
fn run_quietly(from: &Place, to: &Place, mode: ReplicaMode) -> bool {
    let Ok(source) = LocalSource::open(&from.pool, "main") else { return false };
    let Origin { identity, state, .. } = source.origin().clone();
    let Ok(replica) = LocalReplica::open(&to.pool, identity, "main", &state, mode) else { return false };
    mirror::sync(&source, &replica, &SyncOptions::default()).is_ok()
}

/// Brings all others to the state of one, at once: what more than one of them lacks is sent to each and read once.
fn fan(places: &[Place], from: usize) {
    let others: Vec<_> = (0..places.len()).filter(|number| *number != from).map(|number| &places[number]).collect();
    let missing: BTreeSet<_> = others.iter().flat_map(|place| missing(&places[from], place)).collect();
    let source = Counting { source: LocalSource::open(&places[from].pool, "main").unwrap(), read: Mutex::default() };
    let Origin { identity, state, .. } = source.origin().clone();
    let mode = ReplicaMode { create: false, replace: true };
    others.iter().filter(|place| place.role() == Role::Primary).for_each(|place| place.unlock());
    let replicas: mirror::Result<Vec<_>> =
        others.iter().map(|place| LocalReplica::open(&place.pool, identity, "main", &state, mode)).collect();
    let replicas = replicas.unwrap();
    let targets: Vec<_> = replicas.iter().map(|replica| replica as &dyn ReplicaVolume).collect();
    let synced = sync_all(&source, &targets, &SyncOptions::default());
    assert!(synced.iter().all(Result::is_ok), "{synced:?}");
    drop(replicas);
    let read = source.read.into_inner().unwrap();
    assert!(read.len() <= missing.len(), "{} blocks read, {} missing", read.len(), missing.len());
    others.iter().for_each(|other| assert_same(&places[from], other));
}

/// A source that counts what is read of it.
struct Counting<'a> {
    source: LocalSource<'a>,
    read: Mutex<Vec<Name>>,
}

impl Source for Counting<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> mirror::Result<()> {
        self.source.read(names, linked_bytes_max, &mut |block| {
            self.read.lock().unwrap().push(block.name());
            visit(block)
        })
    }
}

impl SourceVolume for Counting<'_> {
    fn origin(&self) -> &Origin {
        self.source.origin()
    }
}

fn step(places: &mut [Place], random: &mut Random) {
    let from = random.below(PLACES) as usize;
    let to = (from + 1 + random.below(PLACES - 1) as usize) % PLACES as usize;
    let place = &places[from];
    // Replicas have no key, until somebody works in them.
    if place.role() == Role::Primary {
        place.unlock();
    }
    match random.below(12) {
        10 => fan(places, from),
        11 => cut(places, from, to, random),
        0 => drop(place.pool.set_role("main", Role::Primary).unwrap()),
        1 if place.role() == Role::Primary => {
            let name = format!("snapshot{}", random.below(5));
            let volume = place.volume();
            // A name that is taken is given again to another state.
            let _ = volume.delete_snapshot(&name);
            volume.create_snapshot(&name, false).unwrap();
        }
        2 if random.percent(50) => {
            let mut collection = place.pool.begin_collection(block::Thrift::SpaceIsShort).unwrap().unwrap();
            while collection.step().unwrap() {}
        }
        2 => places[from] = place.reopen_on(place.disk.restart()).unwrap(),
        3..6 if place.role() == Role::Primary => {
            let volume = place.volume();
            (0..random.below(30)).for_each(|_| edit(&volume, random));
        }
        _ => {
            if places[to].role() == Role::Primary {
                places[to].unlock();
            }
            run(place, &places[to], ReplicaMode { create: false, replace: true }).unwrap();
            assert_same(place, &places[to]);
            assert!(run(place, &places[to], ReplicaMode::default()).unwrap().is_unchanged);
        }
    }
}
