//! Corruption trials: bytes, stretches and whole files of a store are damaged at random. Whatever can be read must be what was
//! written; whatever cannot must be an error, and named; nothing panics and nothing hangs (contract 2).
//!
//! A failure names its seed. `CORRUPT_SEED` is the first one, `CORRUPT_TRIALS` says how many: `cargo xtask corrupt` sets them.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::{Disk, MemoryIndex, Sabotage};
use place::{OWNER, main_volume, open_pool_with};
use sim::{Random, SimDisk};
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use volume::{Inode, NewInode, Pool, Privileges, Scrub, ScrubPoint, ScrubStage, VolumeId};

/// Trials unless `CORRUPT_TRIALS` says otherwise.
const TRIALS_DEFAULT: u64 = 1_000;

/// A trial that takes longer hangs.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(300);

const FOLDERS: u64 = 4;
const FILES: u64 = 6;

/// Of so many trials, one is on a store that bad memory has written to: there, checksums are right and names are not.
const GARBLED_EACH: u64 = 5;

/// A store with known content.
struct Original {
    disk: SimDisk,
    index: MemoryIndex,
    files: BTreeMap<String, Vec<u8>>,
    /// A mistake that reading makes, to show that it is noticed.
    mistake: Option<Sabotage>,
}

/// What trials came to.
#[derive(Debug, Default)]
struct Tally {
    trials: u64,
    /// The damage lay where nothing needs it, or a copy stood in.
    whole: u64,
    /// Some files could not be read, and were named.
    partly: u64,
    /// The pool could not be opened, and said so.
    refused: u64,
}

enum Outcome {
    Whole,
    Partly,
    Refused,
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

impl Original {
    /// With another mistake while its last folder is written.
    fn make(while_writing: Option<Sabotage>) -> Self {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let pool = open_pool_with(&disk, index.clone(), true, &Arc::default()).unwrap();
        let volume = main_volume(&pool);
        let (mut random, mut files) = (Random::new(1), BTreeMap::new());
        for folder in 0..FOLDERS {
            if folder + 1 == FOLDERS {
                while_writing.into_iter().for_each(|mistake| pool.store().sabotage(mistake));
            }
            let name = format!("folder{folder}");
            let (directory, _) = volume.make(Inode::ROOT, name.as_bytes(), NewInode::Directory, 0o755, OWNER).unwrap();
            for file in 0..FILES {
                let length = [100, 3_000, 20_000, 150_000][random.below(4) as usize];
                let content = random.bytes(length);
                let file = format!("file{file}");
                let (inode, _) = volume.make(directory, file.as_bytes(), NewInode::File, 0o600, OWNER).unwrap();
                volume.write(inode, 0, &content, Privileges::Keep).unwrap();
                files.insert(format!("/{name}/{file}"), content);
            }
            pool.checkpoint().unwrap();
        }
        Self { disk, index, files, mistake: None }
    }

    /// Damages a copy, opens it and reads all of it.
    fn trial(&self, seed: u64) -> Result<Outcome, String> {
        let mut random = Random::new(seed);
        let disk = self.disk.image();
        let what = damage(&disk, &mut random);
        let index = if random.percent(50) { self.index.snapshot() } else { MemoryIndex::default() };
        let pool = match open_pool_with(&disk, index, false, &Arc::default()) {
            Ok(pool) => pool,
            Err(_) => return Ok(Outcome::Refused),
        };
        self.mistake.into_iter().for_each(|mistake| pool.store().sabotage(mistake));
        self.check(&pool).map_err(|why| format!("{what}: {why}"))
    }

