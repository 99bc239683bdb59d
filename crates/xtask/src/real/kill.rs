//! SIGKILL in the middle of an extraction, several times.
//!
//! In each round the extraction is held for a moment, the pool is synced and all that is there is noted; then the extraction
//! goes on, and the daemon is killed at some later member. Afterwards everything noted has to be there and equal, what else is
//! there has to be a prefix of the extraction, and whoever used the mount has to have got an error, not a hang.

use super::Scene;
use super::chance::Chance;
use super::extract;
use super::facts::Likeness;
use super::manifest::Manifest;
use super::prefix;
use super::process;
use crate::program::Running;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an extraction may take to reach a member.
const EXTRACTION_TIME_MAX: Duration = Duration::from_secs(300);
/// How long a program may take to notice that its file system is gone.
const NOTICE_TIME_MAX: Duration = Duration::from_secs(60);

pub(super) fn play(scene: &Scene) -> Result<()> {
    let mut chance = Chance::new(scene.seed);
    for round in 1..=scene.rounds {
        play_round(scene, &mut chance, round).with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

fn play_round(scene: &Scene, chance: &mut Chance, round: usize) -> Result<()> {
    let cut = scene.pool.mount().join(format!("cut {round}"));
    fs::create_dir(&cut)?;
    let (sync_at, kill_at) = moments(scene, chance);
    let mut tar = scene.archive.extraction(&cut).start_into(&scene.stage.log("tar"))?;
    let synced = hold_and_sync(scene, &mut tar, &cut, sync_at)?;
    let daemon = scene.pool.daemon()?;
    process::go_on(tar.process())?;
    wait_for(&mut tar, &cut.join(&scene.archive.members()[kill_at]))?;
    process::kill(daemon)?;
    expect_noticed(&mut tar)?;
    let start = Instant::now();
    scene.pool.up()?;
    let up_seconds = start.elapsed().as_secs_f64();
    synced.expect_kept(&Manifest::of(scene.pool.mount())?, |path| likeness(path, &cut))?;
    let left = prefix::expect_prefix(scene.archive.members(), &extract::on_local_disk(scene)?, &cut)?;
    println!(
        "round {round}    synced {} entries; killed at member {kill_at}: {} are there, {} of them shorter; up in {up_seconds:.2} s",
        synced.len(),
        left.members,
        left.shorter
    );
    Ok(fs::remove_dir_all(&cut)?)
}

/// The member after which to sync, and a later one at which to kill.
fn moments(scene: &Scene, chance: &mut Chance) -> (usize, usize) {
    let members = scene.archive.members().len();
    let sync_at = chance.within(members / 10..members / 2);
    (sync_at, chance.within(sync_at + members / 20..members * 9 / 10))
}

/// Holds the extraction at a member, syncs, and notes all that is there but the file just being written.
fn hold_and_sync(scene: &Scene, tar: &mut Running, cut: &Path, member: usize) -> Result<Manifest> {
    wait_for(tar, &cut.join(&scene.archive.members()[member]))?;
    process::pause(tar.process())?;
    scene.pool.sync()?;
    let mut synced = Manifest::of(scene.pool.mount())?;
    let unfinished: Vec<PathBuf> = process::open_files(tar.process())?;
    synced.forget(|path| unfinished.iter().any(|open| open == path));
    Ok(synced)
}

/// What lies around the extraction is untouched; what lies in it was gone on with.
fn likeness(path: &Path, cut: &Path) -> Likeness {
    match path.starts_with(cut) {
        true => Likeness::Survivor,
        false => Likeness::Same,
    }
}

fn wait_for(tar: &mut Running, member: &Path) -> Result<()> {
    let start = Instant::now();
    while member.symlink_metadata().is_err() {
        if tar.has_ended()? {
            bail!("the extraction ended before it came to {}", member.display());
        }
        if start.elapsed() > EXTRACTION_TIME_MAX {
            bail!("the extraction did not come to {} within {} s", member.display(), EXTRACTION_TIME_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn expect_noticed(tar: &mut Running) -> Result<()> {
    let status = tar.wait(NOTICE_TIME_MAX).context("the extraction hangs on a dead mount")?;
    match status.success() {
        true => bail!("the extraction succeeded although the daemon was killed in its middle"),
        false => Ok(()),
    }
}
