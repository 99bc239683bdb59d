//! What the first two-way sync of two sides begins with: the state that the one had from the other, whatever the histories have
//! forgotten, unless one side is not what came of that state.

use crate::both::{assert_equal, keep_little, sync, tree};
use crate::wire::{NEVER, with_client};
use crate::world::{CREATE, Clock, OWNER, Place, run};
use mirror::{BothOptions, LocalPeer, LocalReplica, LocalSource, ReplicaMode, SourceVolume, SyncOptions, sync_both};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use volume::{Age, Inode, NewInode, Privileges, Role, Timestamp, Witness};

const REPLACE: ReplicaMode = ReplicaMode { create: false, replace: true };

fn make(place: &Place, names: &[&str]) {
    let volume = place.volume();
    for name in names {
        let (file, _) = volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o644, OWNER).unwrap();
        volume.write(file, 0, name.as_bytes(), Privileges::default()).unwrap();
    }
    volume.checkpoint().unwrap();
}

fn delete(place: &Place, name: &str) {
    place.volume().unlink(Inode::ROOT, name.as_bytes()).unwrap();
    place.volume().checkpoint().unwrap();
}

fn names(place: &Place) -> Vec<String> {
    tree(&place.volume()).names()
}

/// Three places: the first has a volume, of which a snapshot knows one file and the newest state four.
fn places() -> [Place; 3] {
    let clock = Arc::new(Clock::default());
    begin([1, 2, 3].map(|number| Place::new(number, &clock, number == 1)))
}

/// The same with a volume that is encrypted.
fn encrypted_places() -> [Place; 3] {
    let clock = Arc::new(Clock::default());
    begin([Place::encrypted(1, &clock), Place::new(2, &clock, false), Place::new(3, &clock, false)])
}

fn begin(places: [Place; 3]) -> [Place; 3] {
    make(&places[0], &["first"]);
    places[0].volume().create_snapshot("first", false).unwrap();
    keep_little(&places[0]);
    make(&places[0], &["here", "there", "left"]);
    places
}

fn promote(place: &Place) {
    place.pool.set_role("main", Role::Primary).unwrap();
    place.unlock();
    keep_little(place);
}

/// Some changes later the histories know nothing of what was.
fn forget(place: &Place) {
    let tree = place.volume().state().tree();
    for number in 0..200 {
        place.clock.0.fetch_add(100, Ordering::Relaxed);
        make(place, &[&format!("passing{number}")]);
        delete(place, &format!("passing{number}"));
    }
    let past = place.volume().past().unwrap();
    let is_met = past.meetings.values().any(|meeting| meeting.tree == tree);
    assert!(is_met || !past.states.contains_key(&tree), "the history still has it");
}

/// Each side deletes a file, and makes one.
fn go_apart(here: &Place, there: &Place) {
    for (place, name, new) in [(here, "here", "new here"), (there, "there", "new there")] {
        forget(place);
        delete(place, name);
        make(place, &[new]);
    }
}

fn assert_merged(here: &Place, there: &Place) {
    assert_equal(here, there);
    assert_eq!(names(here), ["/first", "/left", "/new here", "/new there"]);
}

#[test]
fn what_either_side_deleted_does_not_come_back() {
    for is_from_there in [false, true] {
        let [here, there, _] = places();
        run(&here, &there, CREATE).unwrap();
        promote(&there);
        go_apart(&here, &there);
        if is_from_there { sync(&there, &here) } else { sync(&here, &there) }.unwrap();
        assert_merged(&here, &there);
    }
}

#[test]
fn what_was_deleted_does_not_come_back_from_another_process() {
    for is_pulled in [false, true] {
        let [here, there, _] = places();
        let source = LocalSource::open(&here.pool, "main").unwrap();
        let origin = source.origin().clone();
        if is_pulled {
            with_client(&here, NEVER, NEVER, |client| {
                let source = client.open_source("main")?;
                let to = LocalReplica::open(&there.pool, origin.identity, "main", &origin.state, CREATE)?;
                mirror::sync(&source, &to, &SyncOptions::default())
            })
        } else {
            with_client(&there, NEVER, NEVER, |client| {
                let to = client.open_replica(origin.identity, "main", &origin.state, CREATE)?;
                mirror::sync(&source, &to, &SyncOptions::default())
            })
        }
        .unwrap();
        drop(source);
        promote(&there);
        go_apart(&here, &there);
        with_client(&there, NEVER, NEVER, |client| {
            let (ours, theirs) = (LocalPeer::open(&here.pool, "main")?, client.open_peer("main")?);
            sync_both(&ours, &theirs, &BothOptions { label: "there", ..BothOptions::default() })
        })
        .unwrap();
        assert_merged(&here, &there);
    }
}

