//! Small writes that are durable one by one.

use crate::bench::scene::{Scene, Unit};
use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate, fdatasync};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WRITE_BYTES: usize = 4 << 10;
const TIME: Duration = Duration::from_secs(2);
/// What is overwritten, of each file.
const FILE_BYTES: u64 = 8 << 20;
/// Room of the bare file.
const BARE_BYTES: u64 = 256 << 20;
const THREADS: [u64; 2] = [1, 8];

/// How often content was made.
static CONTENTS: AtomicU64 = AtomicU64::new(0);

/// What is done again and again: gets a directory of its own, and how often it was done.
type Step = fn(&Path, u64) -> Result<()>;

const KINDS: &[(&str, Step)] = &[("append", append), ("overwrite", overwrite), ("create", create)];

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let time = scene.scale.time(TIME);
    for (kind, step) in KINDS {
        for threads in THREADS {
            let directory = scene.path(&format!("{kind}-{threads}"));
            prepare(&directory, threads)?;
            scene.sync()?;
            scene.rate(&format!("sync {kind} {threads}"), Unit::PerSecond, 0, |_| {
                beside(&directory, threads, time, *step)
            })?;
        }
    }
    if let Some(below) = scene.below() {
        scene.rate("sync bare 1", Unit::PerSecond, 0, |_| bare(&below.join("bare"), time))?;
    }
    Ok(())
}

/// A directory for each thread, with a file to append to and one to overwrite.
pub(super) fn prepare(directory: &Path, threads: u64) -> Result<()> {
    for thread in 0..threads {
        let own = directory.join(thread.to_string());
        fs::create_dir_all(&own)?;
        File::create(own.join("appended"))?;
        let file = File::create(own.join("overwritten"))?;
        file.write_all_at(&content(FILE_BYTES as usize), 0)?;
    }
    Ok(())
}

/// Appends one by one, by one thread, for a time; gives appends per second.
pub(super) fn append_for(directory: &Path, time: Duration) -> Result<f64> {
    beside(directory, 1, time, append)
}

/// Gives steps per second, of all threads together.
fn beside(directory: &Path, threads: u64, time: Duration, step: Step) -> Result<f64> {
    let (done, is_over, start) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    let work = |thread: u64| -> Result<()> {
        let own = directory.join(thread.to_string());
        for number in 0.. {
            if is_over.load(Ordering::Relaxed) || start.elapsed() >= time {
                break;
            }
            step(&own, number)?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().try_for_each(|thread| thread.join().ok().context("a thread panicked")?)
    })?;
    is_over.store(true, Ordering::Relaxed);
    Ok(done.into_inner() as f64 / start.elapsed().as_secs_f64())
}

fn append(own: &Path, _: u64) -> Result<()> {
    let file = OpenOptions::new().append(true).open(own.join("appended"))?;
    file.write_all_at(&content(WRITE_BYTES), 0)?;
    Ok(file.sync_data()?)
}

fn overwrite(own: &Path, number: u64) -> Result<()> {
    let file = OpenOptions::new().write(true).open(own.join("overwritten"))?;
    // A step that has no common divisor with the number of places visits them all.
    let place = number.wrapping_mul(769) % (FILE_BYTES / WRITE_BYTES as u64);
    file.write_all_at(&content(WRITE_BYTES), place * WRITE_BYTES as u64)?;
    Ok(file.sync_data()?)
}

fn create(own: &Path, number: u64) -> Result<()> {
    let file = File::create_new(own.join(format!("file-{number}")))?;
    file.write_all_at(&content(WRITE_BYTES), 0)?;
    Ok(file.sync_all()?)
}

/// What the disk gives without a file system's own work: writes in order into a file whose space is there.
fn bare(path: &Path, time: Duration) -> Result<f64> {
    let file = File::create(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, BARE_BYTES)?;
    file.sync_all()?;
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < time {
        let offset = done * WRITE_BYTES as u64 % BARE_BYTES;
        file.write_all_at(&content(WRITE_BYTES), offset)?;
        fdatasync(&file)?;
        done += 1;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

/// Bytes that do not compress and were never given before: a store that keeps equal blocks once is spared nothing.
pub(super) fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&CONTENTS.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}
