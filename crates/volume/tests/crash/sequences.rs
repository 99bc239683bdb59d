//! Every sequence of one and of two core operations, with every placement of a sync or a checkpoint behind them, crashed at every
//! operation of the disk. On a small pool, since nearly all crash bugs need no more (OSDI 2018, see the crate's head).

use crate::crash::{Known, Remains, State, Tally, crash};
use crate::kept::KeptModel;
use crate::place::{OWNER, main_volume, open_pool_with};
use crate::workload::dump;
use block::MemoryIndex;
use sim::SimDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use volume::{AttributeChanges, Error, Inode, NewInode, Privileges, RenameMode, Seek, Volume, VolumeId, XattrMode};

type Done = Result<(), Error>;

type Operation = (&'static str, fn(&Volume) -> Done);

/// The core operations, on names that there are and on names that there are not. One that is refused changes nothing.
const OPERATIONS: &[Operation] = &[
    ("create A/new", |volume| make(volume, "A/new", NewInode::File)),
    ("create new", |volume| make(volume, "new", NewInode::File)),
    ("mkdir A/new", |volume| make(volume, "A/new", NewInode::Directory)),
    ("symlink A/new", |volume| make(volume, "A/new", NewInode::Symlink(b"A/foo"))),
    ("mkfifo B/new", |volume| make(volume, "B/new", NewInode::Fifo)),
    ("overwrite A/foo", |volume| volume.write(find(volume, "A/foo")?, 1000, &[1; 3000], Privileges::Keep)),
    ("append A/foo", |volume| volume.write(find(volume, "A/foo")?, 6000, &[2; 4096], Privileges::Keep)),
    ("write behind a hole of A/foo", |volume| volume.write(find(volume, "A/foo")?, 200_000, &[3; 5], Privileges::Keep)),
    ("grow the inline A/bar", |volume| volume.write(find(volume, "A/bar")?, 50, &[4; 3000], Privileges::Keep)),
    ("write B/foo", |volume| volume.write(find(volume, "B/foo")?, 0, &[5; 300], Privileges::Keep)),
    ("cut A/foo", |volume| resize(volume, "A/foo", 2500)),
    ("empty A/foo", |volume| resize(volume, "A/foo", 0)),
    ("lengthen A/foo", |volume| resize(volume, "A/foo", 9000)),
    ("punch A/foo", |volume| volume.punch(find(volume, "A/foo")?, 1000, 2000).map(drop)),
    ("link A/foo B/new", |volume| link(volume, "A/foo", "B/new")),
    ("link A/foo A/new", |volume| link(volume, "A/foo", "A/new")),
    ("unlink A/foo", |volume| unlink(volume, "A/foo")),
    ("unlink B/foo", |volume| unlink(volume, "B/foo")),
    ("rmdir B/empty", |volume| remove_directory(volume, "B/empty")),
    ("rename A/foo A/new", |volume| rename(volume, "A/foo", "A/new", RenameMode::NoReplace)),
    ("rename A/foo B/foo", |volume| rename(volume, "A/foo", "B/foo", RenameMode::Replace)),
    ("rename B/foo A/bar", |volume| rename(volume, "B/foo", "A/bar", RenameMode::Replace)),
    ("rename A B/empty", |volume| rename(volume, "A", "B/empty", RenameMode::Replace)),
    ("exchange A/foo B", |volume| rename(volume, "A/foo", "B", RenameMode::Exchange)),
    ("setxattr A/foo", |volume| volume.set_xattr(find(volume, "A/foo")?, b"user.b", &[6; 5000], XattrMode::Set)),
    ("removexattr A/bar", |volume| volume.remove_xattr(find(volume, "A/bar")?, b"user.a")),
    ("chmod A/foo", |volume| {
        let changes = AttributeChanges { permissions: Some(0o400), ..Default::default() };
        volume.set_attributes(find(volume, "A/foo")?, &changes).map(drop)
    }),
    ("seek in A/foo", |volume| volume.seek(find(volume, "A/foo")?, 0, Seek::Data).map(drop)),
];

/// What follows on an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Persist {
    Nothing,
    Sync,
    Checkpoint,
}

const PLACEMENTS: [Persist; 3] = [Persist::Nothing, Persist::Sync, Persist::Checkpoint];

/// Operations by number, and what follows on each.
type Sequence = Vec<(usize, Persist)>;

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn find(volume: &Volume, path: &str) -> Result<Inode, Error> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .try_fold(Inode::ROOT, |directory, name| volume.lookup(directory, name.as_bytes()).map(|(inode, _)| inode))
}

fn place<'a>(volume: &Volume, path: &'a str) -> Result<(Inode, &'a [u8]), Error> {
    let (directory, name) = split(path);
    Ok((find(volume, directory)?, name.as_bytes()))
}

fn make(volume: &Volume, path: &str, new: NewInode<'_>) -> Done {
    let (directory, name) = place(volume, path)?;
    volume.make(directory, name, new, 0o640, OWNER).map(drop)
}

fn resize(volume: &Volume, path: &str, size: u64) -> Done {
    let changes = AttributeChanges { size: Some(size), ..Default::default() };
    volume.set_attributes(find(volume, path)?, &changes).map(drop)
}

fn link(volume: &Volume, path: &str, new: &str) -> Done {
    let (directory, name) = place(volume, new)?;
    volume.link(find(volume, path)?, directory, name).map(drop)
}

