//! Replicas of encrypted volumes: without the key they hold, verify, heal, thin out and forward; with it they are read.

use crate::world::{CREATE, Clock, Place, assert_same, edit, key, key_file, run, write};
use block::Thrift;
use mirror::{Error, LocalVerifiable, ReplicaMode, Verified, verify};
use seal::Cost;
use sim::Random;
use std::sync::Arc;
use volume::{Inode, Role, Timestamp, VolumeId, Witnesses};

const AGAIN: ReplicaMode = ReplicaMode { create: false, replace: false };
const REPLACE: ReplicaMode = ReplicaMode { create: false, replace: true };

/// An encrypted volume with something in it, and two stores that never get its key.
fn places() -> [Place; 3] {
    let clock = Arc::new(Clock::default());
    let here = Place::encrypted(1, &clock);
    work(&here, 1, 200);
    [here, Place::new(2, &clock, false), Place::new(3, &clock, false)]
}

fn work(place: &Place, seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    (0..steps).for_each(|_| edit(&place.volume(), &mut random));
}

#[test]
fn a_replica_without_the_key_is_synced_and_forwarded_and_opens_with_what_opens_the_source() {
    let [here, there, far] = places();
    here.volume().create_snapshot("one", false).unwrap();
    run(&here, &there, CREATE).unwrap();
    work(&here, 2, 50);
    let synced = run(&here, &there, AGAIN).unwrap();
    let all = there.below(there.volume().state().tree()).len() as u64;
    assert!(synced.sent.blocks < all, "only the difference: {} of {all}", synced.sent.blocks);
    assert!(there.volume().is_locked());
    assert!(there.volume().list(Inode::ROOT, 0).is_err());
    run(&there, &far, CREATE).unwrap();
    assert!(run(&there, &far, AGAIN).unwrap().is_unchanged);
    assert!(far.volume().is_locked());
    assert_same(&here, &far);
    let far = far.reopen_on(far.disk.restart()).unwrap();
    let slots = far.pool.key_slots("main").unwrap();
    far.pool.unlock_volume("main", slots.unlock(&key_file(1)).unwrap()).unwrap();
    assert_same(&here, &far);
    assert_eq!(far.volume().snapshot_names("", 9).unwrap(), ["one"]);
    let one = far.volume().snapshot("one").unwrap();
    far.volume().open_kept(&one.root).unwrap().attributes(Inode::ROOT).unwrap();
}

#[test]
fn a_changed_key_slot_reaches_the_replica_with_the_next_sync() {
    let [here, there, _] = places();
    run(&here, &there, CREATE).unwrap();
    let mut slots = here.pool.key_slots("main").unwrap();
    slots.add(&key(), &key_file(2), Cost::LEAST).unwrap();
    slots.remove(&key(), 0).unwrap();
    here.pool.set_key_slots("main", &key(), &slots).unwrap();
    let synced = run(&here, &there, AGAIN).unwrap();
    assert_eq!((synced.is_unchanged, synced.sent.blocks), (false, 1));
    let slots = there.pool.key_slots("main").unwrap();
    assert!(slots.unlock(&key_file(1)).is_err());
    assert!(there.pool.set_key_slots("main", &key(), &slots).is_err(), "a replica follows its source");
    there.pool.unlock_volume("main", slots.unlock(&key_file(2)).unwrap()).unwrap();
    assert_same(&here, &there);
    work(&here, 3, 20);
    run(&here, &there, AGAIN).unwrap();
    assert_same(&here, &there);
}

