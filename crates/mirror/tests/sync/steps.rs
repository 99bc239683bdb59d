//! One sync after another, each for one thing that a user expects.

use crate::verify::damage;
use crate::world::{CREATE, Clock, OWNER, Place, assert_same, edit, run, state, write};
use block::Blocks;
use mirror::{Error, Helped, LocalReplica, LocalSource, Origin, ReplicaMode, SourceVolume, SyncOptions, sync};
use sim::Random;
use std::sync::Arc;
use volume::{Inode, Role, Timestamp};

fn pair() -> (Place, Place) {
    let clock = Arc::new(Clock::default());
    (Place::new(1, &clock, true), Place::new(2, &clock, false))
}

fn work(place: &Place, seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    (0..steps).for_each(|_| edit(&place.volume(), &mut random));
}

const REPLACE: ReplicaMode = ReplicaMode { create: false, replace: true };

#[test]
fn a_replica_gets_the_state_and_a_second_sync_finds_nothing_to_do() {
    let (here, there) = pair();
    work(&here, 1, 200);
    let synced = run(&here, &there, CREATE).unwrap();
    assert!(!synced.is_unchanged && synced.sent.blocks > 50);
    assert_same(&here, &there);
    let operations = there.disk.operations();
    assert!(run(&here, &there, ReplicaMode::default()).unwrap().is_unchanged);
    assert_eq!(there.disk.operations(), operations, "nothing was written");
    let there = there.reopen_on(there.disk.restart()).unwrap();
    assert_same(&here, &there);
}

#[test]
fn a_small_change_sends_little() {
    let (here, there) = pair();
    work(&here, 2, 400);
    run(&here, &there, CREATE).unwrap();
    write(&here.volume(), Inode::ROOT, b"small", &mut Random::new(1)).unwrap();
    let synced = run(&here, &there, ReplicaMode::default()).unwrap();
    assert_same(&here, &there);
    assert!(synced.sent.blocks <= 12, "{:?}", synced.sent);
}

#[test]
fn a_replica_is_not_written_until_it_is_promoted_and_its_source_follows_it_then() {
    let (here, there) = pair();
    work(&here, 3, 100);
    run(&here, &there, CREATE).unwrap();
    let refused = write(&there.volume(), Inode::ROOT, b"new", &mut Random::new(1));
    assert!(matches!(refused, Err(volume::Error::Replica)));
    there.pool.set_role("main", Role::Primary).unwrap();
    work(&there, 4, 50);
    work(&here, 5, 50);
    let lost = state(&here);
    assert!(matches!(run(&there, &here, ReplicaMode::default()), Err(Error::Promoted { .. })));
    let all = there.below(state(&there).tree()).len() as u64;
    let synced = run(&there, &here, REPLACE).unwrap();
    assert!(synced.sent.blocks < all / 2, "only the difference: {} of {all}", synced.sent.blocks);
    assert_same(&there, &here);
    let kept = here.volume().kept_roots(Timestamp::FIRST, Timestamp::LAST).unwrap();
    assert!(kept.map(Result::unwrap).any(|root| root.tree() == lost.tree()), "what it had is in its history");
}

#[test]
fn roles_survive_a_restart() {
    let (here, there) = pair();
    work(&here, 3, 30);
    run(&here, &there, CREATE).unwrap();
    let there = there.reopen_on(there.disk.restart()).unwrap();
    assert!(there.volume().is_replica());
    there.pool.set_role("main", Role::Primary).unwrap();
    let there = there.reopen_on(there.disk.restart()).unwrap();
    write(&there.volume(), Inode::ROOT, b"new", &mut Random::new(1)).unwrap();
}

#[test]
fn snapshots_travel_and_stay_when_the_source_forgets_them() {
    let (here, there) = pair();
    work(&here, 6, 50);
    here.volume().create_snapshot("first", true).unwrap();
    work(&here, 7, 50);
    here.volume().create_snapshot("second", false).unwrap();
    work(&here, 8, 50);
    run(&here, &there, CREATE).unwrap();
    let first = here.volume().snapshot("first").unwrap();
    assert_eq!(there.volume().snapshot("first").unwrap(), first);
    assert_eq!(here.below(first.root.tree()), there.below(first.root.tree()));
    here.volume().delete_snapshot("second").unwrap();
    here.volume().create_snapshot("second", false).unwrap();
    here.volume().rename_snapshot("first", "zero").unwrap();
    run(&here, &there, ReplicaMode::default()).unwrap();
    let mut names = there.volume().snapshot_names("", 10).unwrap();
    names.sort();
    assert_eq!(names, ["second", "second~1", "zero"]);
    assert_eq!(there.volume().snapshot("second").unwrap(), here.volume().snapshot("second").unwrap());
    let again = run(&here, &there, ReplicaMode::default()).unwrap();
    assert!(again.is_unchanged);
}

