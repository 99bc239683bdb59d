//! A volume's gate, epochs, overlay and checkpoints under shuttle: many schedules of a few threads, each switched at every lock.
//!
//! `SCHEDULES` says how many are tried of each. A failure prints its schedule.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::Thrift;
use parking_lot::shuttle::scheduler::{PctScheduler, RandomScheduler};
use parking_lot::shuttle::{Config, Runner, thread};
use place::{OWNER, main_volume, open_pool};
use sim::SimDisk;
use std::sync::Arc;
use volume::{AccessTimes, AttributeChanges, Error, Inode, NewInode, Pool, Privileges, TimeChange, Timestamp, Volume};

/// Schedules of each test unless `SCHEDULES` says otherwise; half of them at random, half of few switches.
const SCHEDULES_DEFAULT: usize = 500;

/// Switches of a schedule of few.
const SWITCHES: usize = 4;

const STACK_BYTES: usize = 4 << 20;

/// Longer than what is kept inline.
const LENGTH: usize = 5_000;

fn try_schedules(run: impl Fn() + Send + Sync + Clone + 'static) {
    let count = std::env::var("SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SCHEDULES_DEFAULT);
    let config = || {
        let mut config = Config::new();
        config.stack_size = STACK_BYTES;
        config
    };
    Runner::new(RandomScheduler::new(count / 2), config()).run(run.clone());
    Runner::new(PctScheduler::new(SWITCHES, count / 2), config()).run(run);
}

#[derive(Clone)]
struct Place {
    disk: SimDisk,
    pool: Arc<Pool>,
    volume: Arc<Volume>,
    file: Inode,
}

impl Place {
    /// A pool with a file of two halves of zeros, durable.
    fn new() -> Self {
        let disk = SimDisk::new();
        let pool = Arc::new(open_pool(&disk, true).unwrap());
        let volume = main_volume(&pool);
        let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, OWNER).unwrap();
        volume.write(file, 0, &[0; 2 * LENGTH], Privileges::Keep).unwrap();
        pool.checkpoint().unwrap();
        Self { disk, pool, volume, file }
    }

    fn half(&self, volume: &Volume, number: usize) -> u8 {
        let mut bytes = vec![0xaa; LENGTH];
        assert_eq!(volume.read(self.file, (number * LENGTH) as u64, &mut bytes).unwrap(), LENGTH);
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a write is seen in part");
        bytes[0]
    }

    fn write_half(&self, number: usize, byte: u8) {
        self.volume.write(self.file, (number * LENGTH) as u64, &[byte; LENGTH], Privileges::Keep).unwrap();
    }

    /// The halves when the power goes now, with nothing but what was synced.
    fn halves_after_crash(&self) -> [u8; 2] {
        let pool = open_pool(&self.disk.crash_to_durable(), false).unwrap();
        let volume = main_volume(&pool);
        [0, 1].map(|number| self.half(&volume, number))
    }
}