    fn check(&self, pool: &Pool) -> Result<Outcome, String> {
        if pool.volume(VolumeId::FIRST).is_none() {
            let why = pool.volume_damage(VolumeId::FIRST);
            return why.map(|_| Outcome::Partly).ok_or("the volume is gone, and nothing says why".to_owned());
        }
        let mut unreadable = Vec::new();
        for (path, content) in &self.files {
            match read(pool, path, content.len()) {
                Ok(found) if found == *content => {}
                Ok(_) => return Err(format!("{path} has another content")),
                Err(_) => unreadable.push(path),
            }
        }
        let found = scrub(pool)?;
        if unreadable.is_empty() {
            return Ok(Outcome::Whole);
        }
        if pool.volume_damage(VolumeId::FIRST).is_some() {
            return Ok(Outcome::Partly);
        }
        let is_named =
            |path: &&String| found.iter().any(|user| user.contains(&***path) || user.contains("some of what"));
        match unreadable.iter().find(|path| !is_named(path)) {
            Some(path) => Err(format!("{path} cannot be read, and scrub names only {found:?}")),
            None => Ok(Outcome::Partly),
        }
    }
}

fn read(pool: &Pool, path: &str, length: usize) -> volume::Result<Vec<u8>> {
    let volume = main_volume(pool);
    let find = |directory, name: &str| volume.lookup(directory, name.as_bytes()).map(|(inode, _)| inode);
    let file = path.split('/').filter(|part| !part.is_empty()).try_fold(Inode::ROOT, find)?;
    let mut bytes = vec![0; length + 1];
    let read = volume.read(file, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Who uses what a scrub finds.
fn scrub(pool: &Pool) -> Result<Vec<String>, String> {
    let mut scrub = Scrub::new(ScrubPoint::default());
    while scrub.progress().stage != ScrubStage::Done {
        scrub.step(pool, 64 << 10).map_err(|error| format!("the scrub cannot run: {error}"))?;
    }
    let users = scrub.findings().iter().flat_map(|finding| &finding.users);
    Ok(users.map(ToString::to_string).collect())
}

/// Damages one file of a store, and says how.
fn damage(disk: &SimDisk, random: &mut Random) -> String {
    let mut paths = disk.paths("segments");
    paths.sort();
    let path = match random.below(12) {
        0 => "store".to_owned(),
        1 => "copies".to_owned(),
        _ => paths[random.below(paths.len() as u64) as usize].clone(),
    };
    let Ok(file) = disk.open(&path) else { return format!("{path} is not there") };
    let length = file.length().unwrap().max(1);
    let offset = random.below(length);
    let stretch = (1 + random.below(20_000)).min(length - offset) as usize;
    match random.below(10) {
        0..=3 => {
            let bits = 1 << random.below(8);
            disk.flip(&path, offset, bits);
            format!("{path}: bits {bits:#x} flipped at {offset}")
        }
        4 | 5 => {
            file.write_at(&[IoSlice::new(&vec![0; stretch])], offset).unwrap();
            format!("{path}: {stretch} zeros at {offset}")
        }
        6 | 7 => {
            file.write_at(&[IoSlice::new(&random.bytes(stretch))], offset).unwrap();
            format!("{path}: {stretch} bytes of noise at {offset}")
        }
        8 => {
            file.truncate(offset).unwrap();
            format!("{path}: cut at {offset}")
        }
        _ => {
            disk.remove(&path).unwrap();
            format!("{path}: removed")
        }
    }
}

#[test]
fn whatever_is_damaged_is_an_error_and_named_and_all_else_is_as_it_was_written() {
    let (original, garbled) = (Original::make(None), Original::make(Some(Sabotage::GarbleBlocks)));
    let first = number("CORRUPT_SEED").unwrap_or(0);
    let trials = number("CORRUPT_TRIALS").unwrap_or(TRIALS_DEFAULT);
    let mut tally = Tally::default();
    let (sender, receiver) = mpsc::channel();
    let work = std::thread::spawn(move || {
        for seed in first..first + trials {
            let original = if seed % GARBLED_EACH == 0 { &garbled } else { &original };
            if sender.send((seed, original.trial(seed))).is_err() {
                return;
            }
        }
    });
    for seed in first..first + trials {
        let trial = receiver.recv_timeout(TRIAL_TIME_MAX);
        let (_, outcome) = trial.unwrap_or_else(|why| panic!("trial {seed} panicked or hangs: {why}"));
        tally.trials += 1;
        match outcome.unwrap_or_else(|why| panic!("trial {seed}: {why}")) {
            Outcome::Whole => tally.whole += 1,
            Outcome::Partly => tally.partly += 1,
            Outcome::Refused => tally.refused += 1,
        }
    }
    work.join().unwrap();
    println!("{tally:?}");
    assert!(tally.partly > tally.trials / 10, "{tally:?}");
}

/// A deliberate break: a store that does not compare names serves what bad memory has written.
#[test]
fn a_store_that_does_not_compare_names_is_noticed() {
    let garbled = Original { mistake: Some(Sabotage::SkipNames), ..Original::make(Some(Sabotage::GarbleBlocks)) };
    let noticed = (0..20).find_map(|seed| garbled.trial(seed).err()).expect("it went unnoticed");
    assert!(noticed.contains("has another content"), "{noticed}");
}
