//! What a dry run says of names is what the sync then does.

use crate::wire::{NEVER, with_client};
use crate::world::{CREATE, Clock, Place, edit, run};
use block::{Blocks, Name, PackedBlock};
use mirror::{LocalSource, LocalVerifiable, Verifiable, preview};
use sim::Random;
use std::sync::Arc;
use volume::{Difference, Happened, Timestamp, differences};

fn previewed(from: &Place, to: &Place) -> Vec<Difference> {
    let source = LocalSource::open(&from.pool, "main").unwrap();
    preview(&source, &to.volume().state(), &LocalVerifiable::new(&to.pool)).unwrap().unwrap()
}

/// With both sides in other processes.
fn previewed_remotely(from: &Place, to: &Place) -> Vec<Difference> {
    let held = to.volume().state();
    let done = with_client(from, NEVER, NEVER, |source| {
        let source = source.open_source("main")?;
        with_client(to, NEVER, NEVER, |replica| preview(&source, &held, &replica))
    });
    done.unwrap().unwrap()
}

/// What differs between the last two states that a place has had.
fn happened(place: &Place) -> Vec<Difference> {
    let volume = place.volume();
    let kept: Vec<_> = volume.kept_roots(Timestamp::FIRST, Timestamp::LAST).unwrap().collect::<Result<_, _>>().unwrap();
    let [.., before, after] = &kept[..] else { panic!("there are two") };
    differences(&volume.open_kept(before).unwrap(), &volume.open_kept(after).unwrap()).unwrap()
}

#[test]
fn what_is_foretold_is_what_happens() {
    for seed in 0..crate::seeds("PREVIEW_SEEDS", 10) {
        let (mut random, clock) = (Random::new(seed), Arc::new(Clock::default()));
        let (here, there) = (Place::new(1, &clock, true), Place::new(2, &clock, false));
        run(&here, &there, CREATE).unwrap();
        // The source has let go of what the replica has, and the replica keeps it all.
        for (place, retention) in [(&here, "none"), (&there, "forever:all")] {
            place.pool.set_volume("main", &[("retention".to_owned(), retention.to_owned())]).unwrap();
        }
        for _ in 0..8 {
            (0..40).for_each(|_| edit(&here.volume(), &mut random));
            let mut collection = here.pool.begin_collection(block::Thrift::SpaceIsOut).unwrap().unwrap();
            while collection.step().unwrap() {}
            drop(collection);
            let foretold = previewed(&here, &there);
            assert_eq!(foretold, previewed_remotely(&here, &there), "seed {seed}");
            run(&here, &there, CREATE).unwrap();
            assert_eq!(foretold, happened(&there), "seed {seed}");
            assert!(previewed(&here, &there).is_empty());
        }
    }
}

#[test]
fn before_the_first_sync_all_is_new_and_of_an_encrypted_volume_only_who_has_the_key_can_tell() {
    let clock = Arc::new(Clock::default());
    let (here, mut random) = (Place::new(1, &clock, true), Random::new(7));
    (0..40).for_each(|_| edit(&here.volume(), &mut random));
    let source = LocalSource::open(&here.pool, "main").unwrap();
    let empty = here.volume().state().before_anything();
    let all = preview(&source, &empty, &LocalVerifiable::new(&here.pool)).unwrap().unwrap();
    assert!(!all.is_empty() && all.iter().all(|it| it.happened == Happened::Added), "{all:?}");

    let sealed = Place::encrypted(3, &clock);
    let source = LocalSource::open(&sealed.pool, "main").unwrap();
    let empty = sealed.volume().state().before_anything();
    assert_eq!(preview(&source, &empty, &LocalVerifiable::new(&sealed.pool)).unwrap(), None);
}

/// A replica of which nothing can be read.
struct Broken;

impl Verifiable for Broken {
    fn verify(&self) -> mirror::Result<Vec<Name>> {
        Err(mirror::Error::Abandoned)
    }

    fn fetch(&self, _: &Name) -> mirror::Result<Option<PackedBlock>> {
        Err(mirror::Error::Abandoned)
    }

    fn heal(&self, _: &PackedBlock) -> mirror::Result<()> {
        Err(mirror::Error::Abandoned)
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let (clock, mut random) = (Arc::new(Clock::default()), Random::new(3));
    let (here, there) = (Place::new(1, &clock, true), Place::new(2, &clock, true));
    [&here, &there].into_iter().for_each(|place| (0..40).for_each(|_| edit(&place.volume(), &mut random)));
    there.volume().checkpoint().unwrap();
    let held = there.volume().state();
    assert!(!here.store().contains(&held.tree().unwrap()).unwrap());
    let source = LocalSource::open(&here.pool, "main").unwrap();
    assert!(matches!(preview(&source, &held, &Broken), Err(mirror::Error::Abandoned)));
}
