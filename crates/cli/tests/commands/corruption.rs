//! Corruption on real mounts: a copy of a store is damaged, brought up and read as a whole. Nothing wrong is served, what cannot be
//! had is an I/O error and is named by a scrub, nothing panics, nothing hangs. A pool that refuses to come up is an outcome, too.
//!
//! A failure names its seed. `CORRUPT_MOUNT_SEED` is the first one, `CORRUPT_MOUNT_TRIALS` says how many.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::outcome::Outcome;
use crate::pool::Pool;
use sim::Random;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const TRIALS_DEFAULT: u64 = 16;

/// A command or a read that takes longer hangs.
const TIME_MAX: Duration = Duration::from_secs(120);

const FILES: u64 = 8;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A store that is down, and what its volume holds, by paths in the mount.
fn original() -> (Pool, BTreeMap<String, Vec<u8>>) {
    let pool = Pool::up();
    let (mut random, mut files) = (Random::new(1), BTreeMap::new());
    for number in 0..FILES {
        let (folder, length) = (format!("folder{}", number % 3), [90, 4_000, 70_000, 300_000][number as usize % 4]);
        fs::create_dir_all(pool.mount().join(&folder)).unwrap();
        let (path, content) = (format!("{folder}/file{number}"), random.bytes(length));
        fs::write(pool.mount().join(&path), &content).unwrap();
        files.insert(path, content);
        pool.run(&["sync"]).succeeded();
    }
    pool.run(&["snapshot", "create", "kept"]).succeeded();
    pool.run(&["down"]).succeeded();
    (pool, files)
}

/// Damages one file of a store, and says how.
fn damage(store: &Path, random: &mut Random) -> String {
    let segments = fs::read_dir(store.join("segments")).unwrap().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        segments.filter(|path| path.extension().is_some_and(|end| end == "segment")).collect();
    paths.sort();
    let names = ["store", "copies", "mounts.json", "mirrors.json", "scrub.json"];
    let others = names.map(|name| store.join(name));
    let path = match random.below(10) {
        0..=2 => others[random.below(others.len() as u64) as usize].clone(),
        _ => paths[random.below(paths.len() as u64) as usize].clone(),
    };
    let Ok(file) = File::options().read(true).write(true).open(&path) else {
        return format!("{} is not there", path.display());
    };
    // Behind what is written there are only zeros.
    let bytes = fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last as u64 + 1);
    let offset = random.below(used);
    let stretch = (1 + random.below(50_000)).min(used - offset) as usize;
    let how = match random.below(8) {
        0..=2 => {
            let flipped = bytes.get(offset as usize).copied().unwrap_or(0) ^ 1 << random.below(8);
            file.write_all_at(&[flipped], offset).unwrap();
            "a bit flipped"
        }
        3 => file.write_all_at(&vec![0; stretch], offset).map(|()| "zeros").unwrap(),
        4 | 5 => file.write_all_at(&random.bytes(stretch), offset).map(|()| "noise").unwrap(),
        6 => file.set_len(offset).map(|()| "cut").unwrap(),
        _ => fs::remove_file(&path).map(|()| "removed").unwrap(),
    };
    format!("{}: {how} at {offset}", path.display())
}

/// A command, which must end.
fn run(pool: &Pool, arguments: &[&str]) -> Outcome {
    let command = pool.command(arguments);
    let mut limited = Command::new("timeout");
    limited.arg(TIME_MAX.as_secs().to_string()).arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let outcome = Outcome::of(&mut limited);
    assert_ne!(outcome.code, Some(124), "{arguments:?} hangs");
    outcome
}

/// Reads a file, which must end.
fn read(path: PathBuf) -> io::Result<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let shown = path.display().to_string();
    thread::spawn(move || drop(sender.send(fs::read(path))));
    receiver.recv_timeout(TIME_MAX).unwrap_or_else(|why| panic!("reading {shown} hangs: {why}"))
}

#[derive(Debug, Default)]
struct Tally {
    trials: u64,
    whole: u64,
    partly: u64,
    refused: u64,
}

fn trial(seed: u64, original: &Pool, files: &BTreeMap<String, Vec<u8>>, tally: &mut Tally) {
    let pool = Pool::new();
    let copied =
        Command::new("cp").args(["--archive", "--sparse=always"]).arg(original.store()).arg(pool.store()).status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy of the store");
    let what = format!("seed {seed}, {}", damage(pool.store(), &mut Random::new(seed)));
    tally.trials += 1;
    let up = run(&pool, &["up", "--mount", pool.mount_text()]);
    let log = || fs::read_to_string(pool.store().join("node.log")).unwrap_or_default();
    if up.code != Some(0) {
        assert!(
            up.code == Some(1) && up.errors.starts_with("pantala: ") && !log().contains("panicked"),
            "{what}: {up:?}"
        );
        tally.refused += 1;
        return;
    }
    let mut unreadable = Vec::new();
    for (path, content) in files {
        // The snapshot is read first: nothing of it is in the kernel's cache.
        for place in [pool.mount().join(".snapshots/kept").join(path), pool.mount().join(path)] {
            match read(place.clone()) {
                Ok(found) => assert!(found == *content, "{what}: {} has another content", place.display()),
                Err(error) => {
                    let is_failure = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
                    // A volume that cannot be opened is not mounted, and a snapshot of it is not there.
                    assert!(
                        is_failure || error.kind() == io::ErrorKind::NotFound,
                        "{what}: {}: {error}",
                        place.display()
                    );
                    unreadable.push((path, is_failure));
                }
            }
        }
    }
    let scrub = run(&pool, &["scrub"]);
    let problems = run(&pool, &["status", "--json"]).output;
    let is_named = |path: &str| scrub.output.contains(path) || scrub.output.contains("some of what");
    for (path, is_failure) in &unreadable {
        let is_told =
            if *is_failure { is_named(path) || problems.contains("damaged") } else { problems.contains("damaged") };
        assert!(is_told, "{what}: {path} cannot be read, and nothing says so: {scrub:?} {problems}");
    }
    assert!(unreadable.is_empty() || scrub.code == Some(4), "{what}: {scrub:?}");
    assert!(!log().contains("panicked"), "{what}: {}", log());
    if unreadable.is_empty() {
        tally.whole += 1;
    } else {
        tally.partly += 1;
    }
    // A store that takes no writes says so; the pool goes with its test.
    run(&pool, &["down"]);
}

#[test]
fn whatever_is_damaged_is_an_error_and_named_and_nothing_wrong_is_served() {
    let (original, files) = original();
    let (first, trials) = (number("CORRUPT_MOUNT_SEED", 0), number("CORRUPT_MOUNT_TRIALS", TRIALS_DEFAULT));
    let mut tally = Tally::default();
    (first..first + trials).for_each(|seed| trial(seed, &original, &files, &mut tally));
    println!("{tally:?}");
    assert!(tally.partly + tally.refused > 0 && tally.whole < tally.trials, "{tally:?}");
}
