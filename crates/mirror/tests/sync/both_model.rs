//! Places that write, delete, follow one another and are synced both ways, in any order, with histories that forget. A two-way sync takes
//! nothing away that nobody deleted, and brings nothing back that one of the two deleted since they met.

use crate::both::{assert_equal, keep_little, sync, tree};
use crate::world::{CREATE, Clock, OWNER, Place, run};
use mirror::ReplicaMode;
use sim::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use volume::{Inode, NewInode, Privileges, Role};

const PLACES: usize = 4;
const REPLACE: ReplicaMode = ReplicaMode { create: false, replace: true };

type Names = BTreeSet<String>;

/// Places, and what was done in them.
struct World {
    places: Vec<Place>,
    random: Random,
    made: usize,
    deleted: Names,
    /// By two places, the lower number first: what was in the state in which they met last, if both come from it, without what one of
    /// them got anew since.
    met: BTreeMap<(usize, usize), Names>,
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(Clock::default());
        let is_encrypted = seed % 3 == 2;
        let new = |number: usize| match number {
            0 if is_encrypted => Place::encrypted(1, &clock),
            _ => Place::new(number as u8 + 1, &clock, number == 0),
        };
        let places: Vec<_> = (0..PLACES).map(new).collect();
        let (random, deleted, met) = (Random::new(seed), Names::new(), BTreeMap::new());
        let mut world = Self { places, random, made: 0, deleted, met };
        keep_little(&world.places[0]);
        (0..5).for_each(|_| world.make(0));
        (1..PLACES).for_each(|number| world.follow(0, number, CREATE));
        world
    }

    fn names(&self, number: usize) -> Names {
        tree(&self.places[number].volume()).names().into_iter().collect()
    }

    fn make(&mut self, number: usize) {
        let (volume, name) = (self.places[number].volume(), format!("{}", self.made));
        self.made += 1;
        let (file, _) = volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o644, OWNER).unwrap();
        volume.write(file, 0, name.as_bytes(), Privileges::default()).unwrap();
    }

    fn delete(&mut self, number: usize) {
        let names = Vec::from_iter(self.names(number));
        if names.len() > 3 {
            let name = &names[self.random.below(names.len() as u64) as usize];
            self.places[number].volume().unlink(Inode::ROOT, &name.as_bytes()[1..]).unwrap();
            self.deleted.insert(name.clone());
        }
    }

    /// One place becomes what another one is, and goes on from there.
    fn follow(&mut self, from: usize, to: usize, mode: ReplicaMode) {
        let (source, target) = (&self.places[from], &self.places[to]);
        let synced = run(source, target, mode).unwrap();
        target.pool.set_role("main", Role::Primary).unwrap();
        target.unlock();
        keep_little(target);
        if !synced.is_unchanged {
            self.met.retain(|(one, other), _| *one != to && *other != to);
        }
        self.met.insert(pair(from, to), self.names(from));
    }

    fn sync(&mut self, ours: usize, theirs: usize) {
        let (here, there) = (self.names(ours), self.names(theirs));
        sync(&self.places[ours], &self.places[theirs]).unwrap();
        assert_equal(&self.places[ours], &self.places[theirs]);
        let after = self.names(ours);
        for name in here.union(&there) {
            assert!(after.contains(name) || self.deleted.contains(name), "{ours} and {theirs}: {name} is lost");
        }
        for name in self.met.get(&pair(ours, theirs)).into_iter().flatten() {
            let is_deleted = !here.contains(name) || !there.contains(name);
            assert!(!is_deleted || !after.contains(name), "{ours} and {theirs}: {name} is back");
        }
        if !self.met.contains_key(&pair(ours, theirs)) {
            // They may not have known what others deleted, so for others it is made anew.
            self.met.retain(|(one, other), _| ![ours, theirs].contains(one) && ![ours, theirs].contains(other));
        }
        for (place, before) in [(ours, here), (theirs, there)] {
            let new: Names = after.difference(&before).cloned().collect();
            let of_place = self.met.iter_mut().filter(|((one, other), _)| *one == place || *other == place);
            of_place.for_each(|(_, met)| met.retain(|name| !new.contains(name)));
        }
        self.met.insert(pair(ours, theirs), after);
    }

    fn step(&mut self) {
        let one = self.random.below(PLACES as u64) as usize;
        let other = (one + 1 + self.random.below(PLACES as u64 - 1) as usize) % PLACES;
        match self.random.below(12) {
            0..3 => self.make(one),
            3..6 => self.delete(one),
            6 => self.follow(one, other, REPLACE),
            7 => self.places[one].volume().checkpoint().unwrap(),
            8 => drop(self.places[one].clock.0.fetch_add(1000, Ordering::Relaxed)),
            9 => {
                let place = &self.places[one];
                self.places[one] = place.reopen_on(place.disk.restart()).unwrap();
                self.places[one].unlock();
            }
            _ => self.sync(one, other),
        }
    }
}

#[test]
fn nothing_is_taken_away_that_nobody_deleted_and_what_was_deleted_stays_so() {
    for seed in 0..crate::seeds("BOTH_SEEDS", 30) {
        println!("seed {seed}");
        let mut world = World::new(seed);
        (0..120).for_each(|_| world.step());
    }
}
