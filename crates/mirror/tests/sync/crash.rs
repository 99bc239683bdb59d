//! The power goes at every operation of the target's disk: what is there is the state before or the state after, and the next sync
//! goes on from there.

use crate::world::{CREATE, Clock, Place, assert_same, edit, run};
use block::Name;
use mirror::{Error, LocalReplica, LocalSource, Origin, ReplicaMode, Source, SourceVolume, SyncOptions, Visitor, sync};
use sim::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::VolumeId;

/// A source with a state, and a place that has an earlier one, or none.
fn prepare(seed: u64, edits: u64, is_first: bool) -> (Place, Place) {
    let clock = Arc::new(Clock::default());
    let (here, there) = (Place::new(1, &clock, true), Place::new(2, &clock, false));
    let mut random = Random::new(seed);
    (0..edits).for_each(|_| edit(&here.volume(), &mut random));
    if !is_first {
        run(&here, &there, CREATE).unwrap();
        (0..30).for_each(|_| edit(&here.volume(), &mut random));
        here.volume().create_snapshot("kept", false).unwrap();
        (0..30).for_each(|_| edit(&here.volume(), &mut random));
    }
    here.volume().checkpoint().unwrap();
    (here, there)
}

#[test]
fn a_power_loss_at_the_target_leaves_the_old_state_or_the_new_one() {
    for (seed, is_first) in (0..crate::seeds("MIRROR_CRASH_SEEDS", 2)).flat_map(|seed| [(seed, true), (seed, false)]) {
        let (here, there) = prepare(seed, 60, is_first);
        let after = here.volume().state();
        let before = (!is_first).then(|| there.volume().state());
        let mut count = 0;
        for operation in (0..).map(|step| there.disk.operations() + step) {
            let disk = there.disk.image();
            let cut = there.reopen_on(disk.clone()).unwrap();
            disk.stop_at(operation);
            let outcome = run(&here, &cut, CREATE);
            let is_stopped = disk.is_stopped();
            let survivor = match cut.reopen_on(disk.crash(seed ^ operation)) {
                Ok(survivor) => survivor,
                Err(error) => panic!("seed {seed} operation {operation}: {error}"),
            };
            let replica = survivor.pool.find_volume("main").ok().map(|_| survivor.volume().state());
            if let Some(state) = &replica {
                survivor.below(state.tree());
                let is_old = before.as_ref().map_or(state.tree().is_none(), |before| before.is_same(state));
                assert!(is_old || state.is_same(&after), "seed {seed} operation {operation}");
                assert!(!is_old || outcome.is_err(), "seed {seed} operation {operation}: what was reported is there");
            }
            run(&here, &survivor, CREATE).unwrap();
            assert_same(&here, &survivor);
            count += 1;
            if !is_stopped {
                break;
            }
        }
        assert!(count > 20, "{count} cuts");
    }
}

#[test]
fn a_target_that_lies_about_syncs_is_noticed_by_this_test() {
    let (here, there) = prepare(1, 60, false);
    let mut is_noticed = false;
    for seed in 0..20 {
        let disk = there.disk.image();
        let cut = there.reopen_on(disk.clone()).unwrap();
        disk.ignore_syncs();
        run(&here, &cut, ReplicaMode::default()).unwrap();
        let survivor = cut.reopen_on(disk.crash(seed));
        is_noticed |= survivor.is_err() || !survivor.unwrap().volume().state().is_same(&here.volume().state());
    }
    assert!(is_noticed);
}

#[test]
fn a_full_target_keeps_what_it_had_and_goes_on_when_there_is_room() {
    let (here, there) = prepare(3, 60, false);
    let before = there.volume().state();
    let mut random = Random::new(9);
    (0..40).for_each(|number| {
        let name = format!("large{number}").into_bytes();
        let volume = here.volume();
        let made = volume.make(volume::Inode::ROOT, &name, volume::NewInode::File, 0o644, crate::world::OWNER).unwrap();
        volume.write(made.0, 0, &random.bytes(100_000), volume::Privileges::default()).unwrap();
    });
    there.disk.set_capacity(1 << 20);
    let failed = run(&here, &there, ReplicaMode::default()).unwrap_err();
    assert!(failed.to_string().contains("full"), "{failed}");
    assert!(there.volume().state().is_same(&before));
    there.disk.set_capacity(1 << 40);
    run(&here, &there, ReplicaMode::default()).unwrap();
    assert_same(&here, &there);
}

#[test]
fn a_drive_that_returns_an_error_fails_the_sync_and_loses_nothing() {
    let (here, there) = prepare(4, 60, false);
    for step in (0..60).step_by(4) {
        let disk = there.disk.image();
        let cut = there.reopen_on(disk.clone()).unwrap();
        disk.fail_at(disk.operations() + step, std::io::ErrorKind::Other);
        let before = cut.volume().state();
        if run(&here, &cut, ReplicaMode::default()).is_err() {
            let again = cut.reopen_on(disk.restart()).unwrap();
            let state = again.volume().state();
            assert!(state.is_same(&before) || state.is_same(&here.volume().state()));
            run(&here, &again, ReplicaMode::default()).unwrap();
            assert_same(&here, &again);
        }
    }
}

/// A source that goes away after so many blocks.
struct Leaving<'a>(LocalSource<'a>, AtomicU64);

impl Source for Leaving<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> mirror::Result<()> {
        self.0.read(names, linked_bytes_max, &mut |block| match self.1.fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            |left| left.checked_sub(1),
        ) {
            Ok(_) => visit(block),
            Err(_) => Err(Error::Abandoned),
        })
    }
}

impl SourceVolume for Leaving<'_> {
    fn origin(&self) -> &Origin {
        self.0.origin()
    }
}

#[test]
fn what_a_sync_received_before_it_was_cut_off_is_linked_from_the_catalog_until_one_ends() {
    let (here, there) = prepare(5, 300, true);
    let mut received = 0;
    for blocks in [30, 15] {
        let source = Leaving(LocalSource::open(&here.pool, "main").unwrap(), blocks.into());
        let Origin { identity, state, .. } = source.origin().clone();
        let replica = LocalReplica::open(&there.pool, identity, "main", &state, CREATE).unwrap();
        sync(&source, &replica, &SyncOptions::default()).unwrap_err();
        drop(replica);
        let linked = there.below(there.pool.received(VolumeId::FIRST).unwrap());
        assert!(linked.len() >= received + 5, "{} after {received}", linked.len());
        received = linked.len();
    }
    let all = here.below(here.volume().state().tree()).len() as u64;
    let synced = run(&here, &there, ReplicaMode::default()).unwrap();
    assert!(synced.sent.blocks < all + 5, "{} of {all}", synced.sent.blocks);
    assert_same(&here, &there);
    assert_eq!(there.pool.received(VolumeId::FIRST).unwrap(), None);
}
