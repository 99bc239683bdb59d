//! `cargo xtask bench snapshots`: what snapshots cost when there is 1, when there are 1,000, and when there are 100,000, beside btrfs.
//!
//! Both get the same disk, one after the other, and the same files. At each number of snapshots it measures how long one more
//! takes, how fast the newest state takes and tells of files, how long it takes to list the snapshots and to find, with nothing in
//! memory, ten changes among all files, and what memory the daemon has. btrfs gets as far as it does in its time.

mod side;

use super::disk::Disk;
use super::peers::{Ground, Kind};
use super::{Options, clear, disk_bytes, image, machine, scale, statistics};
use anyhow::{Context, Result};
use side::Side;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Files of a full run, so many to a directory.
const FILES: u64 = 1_000_000;
const FILES_MIN: u64 = 2_000;
const FILES_PER_DIRECTORY: u64 = 1_000;
const COUNTS: [u64; 3] = [1, 1_000, 100_000];
const COUNTS_QUICK: [u64; 3] = [1, 10, 50];
/// Files that differ between two states.
const CHANGED: u64 = 10;
/// Files that are made, and asked for, in the newest state.
const LIVE_FILES: u64 = 5_000;
const REPEATS: usize = 15;
/// How long making snapshots up to a number may take on a peer.
const PEER_TIME_MAX: Duration = Duration::from_secs(600);

/// What was measured at a number of snapshots. Milliseconds, files a second, bytes.
struct Row {
    snapshots: u64,
    create_ms: f64,
    bulk_ms: Option<f64>,
    creates: f64,
    stats: f64,
    list_ms: f64,
    difference_ms: f64,
    resident_bytes: Option<u64>,
}

/// Whether the workloads that were named are this one.
pub(super) fn is_chosen(names: &[String]) -> bool {
    names.iter().any(|name| name == "snapshots")
}

pub(super) fn run(options: &Options) -> Result<()> {
    super::setup::bench_packages()?;
    let directory =
        options.dir.clone().map_or_else(|| Ok(super::workspace::target_dir()?.join("bench")), anyhow::Ok)?;
    let played = clear(&directory).and_then(|()| play(options, &directory));
    played.and(clear(&directory)).with_context(|| format!("in {}", directory.display()))
}

fn play(options: &Options, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let pantala = super::pantala(options)?;
    let disk = Disk::make(&image(directory), disk_bytes(scale(options)))?;
    let ground = Ground {
        disk: &disk,
        directory: &directory.join("ground"),
        pantala: &pantala,
        before: None,
        floor: Path::new(""),
    };
    let files = scale(options).of(FILES, FILES_MIN);
    let counts = if options.quick { COUNTS_QUICK } else { COUNTS };
    println!("{files} files; {}", machine()?);
    println!(
        "| | snapshots | one more, ms | in a row, ms | creates/s | stats/s | list, ms | diff of {CHANGED}, cold, ms | resident |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for kind in [Kind::Pantala, Kind::Btrfs] {
        let mut side = Side::make(kind, &ground)?;
        make_files(&side.top(), files)?;
        for count in counts {
            let (bulk_ms, is_there) = grow(&mut side, count)?;
            show(kind, &measure(&mut side, files, bulk_ms)?);
            if !is_there {
                println!("{} got no farther in {} s", kind.name(), PEER_TIME_MAX.as_secs());
                break;
            }
        }
    }
    Ok(())
}

fn make_files(top: &Path, files: u64) -> Result<()> {
    for number in 0..files {
        let path = file(top, number);
        if number % FILES_PER_DIRECTORY == 0 {
            fs::create_dir(path.parent().context("a file lies in a directory")?)?;
        }
        File::create_new(&path)?.write_all(&number.to_le_bytes())?;
    }
    Ok(())
}

fn file(top: &Path, number: u64) -> std::path::PathBuf {
    top.join(format!("{:05}", number / FILES_PER_DIRECTORY)).join(format!("{number:08}"))
}

/// Makes snapshots until there are so many; how long each took, and whether there was time for all.
fn grow(side: &mut Side, count: u64) -> Result<(Option<f64>, bool)> {
    let (began, before) = (Instant::now(), side.snapshots());
    while side.snapshots() < count {
        if began.elapsed() > PEER_TIME_MAX {
            break;
        }
        side.create_many(count - side.snapshots())?;
    }
    let made = side.snapshots().saturating_sub(before);
    let each = (made > 1).then(|| began.elapsed().as_secs_f64() * 1e3 / made as f64);
    Ok((each, side.snapshots() >= count))
}

fn measure(side: &mut Side, files: u64, bulk_ms: Option<f64>) -> Result<Row> {
    let snapshots = side.snapshots();
    let create_ms = median(|| side.create())?;
    let (creates, stats) = live_rates(&side.top(), snapshots)?;
    let list_ms = median(|| side.list())?;
    let difference_ms = difference(side, files)?;
    let resident_bytes = side.resident_bytes()?;
    Ok(Row { snapshots, create_ms, bulk_ms, creates, stats, list_ms, difference_ms, resident_bytes })
}

/// Files made, and asked for, in a second.
fn live_rates(top: &Path, number: u64) -> Result<(f64, f64)> {
    let directory = top.join(format!("live-{number}"));
    fs::create_dir(&directory)?;
    let path = |number: u64| directory.join(number.to_string());
    let began = Instant::now();
    (0..LIVE_FILES).try_for_each(|number| File::create_new(path(number)).map(drop))?;
    let creates = LIVE_FILES as f64 / began.elapsed().as_secs_f64();
    let began = Instant::now();
    (0..LIVE_FILES).try_for_each(|number| fs::symlink_metadata(path(number)).map(drop))?;
    Ok((creates, LIVE_FILES as f64 / began.elapsed().as_secs_f64()))
}

/// How long it takes, with nothing in memory, to find what differs between two snapshots.
fn difference(side: &mut Side, files: u64) -> Result<f64> {
    let mut times = Vec::new();
    for round in 0..3 {
        let before = side.create_named()?;
        for changed in 0..CHANGED {
            let number = changed * (files / CHANGED) + round;
            File::options().append(true).open(file(&side.top(), number))?.write_all(b"changed")?;
        }
        let after = side.create_named()?;
        side.remount()?;
        times.push(milliseconds(|| side.difference(&before, &after))?);
    }
    middle(&times)
}

fn median(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let times = (0..REPEATS).map(|_| milliseconds(&mut call)).collect::<Result<Vec<f64>>>()?;
    middle(&times)
}

fn middle(times: &[f64]) -> Result<f64> {
    Ok(statistics::summary(times).context("no figures")?.median)
}

fn milliseconds(call: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    call()?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn show(kind: Kind, row: &Row) {
    let bulk = row.bulk_ms.map_or("-".to_owned(), |each| format!("{each:.2}"));
    let resident = row.resident_bytes.map_or("-".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    println!(
        "| {} | {} | {:.1} | {bulk} | {:.0} | {:.0} | {:.1} | {:.1} | {resident} |",
        kind.name(),
        row.snapshots,
        row.create_ms,
        row.creates,
        row.stats,
        row.list_ms,
        row.difference_ms
    );
}