#[test]
fn each_keeps_history_by_its_own_retention() {
    let (here, there) = pair();
    here.pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    let set = |text: &str| there.pool.set_volume("main", &[("retention".into(), text.into())]).unwrap();
    work(&here, 1, 20);
    run(&here, &there, CREATE).unwrap();
    set("forever:all");
    for round in 0..10 {
        work(&here, 10 + round, 5);
        run(&here, &there, ReplicaMode::default()).unwrap();
    }
    let count = |place: &Place| place.volume().kept_roots(Timestamp::FIRST, Timestamp::LAST).unwrap().count();
    assert!(count(&here) <= 2 && count(&there) >= 10, "{} and {}", count(&here), count(&there));
    set("none");
    work(&here, 30, 5);
    run(&here, &there, ReplicaMode::default()).unwrap();
    assert!(count(&there) <= 3, "{}", count(&there));
}

#[test]
fn a_target_that_has_no_replica_or_another_volume_of_the_name_is_told_apart() {
    let (here, there) = pair();
    let result = run(&here, &there, ReplicaMode::default());
    assert!(matches!(result, Err(Error::NoReplica { .. })));
    there.pool.create_volume("main", OWNER).unwrap();
    let origin = state(&here);
    let identity = here.pool.find_volume("main").unwrap().identity;
    let replica = LocalReplica::open(&there.pool, identity, "main", &origin, CREATE).unwrap();
    assert_eq!(mirror::ReplicaVolume::name(&replica), format!("main-{}", &identity.to_string()[..8]));
}

#[test]
fn only_one_sync_to_a_replica_runs_at_a_time() {
    let (here, there) = pair();
    let state = state(&here);
    let identity = here.pool.find_volume("main").unwrap().identity;
    let open = || LocalReplica::open(&there.pool, identity, "main", &state, CREATE);
    let first = open().unwrap();
    assert!(matches!(open(), Err(Error::Busy { .. })));
    drop(first);
    open().unwrap();
}

#[test]
fn a_clock_that_goes_back_keeps_nothing_from_arriving() {
    let (here, there) = pair();
    work(&here, 1, 50);
    run(&here, &there, CREATE).unwrap();
    here.clock.0.store(5, std::sync::atomic::Ordering::Relaxed);
    work(&here, 2, 50);
    run(&here, &there, ReplicaMode::default()).unwrap();
    assert_same(&here, &there);
}

fn collect(place: &Place) {
    let mut collection = place.pool.begin_collection(block::Thrift::SpaceIsShort).unwrap().unwrap();
    while collection.step().unwrap() {}
}

#[test]
fn what_is_copied_is_no_garbage_at_its_source_although_nothing_else_leads_to_it() {
    let (here, there) = pair();
    here.pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    work(&here, 1, 150);
    let source = LocalSource::open(&here.pool, "main").unwrap();
    let Origin { identity, state, .. } = source.origin().clone();
    for seed in 2..5 {
        work(&here, seed, 150);
        here.volume().checkpoint().unwrap();
    }
    collect(&here);
    let replica = LocalReplica::open(&there.pool, identity, "main", &state, CREATE).unwrap();
    sync(&source, &replica, &SyncOptions::default()).unwrap();
    assert!(there.volume().state().is_same(&state));
    there.below(state.tree());
    drop(source);
    collect(&here);
    let roots = state.tree().into_iter();
    assert!(roots.flat_map(|root| there.below([root])).any(|name| !here.store().contains(&name).unwrap()));
}

#[test]
fn what_a_replica_lets_go_is_garbage_there_and_what_it_keeps_is_not() {
    let (here, there) = pair();
    here.pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    work(&here, 1, 100);
    run(&here, &there, CREATE).unwrap();
    let old = there.below(there.volume().state().tree());
    there.pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    for seed in 2..6 {
        work(&here, seed, 150);
        run(&here, &there, ReplicaMode::default()).unwrap();
        collect(&there);
        assert_same(&here, &there);
    }
    assert!(old.iter().any(|name| !there.store().contains(name).unwrap()));
    assert!(run(&here, &there, ReplicaMode::default()).unwrap().is_unchanged);
}

/// A drive with an older replica gives what it has, damaged or not, and the source gives the rest.
#[test]
fn a_helper_gives_what_it_has_and_a_damaged_one_does_no_harm() {
    for seed in 0..12 {
        let clock = Arc::new(Clock::default());
        let [here, drive, new] =
            [(1, true), (2, false), (3, false)].map(|(number, has)| Place::new(number, &clock, has));
        work(&here, seed, 300);
        run(&here, &drive, CREATE).unwrap();
        work(&here, seed + 100, 60);
        let is_damaged = seed % 2 == 1;
        if is_damaged {
            damage(&drive, seed, 30);
        }
        let source = LocalSource::open(&here.pool, "main").unwrap();
        let helped = Helped::new(&source, &[drive.store()]);
        let Origin { identity, state, .. } = helped.origin().clone();
        let replica = LocalReplica::open(&new.pool, identity, "main", &state, CREATE).unwrap();
        let sent = sync(&helped, &replica, &SyncOptions::default()).unwrap().sent;
        drop(replica);
        assert_same(&here, &new);
        let from_helper = helped.helped_bytes();
        assert!(from_helper < sent.bytes, "seed {seed}: {from_helper} of {} bytes", sent.bytes);
        assert!(is_damaged || from_helper > sent.bytes / 2, "seed {seed}: {from_helper} of {} bytes", sent.bytes);
    }
}