fn unlink(volume: &Volume, path: &str) -> Done {
    let (directory, name) = place(volume, path)?;
    volume.unlink(directory, name)?.map_or(Ok(()), |orphan| volume.reclaim(orphan))
}

fn remove_directory(volume: &Volume, path: &str) -> Done {
    let (directory, name) = place(volume, path)?;
    volume.remove_directory(directory, name)?.map_or(Ok(()), |orphan| volume.reclaim(orphan))
}

fn rename(volume: &Volume, from: &str, to: &str, mode: RenameMode) -> Done {
    volume.rename(place(volume, from)?, place(volume, to)?, mode)?.map_or(Ok(()), |orphan| volume.reclaim(orphan))
}

/// The pool on which every sequence begins, durable.
struct Base {
    disk: SimDisk,
    index: MemoryIndex,
    /// What a user saw before it was filled.
    empty: State,
}

impl Base {
    fn make() -> Result<Self, volume::PoolError> {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let pool = open_pool_with(&disk, index.clone(), true, &Arc::default())?;
        let volume = main_volume(&pool);
        let empty = State::new(dump(&volume, Inode::ROOT)?);
        for directory in ["A", "B", "B/empty"] {
            make(&volume, directory, NewInode::Directory)?;
        }
        for (file, length) in [("A/foo", 6000), ("A/bar", 100), ("B/foo", 4000)] {
            make(&volume, file, NewInode::File)?;
            volume.write(find(&volume, file)?, 0, &vec![length as u8; length], Privileges::Keep)?;
        }
        volume.set_xattr(find(&volume, "A/bar")?, b"user.a", b"value", XattrMode::Set)?;
        pool.checkpoint()?;
        Ok(Self { disk, index, empty })
    }

    /// Does a sequence, and lets the power go at every operation of the disk and at the end.
    fn crash_everywhere(&self, sequence: &Sequence, tally: &Tally) -> Result<(), String> {
        let disk = self.disk.image();
        let failed = |error: Error| error.to_string();
        let pool =
            open_pool_with(&disk, self.index.snapshot(), false, &Arc::default()).map_err(|error| error.to_string())?;
        disk.keep_images();
        let volume = main_volume(&pool);
        let look = || dump(&volume, Inode::ROOT).map(State::new).map_err(failed);
        let mut known = Known {
            volume: VolumeId::FIRST,
            states: vec![self.empty.clone(), look()?],
            durable: 1,
            kept: vec![KeptModel::default()],
        };
        for (number, persist) in sequence {
            match OPERATIONS[*number].1(&volume) {
                Err(error @ Error::Tree(_)) => return Err(failed(error)),
                // Refused: the one before has taken away what it is about.
                Err(_) => {}
                Ok(()) => known.states.push(look()?),
            }
            match persist {
                Persist::Nothing => Ok(()),
                Persist::Sync => volume.sync(),
                Persist::Checkpoint => volume.checkpoint(),
            }
            .map_err(failed)?;
            self.crash_at(&disk.take_images(), &known, tally)?;
            if *persist != Persist::Nothing {
                known.durable = known.states.len() - 1;
            }
        }
        self.crash_at(&[disk.image()], &known, tally)
    }

    fn crash_at(&self, images: &[SimDisk], known: &Known, tally: &Tally) -> Result<(), String> {
        for image in images {
            let seed = tally.points.load(Ordering::Relaxed);
            for remains in [Remains::Durable, Remains::All, Remains::Some(seed)] {
                crash(image, remains, &self.index, std::slice::from_ref(known), tally)?;
            }
        }
        Ok(())
    }
}

/// All sequences of one and of two operations.
fn sequences() -> Vec<Sequence> {
    let steps = || (0..OPERATIONS.len()).flat_map(|number| PLACEMENTS.map(|persist| (number, persist)));
    let ones = steps().map(|step| vec![step]);
    let twos = steps().flat_map(|first| steps().map(move |second| vec![first, second]));
    ones.chain(twos).collect()
}

fn describe(sequence: &Sequence) -> String {
    let steps = sequence.iter().map(|(number, persist)| format!("{}, {persist:?}", OPERATIONS[*number].0));
    steps.collect::<Vec<_>>().join("; ")
}

#[test]
fn every_sequence_of_two_operations_survives_a_crash_at_every_point() {
    let base = Base::make().unwrap();
    let sequences = sequences();
    let (next, tally) = (AtomicUsize::new(0), Tally::default());
    let work = || {
        while let Some(sequence) = sequences.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = base.crash_everywhere(sequence, &tally) {
                next.store(sequences.len(), Ordering::Relaxed);
                panic!("{}: {why}", describe(sequence));
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    println!("{} operations, {} sequences: {tally:?}", OPERATIONS.len(), sequences.len());
}

#[test]
fn every_operation_changes_what_a_user_sees_when_it_is_the_first() {
    let base = Base::make().unwrap();
    for (name, operation) in OPERATIONS.iter().filter(|(name, _)| !name.starts_with("seek")) {
        let pool = open_pool_with(&base.disk.image(), base.index.snapshot(), false, &Arc::default()).unwrap();
        let volume = main_volume(&pool);
        let before = Arc::new(dump(&volume, Inode::ROOT).unwrap());
        operation(&volume).unwrap();
        assert_ne!(*before, dump(&volume, Inode::ROOT).unwrap(), "{name}");
    }
}
