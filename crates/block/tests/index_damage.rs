//! Damage of the index's own files: it is made again or refused in words, and nothing wrong is ever served.
//!
//! A store in a real directory is copied, one file of its index is damaged at random, and all blocks are read. `INDEX_TRIALS` sets how
//! often, `INDEX_FIRST` with which seed it begins; a failure names its seed. With `INDEX_TELL` each trial is told before it begins.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, Compression, Error, Name, OpenMode, Record, RecordKind, Store, StoreOptions};
use sim::Random;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const BLOCKS: usize = 600;
const BLOCKS_PER_UPDATE: usize = 60;

fn options() -> StoreOptions {
    StoreOptions { segment_bytes: 1 << 20, compression: Compression::None, ..StoreOptions::default() }
}

fn open(path: &Path) -> Result<Store, Error> {
    Store::open_directory(path, options(), OpenMode::MustExist)
}

fn reindex(path: &Path) -> Result<Store, Error> {
    Store::reindex_directory(path, options(), &mut |_, _| {})
}

/// A store whose index has several tables. The last blocks are not in it yet.
fn make(path: &Path) -> Vec<(Name, Block)> {
    let store = Store::open_directory(path, options(), OpenMode::Create).unwrap();
    let mut random = Random::new(1);
    let mut blocks = Vec::new();
    for number in 0..BLOCKS {
        let block = Block::data(random.bytes(300).into());
        blocks.push((store.put(&block).unwrap(), block));
        if number % BLOCKS_PER_UPDATE == BLOCKS_PER_UPDATE / 2 {
            let links = vec![blocks[number].0];
            store.append(&Record { kind: RecordKind::Root, stream: 1, links, body: "".into() }).unwrap();
            store.sync().unwrap();
            store.flush_index().unwrap();
        }
    }
    store.sync().unwrap();
    blocks
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut files = Vec::new();
    files_below(from, &mut files);
    for file in files {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}

/// Damages one file; gives what was done to which.
fn damage(index: &Path, random: &mut Random) -> String {
    let mut files = Vec::new();
    files_below(index, &mut files);
    files.sort();
    let path = &files[random.below(files.len() as u64) as usize];
    let length = fs::metadata(path).unwrap().len();
    let file = File::options().read(true).write(true).open(path).unwrap();
    let place = random.below(length.max(1));
    let count = random.below(200).min(length - place.min(length)).max(1);
    let mut bytes = vec![0; count as usize];
    let what = match random.below(5) {
        0 => {
            let read = file.read_at(&mut bytes[..1], place).unwrap();
            bytes[0] ^= 1 << random.below(8);
            file.write_all_at(&bytes[..read], place).unwrap();
            "a flipped bit"
        }
        1 => file.write_all_at(&bytes, place).map(|()| "zeros").unwrap(),
        2 => file.write_all_at(&random.bytes(count as usize), place).map(|()| "noise").unwrap(),
        3 => file.set_len(place).map(|()| "a cut").unwrap(),
        _ => fs::remove_file(path).map(|()| "removal").unwrap(),
    };
    format!("{what} at {place} of {length} in {}", path.strip_prefix(index).unwrap().display())
}

/// What came of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All could be read.
    Whole,
    /// Some of it was refused until the index was made anew.
    Told,
    /// The store did not open until the index was made anew.
    Refused,
}

fn trial(template: &Path, blocks: &[(Name, Block)], seed: u64) -> Result<Outcome, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    copy(template, &path);
    let what = damage(&path.join("index"), &mut Random::new(seed));
    if std::env::var_os("INDEX_TELL").is_some() {
        eprintln!("seed {seed}: {what}");
    }
    let told = |why: &str| format!("{what}: {why}");
    let outcome = match open(&path) {
        Err(_) => Outcome::Refused,
        Ok(store) => {
            let mut outcome = Outcome::Whole;
            for (name, block) in blocks {
                match store.get(name) {
                    Ok(found) if found == *block => {}
                    Ok(_) => return Err(told("wrong content")),
                    Err(Error::Missing { .. }) => {
                        return Err(told("a block is missing, and nothing is said of the index"));
                    }
                    Err(error) if error.to_string().contains("have it made again") => outcome = Outcome::Told,
                    Err(error) => return Err(told(&error.to_string())),
                }
            }
            outcome
        }
    };
    if outcome != Outcome::Whole {
        let store = reindex(&path).map_err(|error| told(&format!("it cannot be made again: {error}")))?;
        if blocks.iter().any(|(name, block)| store.get(name).ok().as_ref() != Some(block)) {
            return Err(told("a new index lacks blocks"));
        }
    }
    Ok(outcome)
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn a_damaged_index_is_made_again_or_told_and_nothing_wrong_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("template");
    let blocks = make(&template);
    let (first, trials) = (number("INDEX_FIRST", 0), number("INDEX_TRIALS", 100));
    let mut outcomes = BTreeMap::<Outcome, u64>::new();
    for seed in first..first + trials {
        let outcome = trial(&template, &blocks, seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{trials} trials: {outcomes:?}");
    assert!(outcomes.len() > 1 || trials < 100, "{outcomes:?}");
}
