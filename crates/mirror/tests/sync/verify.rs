//! Damage on either side is found, and healed from the other.

use crate::world::{CREATE, Clock, Place, edit, run};
use block::Name;
use mirror::{LocalVerifiable, Verified, verify};
use sim::Random;
use std::collections::BTreeSet;
use std::sync::Arc;

fn pair() -> (Place, Place) {
    let clock = Arc::new(Clock::default());
    let (here, there) = (Place::new(1, &clock, true), Place::new(2, &clock, false));
    let mut random = Random::new(1);
    (0..300).for_each(|_| edit(&here.volume(), &mut random));
    here.pool.checkpoint().unwrap();
    run(&here, &there, CREATE).unwrap();
    (here, there)
}

fn check(here: &Place, there: &Place) -> (Verified, Verified) {
    verify(&LocalVerifiable::new(&here.pool), &LocalVerifiable::new(&there.pool)).unwrap()
}

/// Flips bits in a part of the log, in the middle of what was written.
pub(crate) fn damage(place: &Place, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    let paths = place.disk.paths("segments");
    for _ in 0..count {
        let path = &paths[random.below(paths.len() as u64) as usize];
        place.disk.flip(path, 4096 + random.below(200 << 10), 1 << random.below(8));
    }
}

fn can_be_read(place: &Place) -> BTreeSet<Name> {
    place.below(place.volume().state().tree())
}

#[test]
fn two_whole_places_have_nothing_to_heal() {
    let (here, there) = pair();
    assert_eq!(check(&here, &there), (Verified::default(), Verified::default()));
}

#[test]
fn damage_of_the_replica_is_healed_from_the_source_and_the_other_way_round() {
    for seed in 0..crate::seeds("MIRROR_VERIFY_SEEDS", 10) {
        let (here, there) = pair();
        damage(if seed % 2 == 0 { &here } else { &there }, seed, 20);
        let (of_source, of_replica) = check(&here, &there);
        assert!(of_source.lost.is_empty() && of_replica.lost.is_empty(), "seed {seed}");
        assert_eq!(of_source.healed.is_empty(), seed % 2 != 0, "seed {seed}");
        assert_eq!(of_replica.healed.is_empty(), seed % 2 == 0, "seed {seed}");
        assert_eq!(can_be_read(&here), can_be_read(&there), "seed {seed}");
        assert_eq!(check(&here, &there), (Verified::default(), Verified::default()), "seed {seed}");
    }
}

#[test]
fn what_both_have_lost_is_named_and_the_rest_is_healed() {
    let (mut lost, mut healed) = (0, 0);
    for seed in 0..crate::seeds("MIRROR_VERIFY_SEEDS", 10) {
        let (here, there) = pair();
        damage(&here, seed, 40);
        damage(&there, seed + 1000, 40);
        let (of_source, of_replica) = check(&here, &there);
        assert!(of_source.healed.is_disjoint(&of_source.lost) && of_replica.healed.is_disjoint(&of_replica.lost));
        let (again, _) = check(&here, &there);
        assert_eq!((again.healed.len(), &again.lost), (0, &of_source.lost), "seed {seed}");
        lost += of_source.lost.len();
        healed += of_source.healed.len() + of_replica.healed.len();
    }
    assert!(lost > 0 && healed > 0, "{lost} lost, {healed} healed");
}