fn spawn(place: &Place, work: impl FnOnce(Place) + Send + 'static) -> thread::JoinHandle<()> {
    let place = place.clone();
    thread::spawn(move || work(place))
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Each writer sees its own writes at once, whole, and after its sync so does whoever comes after a crash; a checkpoint goes on
/// beside them.
#[test]
fn what_two_writers_synced_beside_a_checkpoint_survives() {
    try_schedules(|| {
        let place = Place::new();
        let writer = |number: usize| {
            spawn(&place, move |place| {
                for byte in 1..=2 {
                    place.write_half(number, byte);
                    assert_eq!(place.half(&place.volume, number), byte);
                    place.volume.sync().unwrap();
                    assert_eq!(place.halves_after_crash()[number], byte);
                }
            })
        };
        let checkpointer = spawn(&place, |place| place.volume.checkpoint().unwrap());
        join([writer(0), writer(1), checkpointer]);
        assert_eq!(place.halves_after_crash(), [2, 2]);
    });
}

/// A time that somebody sets is not undone by a read before it, and what is seen in the end is what is kept.
#[test]
fn times_of_access_beside_who_sets_them_and_a_checkpoint_are_as_in_some_order() {
    try_schedules(|| {
        let place = Place::new();
        let past = Timestamp { seconds: -77, nanoseconds: 0 };
        place.volume.accessed(place.file, AccessTimes::Always).unwrap();
        let setter = spawn(&place, move |place| {
            let accessed = Some(TimeChange::To(past));
            let changes = AttributeChanges { accessed, ..AttributeChanges::default() };
            place.volume.set_attributes(place.file, &changes).unwrap();
            assert_eq!(place.volume.attributes(place.file).unwrap().accessed, past);
        });
        let checkpointer = spawn(&place, |place| place.volume.checkpoint().unwrap());
        let writer = spawn(&place, |place| place.write_half(0, 1));
        join([setter, checkpointer, writer]);
        assert_eq!(place.volume.attributes(place.file).unwrap().accessed, past);
        let reader = spawn(&place, |place| place.volume.accessed(place.file, AccessTimes::Always).unwrap());
        let checkpointer = spawn(&place, |place| place.volume.checkpoint().unwrap());
        join([reader, checkpointer]);
        let seen = place.volume.attributes(place.file).unwrap().accessed;
        assert!(seen > past);
        place.pool.checkpoint().unwrap();
        let pool = open_pool(&place.disk.crash_to_durable(), false).unwrap();
        assert_eq!(main_volume(&pool).attributes(place.file).unwrap().accessed, seen);
    });
}

/// A snapshot holds each write of another thread wholly or not at all, and in their order.
#[test]
fn a_snapshot_beside_a_writer_holds_a_prefix_of_its_writes() {
    try_schedules(|| {
        let place = Place::new();
        let writer = spawn(&place, |place| {
            for byte in 1..=3 {
                place.write_half(0, byte);
                place.write_half(1, byte);
            }
        });
        let keeper = spawn(&place, |place| {
            let snapshot = place.volume.create_snapshot("kept", false).unwrap();
            let view = place.volume.open_kept(&snapshot.root).unwrap();
            let halves = [0, 1].map(|number| {
                let mut bytes = vec![0; LENGTH];
                view.read(place.file, (number * LENGTH) as u64, &mut bytes).unwrap();
                bytes[0]
            });
            assert!(halves[0] == halves[1] || halves[0] == halves[1] + 1, "{halves:?} is no prefix");
        });
        join([writer, keeper]);
    });
}

/// Names: of two who make the same name one succeeds, and a rename beside them loses nothing.
#[test]
fn of_two_who_make_a_name_one_succeeds_and_a_rename_beside_them_loses_nothing() {
    try_schedules(|| {
        let place = Place::new();
        let maker = || {
            spawn(&place, |place| {
                let made = place.volume.make(Inode::ROOT, b"new", NewInode::File, 0o600, OWNER);
                assert!(matches!(made, Ok(_) | Err(Error::Exists)));
            })
        };
        let mover = spawn(&place, |place| {
            let names = ((Inode::ROOT, &b"file"[..]), (Inode::ROOT, &b"moved"[..]));
            place.volume.rename(names.0, names.1, volume::RenameMode::NoReplace).unwrap();
            place.volume.sync().unwrap();
        });
        join([maker(), maker(), mover]);
        assert_eq!(place.volume.lookup(Inode::ROOT, b"moved").unwrap().0, place.file);
        assert!(place.volume.lookup(Inode::ROOT, b"new").is_ok());
        assert_eq!(place.volume.space().unwrap().inodes, 3, "the top, the file and the new one");
    });
}

/// A collection beside writes and a truncation: what the file holds stays, in memory and after a crash.
#[test]
fn a_collection_beside_a_writer_takes_nothing_that_is_alive() {
    try_schedules(|| {
        let place = Place::new();
        place.volume.set_attributes(place.file, &AttributeChanges { size: Some(0), ..Default::default() }).unwrap();
        place.pool.checkpoint().unwrap();
        let writer = spawn(&place, |place| {
            // The content that has just become garbage.
            place.write_half(0, 0);
            place.write_half(1, 0);
            place.volume.sync().unwrap();
        });
        let collector = spawn(&place, |place| {
            let mut collection = place.pool.begin_collection(Thrift::SpaceIsOut).unwrap().unwrap();
            while collection.step().unwrap() {}
        });
        join([writer, collector]);
        assert_eq!([0, 1].map(|number| place.half(&place.volume, number)), [0, 0]);
        assert_eq!(place.halves_after_crash(), [0, 0]);
    });
}
