//! Many real files: extracted, listed, searched, removed.

use crate::bench::scene::{Measure, Scene, Unit};
use crate::bench::usage::{self, Cost};
use crate::program::Program;
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

/// What no file holds: it is put together here, for this file may be among those that are searched.
const MISSING: [&str; 2] = ["no file of this ", "machine has these words"];
const GREP_FOUND_NOTHING: i32 = 1;
/// How long a daemon may take to give memory back when nothing happens any more.
const IDLE_TIME: Duration = Duration::from_secs(30);
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let tree = scene.path("tree");
    std::fs::create_dir(&tree)?;
    let bytes = scene.inputs.archive_bytes;
    scene.inputs.warm()?;
    scene.time("untar", bytes, |scene| {
        let tar = Program::new("tar").arguments(["--extract", "--file"]).argument(&scene.inputs.archive);
        tar.argument("--directory").argument(&tree).output()?;
        scene.sync()
    })?;
    scene.cool()?;
    scene.time("stat cold", 0, |_| list(&tree))?;
    scene.time("stat warm", 0, |_| list(&tree))?;
    scene.cool()?;
    scene.time("grep cold", 0, |_| search(&tree))?;
    scene.time("grep warm", 0, |_| search(&tree))?;
    scene.time("rm", 0, |_| Program::new("rm").arguments(["-r", "-f"]).argument(&tree).output().map(drop))?;
    if !scene.scale.is_quick {
        idle(scene)?;
    }
    Ok(())
}

fn list(tree: &Path) -> Result<()> {
    Program::new("find").argument(tree).arguments(["-printf", "%s %T@ %p\n"]).output().map(drop)
}

fn search(tree: &Path) -> Result<()> {
    let words = MISSING.concat();
    let ended = Program::new("grep").arguments(["-r", "--fixed-strings"]).argument(words).argument(tree).end()?;
    if ended.status.code() != Some(GREP_FOUND_NOTHING) {
        bail!(ended.failure());
    }
    Ok(())
}

/// The least memory that the daemon has when it is left alone.
fn idle(scene: &mut Scene) -> Result<()> {
    let Some(daemon) = scene.daemon()? else { return Ok(()) };
    let start = Instant::now();
    let mut least = u64::MAX;
    while start.elapsed() < IDLE_TIME {
        least = least.min(usage::resident_bytes(daemon)?);
        std::thread::sleep(IDLE_POLL_INTERVAL);
    }
    let (workload, unit, value) = ("idle memory".to_owned(), Unit::Bytes, least as f64);
    scene.note(Measure { workload, unit, value, cost: Cost::default() });
    Ok(())
}
