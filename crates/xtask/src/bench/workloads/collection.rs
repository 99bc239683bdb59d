//! Small synced writes beside a garbage collection that nobody ordered: how much of the disk it leaves to others.

use super::synced;
use crate::bench::scene::{Scene, Unit};
use anyhow::{Result, bail};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const FILE_BYTES: usize = 32 << 10;
/// Written before two thirds of it are removed: more than what a node collects for by itself, also in the shortest run.
const BYTES: u64 = 2 << 30;
const BYTES_MIN: u64 = 384 << 20;
const FILES_PER_DIRECTORY: u64 = 1000;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const BEGIN_TIME_MAX: Duration = Duration::from_secs(60);
const APPEND_TIME: Duration = Duration::from_millis(500);
const COLLECTION_TIME_MAX: Duration = Duration::from_secs(120);

/// For who collects garbage. It can be played nowhere else.
pub(super) fn play(scene: &mut Scene) -> Result<()> {
    if scene.is_collecting()?.is_none() {
        return Ok(());
    }
    let directory = scene.path("appended");
    synced::prepare(&directory, 1)?;
    scene.rate("append alone", Unit::PerSecond, 0, |_| synced::append_for(&directory, APPEND_TIME * 4))?;
    leave_garbage(scene)?;
    let start = Instant::now();
    while scene.is_collecting()? != Some(true) {
        if start.elapsed() > BEGIN_TIME_MAX {
            bail!("no collection has begun in {} s", BEGIN_TIME_MAX.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
    }
    scene.rate("append beside collection", Unit::PerSecond, 0, |scene| {
        let (mut rates, start) = (Vec::new(), Instant::now());
        loop {
            rates.push(synced::append_for(&directory, APPEND_TIME)?);
            if scene.is_collecting()? != Some(true) || start.elapsed() > COLLECTION_TIME_MAX {
                return Ok(rates.iter().sum::<f64>() / rates.len() as f64);
            }
        }
    })
}

/// Writes many files and removes two of three, so that no part of the log is without any that stays.
fn leave_garbage(scene: &Scene) -> Result<()> {
    let files = scene.scale.of(BYTES, BYTES_MIN) / FILE_BYTES as u64;
    let path = |number: u64| scene.path(&format!("{}/{number}", number / FILES_PER_DIRECTORY));
    for number in 0..files {
        if number % FILES_PER_DIRECTORY == 0 {
            fs::create_dir(scene.path(&(number / FILES_PER_DIRECTORY).to_string()))?;
        }
        fs::write(path(number), synced::content(FILE_BYTES))?;
    }
    scene.sync()?;
    (0..files).filter(|number| number % 3 > 0).try_for_each(|number| fs::remove_file(path(number)))?;
    scene.sync()
}
