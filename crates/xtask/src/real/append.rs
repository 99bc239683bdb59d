//! Several processes append to one file at once (O_APPEND): every record is there once, whole, and in its writer's order.

use super::Scene;
use crate::program::Program;
use anyhow::{Result, bail};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

const WRITERS: usize = 4;
const RECORDS: usize = 2000;
const TIME_MAX: Duration = Duration::from_secs(10 * 60);

pub(super) fn play(scene: &Scene) -> Result<()> {
    let (log, go) = (scene.pool.mount().join("append.log"), scene.pool.mount().join("append.go"));
    // All begin at once: each waits for the lock that is held until all are there.
    let gate = File::create(&go)?;
    rustix::fs::flock(&gate, rustix::fs::FlockOperation::LockExclusive)?;
    let script = format!(
        "flock --shared \"$2\" true; i=0; while [ $i -lt {RECORDS} ]; do echo \"$3 $i {}\"; i=$((i+1)); done >> \"$1\"",
        "x".repeat(300)
    );
    let writers = (0..WRITERS).map(|writer| {
        let shell = Program::new("sh").arguments(["-c", &script, "sh"]).argument(&log).argument(&go);
        let shell = shell.argument(writer.to_string());
        shell.start_into(&scene.stage.log(&format!("append-{writer}")))
    });
    let mut writers = writers.collect::<Result<Vec<_>>>()?;
    drop(gate);
    for writer in &mut writers {
        let status = writer.wait(TIME_MAX)?;
        if !status.success() {
            bail!("a writer failed: {status}");
        }
    }
    expect_all(&log)?;
    fs::remove_file(&go)?;
    Ok(fs::remove_file(&log)?)
}

fn expect_all(log: &Path) -> Result<()> {
    let mut next = [0; WRITERS];
    for line in BufReader::new(File::open(log)?).lines() {
        let line = line?;
        let mut words = line.split(' ');
        let record = || -> Option<(usize, usize, usize)> {
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.len()))
        };
        match { record }() {
            Some((writer, number, 300)) if writer < WRITERS && next[writer] == number => next[writer] += 1,
            _ => bail!("a record is torn, lost or out of order: {line}"),
        }
    }
    match next == [RECORDS; WRITERS] {
        true => Ok(()),
        false => bail!("of {RECORDS} records each, {next:?} are there"),
    }
}
