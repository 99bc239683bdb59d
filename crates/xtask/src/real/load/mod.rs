//! SIGKILL at a random moment under a mixed load, several times.
//!
//! In each round an archive is extracted, what the round before left is removed, two SQLite databases take transactions, appenders
//! write and sync records, snapshots come and go, and garbage is collected, all at once; then the daemon is killed. What each of
//! them was told is kept outside of the mount. After `pantala up`:
//!
//! - every record whose sync succeeded is there, and what a file holds beyond are the records that come next ([`appender`]);
//! - every transaction whose COMMIT succeeded is there, and the databases are sound ([`database`]);
//! - every snapshot that was acknowledged is there and holds what was written before it, and those deleted are gone ([`keeper`]);
//! - every state of the history is one that there was;
//! - the extraction is a prefix of the archive ([`prefix`]).
//!
//! At the end a scrub finds nothing.

mod appender;
mod database;
mod keeper;
mod records;

use super::chance::Chance;
use super::{Scene, extract, prefix, process};
use crate::program::Program;
use anyhow::{Context, Result, bail};
use appender::Appenders;
use database::Databases;
use keeper::Keeper;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the load runs before the kill, from when each part of it was told of something durable.
const LOAD_TIME_MAX_MS: usize = 1500;
/// How long it may take until then.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a program may take to notice that its file system is gone.
const NOTICE_TIME_MAX: Duration = Duration::from_secs(60);
/// Kept states whose records are read after each kill, at most.
const KEPT_CHECKED_MAX: usize = 5;

/// What rounds came to.
#[derive(Default)]
struct Tally {
    records: u64,
    transactions: u64,
    snapshots: usize,
    kept: usize,
    collections: usize,
}

pub(super) fn play(scene: &Scene) -> Result<()> {
    let mut chance = Chance::new(scene.seed);
    let mut tally = Tally::default();
    for round in 1..=scene.rounds {
        play_round(scene, &mut chance, round, &mut tally).with_context(|| format!("round {round}"))?;
    }
    fs::remove_dir_all(directory(scene, scene.rounds))?;
    scene.pool.command(["scrub"]).output().context("a scrub after all the kills")?;
    println!(
        "{} kills: {} records and {} transactions acknowledged, {} snapshots, {} states of history, {} collections: all kept",
        scene.rounds, tally.records, tally.transactions, tally.snapshots, tally.kept, tally.collections
    );
    Ok(())
}

/// Where a round works.
fn directory(scene: &Scene, round: usize) -> PathBuf {
    scene.pool.mount().join(format!("load {round}"))
}

fn play_round(scene: &Scene, chance: &mut Chance, round: usize, tally: &mut Tally) -> Result<()> {
    let directory = directory(scene, round);
    let cut = directory.join("cut");
    fs::create_dir_all(&cut)?;
    let mut removal = Program::new("rm")
        .arguments(["--recursive", "--force"])
        .argument(self::directory(scene, round - 1))
        .start_into(&scene.stage.log("rm"))?;
    let mut tar = scene.archive.extraction(&cut).start_into(&scene.stage.log("tar"))?;
    let mut databases = Databases::begin(scene.stage, &directory)?;
    let appenders = Appenders::begin(&directory, chance)?;
    let keeper = std::thread::scope(|scope| {
        let keeper = scope.spawn(|| Keeper::keep(scene.pool, &appenders, round));
        let collections = scope.spawn(|| keeper::collect(scene.pool));
        let killed = kill(scene, &mut databases, &appenders, chance);
        let keeper = keeper.join().expect("no panic");
        tally.collections += collections.join().expect("no panic");
        killed.map(|()| keeper)
    })?;
    let notice = "hangs on a dead mount";
    removal.wait(NOTICE_TIME_MAX).context(notice)?;
    if tar.wait(NOTICE_TIME_MAX).context(notice)?.success() {
        bail!("the extraction ended before the kill: the archive is too small");
    }
    databases.expect_ended(NOTICE_TIME_MAX)?;
    appenders.expect_ended(NOTICE_TIME_MAX)?;
    let start = Instant::now();
    scene.pool.up()?;
    let up_seconds = start.elapsed().as_secs_f64();
    let beyond = appenders.expect_kept()?;
    let transactions = databases.expect_kept()?;
    let snapshots = keeper.expect_kept(scene.pool, &directory)?;
    let kept = expect_history(scene, &appenders)?;
    let left = prefix::expect_prefix(scene.archive.members(), &extract::on_local_disk(scene)?, &cut)?;
    let records = appenders.acknowledged();
    println!(
        "round {round}    killed after {records} records, {transactions} transactions, {} members, {snapshots} snapshots; \
         {beyond} records beyond; up in {up_seconds:.2} s",
        left.members
    );
    tally.records += records;
    tally.transactions += transactions;
    tally.snapshots += snapshots;
    tally.kept += kept;
    Ok(())
}

/// Waits until everything is under way, and kills the daemon at a random moment after that.
fn kill(scene: &Scene, databases: &mut Databases, appenders: &Appenders, chance: &mut Chance) -> Result<()> {
    let daemon = scene.pool.daemon()?;
    let start = Instant::now();
    while !(appenders.have_begun() && databases.have_begun()?) && start.elapsed() < BEGIN_TIME_MAX {
        std::thread::sleep(Duration::from_millis(1));
    }
    let has_begun = appenders.have_begun() && databases.have_begun()?;
    // This is the random moment.
    std::thread::sleep(Duration::from_millis(chance.within(0..LOAD_TIME_MAX_MS) as u64));
    // Also when it has not begun: then everything else ends.
    process::kill(daemon)?;
    match has_begun {
        true => Ok(()),
        false => bail!("nothing was acknowledged within {} s", BEGIN_TIME_MAX.as_secs()),
    }
}

/// Every state that is kept of the appended files is one that there was. Gives how many were looked at.
fn expect_history(scene: &Scene, appenders: &Appenders) -> Result<usize> {
    let shared = appenders.shared();
    let versions = scene.pool.command(["history", "--json"]).argument(shared).output()?;
    let versions: serde_json::Value = serde_json::from_str(&versions)?;
    let versions = versions.as_array().context("`pantala history --json` gives no list")?;
    let moments = versions.iter().filter_map(|version| version["last_kept"].as_str());
    let below = shared.strip_prefix(scene.pool.mount())?;
    let kept = |moment: &str| scene.pool.mount().join(".snapshots").join(format!("@{moment}")).join(below);
    let paths: Vec<PathBuf> = moments.map(kept).take(KEPT_CHECKED_MAX).collect();
    paths.iter().try_for_each(|path| appenders.expect_records(path))?;
    Ok(paths.len())
}