#[test]
fn what_came_by_way_of_a_third_place_counts_as_well() {
    // The one in the middle has no key, if there is one.
    for [here, middle, there] in [places(), encrypted_places()] {
        run(&here, &middle, CREATE).unwrap();
        run(&middle, &there, CREATE).unwrap();
        promote(&there);
        go_apart(&here, &there);
        sync(&there, &here).unwrap();
        assert_merged(&here, &there);
    }
}

#[test]
fn who_has_no_key_cannot_say_who_had_a_state() {
    let [here, there, _] = encrypted_places();
    let source = LocalSource::open(&here.pool, "main").unwrap();
    let origin = source.origin().clone();
    run(&here, &there, CREATE).unwrap();
    drop(source);
    let witness = |place: &Place| {
        let past = place.volume().past().unwrap();
        past.meetings.into_values().find_map(|meeting| meeting.witness)
    };
    assert!(witness(&there).is_none(), "without the key it cannot be told");
    there.unlock();
    let genuine = witness(&there).unwrap();
    let (peer, _) = origin.witnesses.iter().next().unwrap();
    let older = Age { sequence: genuine.age.sequence - 1, ..genuine.age };
    for (forged, stays) in [
        (genuine, true),
        (Witness { age: older, ..genuine }, false),
        (Witness { taken: Timestamp::FIRST, ..genuine }, false),
        (Witness { tag: [0; 32], ..genuine }, false),
    ] {
        let _receiving = there.volume().begin_receiving().unwrap();
        there.volume().receive(&origin.state, &[(peer, forged)].into_iter().collect(), &[]).unwrap();
        assert_eq!(witness(&there), stays.then_some(forged));
    }
}

#[test]
fn a_locked_side_is_not_merged() {
    let [here, there, _] = encrypted_places();
    run(&here, &there, CREATE).unwrap();
    there.pool.set_role("main", Role::Primary).unwrap();
    make(&here, &["new"]);
    let before = (here.volume().state(), there.volume().state());
    for (ours, theirs) in [(&here, &there), (&there, &here)] {
        let refused = sync(ours, theirs).unwrap_err().to_string();
        assert!(refused.contains("pantala volume unlock"), "{refused}");
        assert!(here.volume().state().is_same(&before.0) && there.volume().state().is_same(&before.1));
    }
    there.unlock();
    sync(&here, &there).unwrap();
    assert_equal(&here, &there);
}

#[test]
fn a_replica_that_was_written_and_given_back_is_merged_with_what_it_gave() {
    let [here, there, _] = places();
    run(&here, &there, CREATE).unwrap();
    promote(&there);
    make(&there, &["more"]);
    run(&there, &here, REPLACE).unwrap();
    promote(&here);
    delete(&here, "more");
    go_apart(&here, &there);
    sync(&here, &there).unwrap();
    assert_merged(&here, &there);
}

#[test]
fn a_source_that_another_state_replaced_since_has_deleted_nothing() {
    for (is_forgotten, is_from_there) in [(true, false), (true, true), (false, false), (false, true)] {
        let [here, there, third] = places();
        run(&here, &third, CREATE).unwrap();
        make(&here, &["late"]);
        run(&here, &there, CREATE).unwrap();
        for place in [&there, &third] {
            promote(place);
        }
        make(&third, &["third"]);
        run(&third, &here, REPLACE).unwrap();
        promote(&here);
        if is_forgotten {
            [&here, &there].into_iter().for_each(forget);
        }
        assert!(!names(&here).contains(&"/late".to_owned()));
        if is_from_there { sync(&there, &here) } else { sync(&here, &there) }.unwrap();
        assert_equal(&here, &there);
        assert!(names(&here).contains(&"/late".to_owned()), "it was deleted: {:?}", names(&here));
        assert!(names(&here).contains(&"/third".to_owned()));
    }
}

#[test]
fn a_replica_that_follows_has_had_what_its_source_had() {
    let [here, there, third] = places();
    let mut had = Vec::new();
    for number in 0..3 {
        make(&here, &[&format!("new{number}")]);
        had.push(here.volume().state().tree());
        run(&here, &there, CREATE).unwrap();
        run(&there, &third, CREATE).unwrap();
        for replica in [&there, &third] {
            replica.pool.set_volume("main", &[("retention".to_owned(), "forever:all".to_owned())]).unwrap();
            let past = replica.volume().past().unwrap();
            assert_eq!(past.age.incarnation, 0);
            assert!(had.iter().all(|tree| past.states.contains_key(tree)));
        }
    }
}

#[test]
fn a_store_that_is_an_older_copy_of_itself_has_deleted_nothing() {
    let [here, there, _] = places();
    let before = here.disk.image();
    make(&here, &["late"]);
    run(&here, &there, CREATE).unwrap();
    promote(&there);
    let here = here.reopen_on(before).unwrap();
    forget(&there);
    sync(&there, &here).unwrap();
    assert_equal(&here, &there);
    assert!(names(&here).contains(&"/late".to_owned()), "it was deleted: {:?}", names(&here));
}