#[test]
fn without_the_key_old_states_go_and_their_space_comes_back() {
    let [here, there, _] = places();
    let set = |place: &Place| place.pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    set(&here);
    here.volume().create_snapshot("old", false).unwrap();
    run(&here, &there, CREATE).unwrap();
    set(&there);
    let old = there.below(there.volume().state().tree());
    for seed in 2..6 {
        work(&here, seed, 150);
        run(&here, &there, AGAIN).unwrap();
    }
    let label = there.volume().snapshot_names("", 9).unwrap().remove(0);
    there.volume().delete_snapshot(&label).unwrap();
    here.volume().delete_snapshot("old").unwrap();
    for _ in 0..3 {
        work(&here, 9, 20);
        run(&here, &there, AGAIN).unwrap();
    }
    let mut collection = there.pool.begin_collection(Thrift::SpaceIsOut).unwrap().unwrap();
    while collection.step().unwrap() {}
    drop(collection);
    use block::Blocks;
    assert!(old.iter().any(|name| !there.store().contains(name).unwrap()));
    assert!(there.volume().kept_roots(Timestamp::FIRST, Timestamp::LAST).unwrap().count() <= 3);
    assert_same(&here, &there);
}

#[test]
fn damage_is_healed_without_the_key_on_either_side() {
    let [here, there, _] = places();
    run(&here, &there, CREATE).unwrap();
    let here = here.reopen_on(here.disk.restart()).unwrap();
    assert!(here.volume().is_locked() && there.volume().is_locked());
    let mut random = Random::new(5);
    let paths = there.disk.paths("segments");
    for _ in 0..20 {
        let path = &paths[random.below(paths.len() as u64) as usize];
        there.disk.flip(path, 4096 + random.below(200 << 10), 1 << random.below(8));
    }
    let check = || verify(&LocalVerifiable::new(&here.pool), &LocalVerifiable::new(&there.pool)).unwrap();
    let (of_source, of_replica) = check();
    assert_eq!(of_source, Verified::default());
    assert!(!of_replica.healed.is_empty() && of_replica.lost.is_empty(), "{of_replica:?}");
    assert_eq!(check(), (Verified::default(), Verified::default()));
    assert_same(&here, &there);
}

#[test]
fn a_replica_is_promoted_with_and_without_the_key_and_followed_by_its_source() {
    for is_unlocked_first in [true, false] {
        let [here, there, _] = places();
        run(&here, &there, CREATE).unwrap();
        if is_unlocked_first {
            there.unlock();
        }
        there.pool.set_role("main", Role::Primary).unwrap();
        there.unlock();
        write(&there.volume(), Inode::ROOT, b"written there", &mut Random::new(1)).unwrap();
        work(&there, 4, 50);
        assert!(matches!(run(&there, &here, AGAIN), Err(Error::Promoted { .. })));
        run(&there, &here, REPLACE).unwrap();
        assert_same(&there, &here);
        assert!(here.volume().lookup(Inode::ROOT, b"written there").is_ok(), "it has the key all the time");
    }
}

#[test]
fn a_locked_source_with_changes_in_its_journal_is_not_overwritten() {
    let [here, there, _] = places();
    run(&here, &there, CREATE).unwrap();
    there.pool.set_role("main", Role::Primary).unwrap();
    write(&here.volume(), Inode::ROOT, b"late", &mut Random::new(1)).unwrap();
    here.volume().sync().unwrap();
    let here = here.reopen_on(here.disk.restart()).unwrap();
    let refused = run(&there, &here, REPLACE).unwrap_err().to_string();
    assert!(refused.contains("pantala volume unlock"), "{refused}");
    here.unlock();
    run(&there, &here, REPLACE).unwrap();
    assert_same(&there, &here);
}

/// Somebody on the way hands on what nobody with the key made.
#[test]
fn a_replica_with_the_key_takes_no_state_that_nobody_with_the_key_made() {
    let [here, there, _] = places();
    run(&here, &there, CREATE).unwrap();
    there.unlock();
    work(&here, 2, 20);
    here.volume().checkpoint().unwrap();
    let genuine = here.volume().state();
    let mut bytes = genuine.encode();
    // The number of inodes.
    bytes[1 + 33 + 8] ^= 1;
    let forged = volume::State::decode(&bytes).unwrap();
    let replica = there.pool.volume(VolumeId::FIRST).unwrap();
    let _receiving = replica.begin_receiving().unwrap();
    let refused = replica.receive(&forged, &Witnesses::default(), &[]).unwrap_err().to_string();
    assert!(refused.contains("nobody with its key made it"), "{refused}");
}
