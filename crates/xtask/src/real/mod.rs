//! The test on real input: real programs on a real mount, against the same programs on the local disk.
//!
//! [`run`] builds the binary, makes an archive of the project's own dependencies, brings a pool up and plays the scenarios in
//! their order on it. A scenario that fails ends the test, since the later ones lean on what the earlier ones left. Whatever
//! happens, the pool is taken down and its processes are gone at the end ([`pool::Pool`]); what an earlier run left behind is
//! cleared at the start ([`stage::Stage`]).
//!
//! It knows the product only as a user does: its commands, its mount, its processes.

mod again;
mod append;
mod archive;
mod build;
pub(crate) mod chance;
mod commands;
mod compare;
mod dbench;
mod debian;
mod differences;
mod extract;
mod facts;
mod fanotify;
mod git;
mod kill;
mod lists;
mod load;
mod manifest;
pub(crate) mod mounts;
mod nfs;
mod notify;
mod odd;
pub(crate) mod pool;
mod postgres;
mod prefix;
pub(crate) mod process;
mod reach;
mod rsync;
mod samba;
mod sqlite;
pub(crate) mod stage;
mod tar;
mod user;

use crate::workspace::{self, Build};
use anyhow::{Context, Result, bail};
use archive::Archive;
use clap::Args;
use pool::Pool;
use stage::Stage;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// The test as a whole may take no longer; then its pool is killed, and every call into it fails.
const TEST_TIME_MAX: Duration = Duration::from_secs(60 * 60);

/// What a round of kills adds to that.
const ROUND_TIME_MAX: Duration = Duration::from_secs(120);

/// Kills of each of the scenarios `kill` and `load`.
const KILL_ROUNDS_DEFAULT: usize = 5;

/// Where to test, and what.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Work in this directory, which is emptied first [default: real-test in the target directory]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Choose the moments of the kills as an earlier run did
    #[arg(long)]
    seed: Option<u64>,
    /// How many times each of the scenarios `kill` and `load` kills [default: 5]
    #[arg(long)]
    rounds: Option<usize>,
    /// Play only these scenarios (and `extract`, which the others need)
    #[arg(long, value_name = "SCENARIO", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Show the scenarios and play none
    #[arg(long)]
    list: bool,
    /// Leave the working directory behind, to look at
    #[arg(long)]
    keep: bool,
}

/// What every scenario is played on.
struct Scene<'a> {
    stage: &'a Stage,
    pool: &'a Pool,
    archive: &'a Archive,
    seed: u64,
    /// How many times to kill.
    rounds: usize,
}

struct Scenario {
    name: &'static str,
    /// What it shows.
    about: &'static str,
    play: fn(&Scene) -> Result<()>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "extract", about: "an archive extracts as on the local disk", play: extract::play },
    Scenario { name: "commands", about: "volumes come and go, a busy pool stays up", play: commands::play },
    Scenario { name: "build", about: "a crate builds on the mount, and stays built", play: build::play },
    Scenario { name: "git", about: "a clone is repacked and checked", play: git::play },
    Scenario { name: "sqlite", about: "a database is made, shared and checked", play: sqlite::play },
    Scenario { name: "postgres", about: "a cluster is made, loaded, killed and checked", play: postgres::play },
    Scenario { name: "rsync", about: "a second rsync has nothing to do, there and back", play: rsync::play },
    Scenario { name: "tar", about: "attributes and access lists go round", play: tar::play },
    Scenario { name: "dbench", about: "a file server's load runs", play: dbench::play },
    Scenario { name: "append", about: "processes append to one file at once", play: append::play },
    Scenario { name: "notify", about: "changes are told as on the local disk", play: notify::play },
    Scenario { name: "nfs", about: "NFS-Ganesha serves the mount again", play: nfs::play },
    Scenario { name: "samba", about: "Samba serves the mount again", play: samba::play },
    Scenario { name: "debian", about: "a Debian tree is made, entered and added to", play: debian::play },
    Scenario { name: "kill", about: "what was synced before a SIGKILL is there and equal", play: kill::play },
    Scenario { name: "load", about: "what was acknowledged under a mixed load survives a SIGKILL", play: load::play },
    Scenario { name: "again", about: "down and up, and all is equal", play: again::play },
    Scenario { name: "user", about: "an ordinary user's pool does the same", play: user::play },
];

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        SCENARIOS.iter().for_each(|scenario| println!("{:<10} {}", scenario.name, scenario.about));
        return Ok(());
    }
    let scenarios = chosen(&options.only)?;
    let seed = options.seed.unwrap_or_else(seed_from_clock);
    let stage = Stage::new(options.dir.clone().map_or_else(default_dir, Ok)?)?;
    let played = play(&stage, &scenarios, seed, options.rounds.unwrap_or(KILL_ROUNDS_DEFAULT));
    if played.is_ok() && !options.keep {
        stage.remove()?;
    }
    played.with_context(|| format!("seed {seed}; what is left: {}", stage.dir().display()))
}

fn play(stage: &Stage, scenarios: &[&Scenario], seed: u64, rounds: usize) -> Result<()> {
    let binary = Build::Tests.pantala()?;
    let archive = timed("archive", || Archive::make(stage))?;
    println!("archive    {} entries, seed {seed}", archive.members().len());
    let pool = Pool::new(binary, stage.store(), stage.mount())
        .with_run_time_max(TEST_TIME_MAX + ROUND_TIME_MAX * rounds as u32);
    timed("up", || pool.up())?;
    let scene = Scene { stage, pool: &pool, archive: &archive, seed, rounds };
    for scenario in scenarios {
        println!("--- {}: {}", scenario.name, scenario.about);
        timed(scenario.name, || (scenario.play)(&scene)).with_context(|| scenario.name)?;
        println!("{:<10} {}", "bounds", pool.bounds()?);
    }
    timed("down", || pool.down())
}

/// Whether there is a scenario of a name.
#[cfg(test)]
pub(crate) fn has_scenario(name: &str) -> bool {
    SCENARIOS.iter().any(|scenario| scenario.name == name)
}

fn chosen(only: &[String]) -> Result<Vec<&'static Scenario>> {
    if let Some(unknown) = only.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != name.as_str())) {
        bail!("there is no scenario `{unknown}`; --list shows them");
    }
    let is_chosen = |name: &str| only.is_empty() || name == "extract" || only.iter().any(|chosen| chosen == name);
    Ok(SCENARIOS.iter().filter(|scenario| is_chosen(scenario.name)).collect())
}

fn default_dir() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join("real-test"))
}

pub(crate) fn seed_from_clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64 % 1_000_000)
}

/// Does something and shows how long it took.
fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work()?;
    println!("{name:<10} {:.2} s", start.elapsed().as_secs_f64());
    Ok(result)
}
