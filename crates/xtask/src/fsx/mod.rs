//! `cargo xtask fsx`: the file system exerciser of that name, on a pool with warm caches and on one with cold ones.
//!
//! It does random operations on one file and holds every byte that it reads against its own memory. It knows nothing of zeroing
//! ranges and of copies between files: as many operations with those are done by an exerciser of our own ([`ranges`]).

mod operation;
mod ranges;

use crate::program::Program;
use crate::real::pool::Pool;
use crate::real::{self, stage};
use crate::setup;
use crate::workspace::{self, Build};
use anyhow::{Context, Result, bail};
use clap::Args;
use ranges::Caches;
use rustix::fs::Advice;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A run may take no longer; then its pool is killed.
const RUN_TIME_MAX: Duration = Duration::from_secs(20 * 60);
/// How often the pages of the file are dropped in a cold run: several times in each hundred operations.
const EVICTION_INTERVAL: Duration = Duration::from_millis(1);
/// After so many operations, fsx ends and the pool goes down and up, so that the node's caches are empty, too. fsx keeps its
/// mappings of the file to the end: with very many of them it spends its time in the kernel's lists of them.
const PIECE_OPERATIONS: usize = 25_000;

/// How often each operation comes, relative to the others.
const WEIGHTS: &str = "[weights]\nread = 10\nwrite = 10\nmapread = 10\nmapwrite = 10\ntruncate = 5\npunch_hole = 5\n\
     copy_file_range = 5\nposix_fallocate = 2\nsendfile = 3\nposix_fadvise = 2\ninvalidate = 1\nclose_open = 2\n\
     fsync = 0.05\nfdatasync = 0.05\n";
/// A file that fits into every cache. No operation is of 0 bytes: fsx takes the EINVAL of such a posix_fallocate for a difference.
const WARM: &str = "flen = 262144\n[opsize]\nmin = 1\nmax = 8192\n";
/// A file that does not fit into the node's cache of data.
const COLD: &str = "flen = 67108864\n[opsize]\nmin = 1\nmax = 8192\n";

/// How much to exercise.
#[derive(Args)]
pub(crate) struct Options {
    /// Have each of the two exercisers do so many operations, half of them with cold caches
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    operations: usize,
    /// Do what an earlier run did [default: by the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Work in this directory, which is emptied first [default: fsx-test in the target directory]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only this play, in this process [default: all, beside each other]
    #[arg(long, value_name = "PLAY", value_parser = PLAYS.map(|(name, _)| name))]
    play: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { operations: 500_000, seed: None, dir: None, play: None }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(real::seed_from_clock);
    let directory = options.dir.clone().map_or_else(|| Ok(workspace::target_dir()?.join("fsx-test")), anyhow::Ok)?;
    match &options.play {
        Some(name) => play(name, options.operations / 2, seed, &directory.join(name)),
        None => play_all(options.operations, seed, &directory),
    }
}

type Play = fn(&Exercise, usize, u64) -> Result<()>;

/// What runs, each on a pool of its own.
const PLAYS: [(&str, Play); 4] = [
    ("warm", Exercise::warm),
    ("cold", Exercise::cold),
    ("ranges-warm", Exercise::ranges_warm),
    ("ranges-cold", Exercise::ranges_cold),
];

/// Runs all plays beside each other, each as a process of its own: what one process starts has, until its exec, every file that the
/// process has open, and so would for a moment be a user of another play's pool.
fn play_all(operations: usize, seed: u64, directory: &Path) -> Result<()> {
    // What all of them need is made once.
    setup::fsx()?;
    Build::Tests.pantala()?;
    let program = std::env::current_exe().context("this program's own path")?;
    let (operations, seed) = (operations.to_string(), seed.to_string());
    let calls = PLAYS.map(|(name, _)| {
        let call = Program::new(&program).arguments(["fsx", "--play", name, "--operations", &operations]);
        call.arguments(["--seed", &seed, "--dir"]).argument(directory).run_time_max(RUN_TIME_MAX)
    });
    let outcomes = std::thread::scope(|scope| {
        let running = calls.map(|call| scope.spawn(|| call.output()));
        running.map(|thread| thread.join().expect("a play's thread does not panic"))
    });
    let mut failures = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(printed) => print!("{printed}"),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(fs::remove_dir_all(directory)?)
}

fn play(name: &str, operations: usize, seed: u64, directory: &Path) -> Result<()> {
    let (_, play) = PLAYS.into_iter().find(|(other, _)| *other == name).context("there is no such play")?;
    let exercise = Exercise::new(&setup::fsx()?, &Build::Tests.pantala()?, directory);
    exercise.and_then(|exercise| play(&exercise, operations, seed)).with_context(|| format!("{name}, seed {seed}"))
}

/// A pool to exercise on.
struct Exercise {
    fsx: PathBuf,
    directory: PathBuf,
    pool: Pool,
}

impl Exercise {
    fn new(fsx: &Path, binary: &Path, directory: &Path) -> Result<Exercise> {
        stage::clear(directory, &directory.join("store"))?;
        fs::create_dir_all(directory.join("mount"))?;
        let directory = directory.canonicalize()?;
        let (store, mount) = (directory.join("store"), directory.join("mount"));
        let pool = Pool::new(binary.to_path_buf(), store, mount).with_run_time_max(RUN_TIME_MAX);
        pool.up()?;
        Ok(Exercise { fsx: fsx.to_path_buf(), directory, pool })
    }

    fn file(&self) -> PathBuf {
        self.pool.mount().join("exercised")
    }

    fn warm(&self, operations: usize, seed: u64) -> Result<()> {
        let start = Instant::now();
        self.in_pieces(operations, seed, |count, seed| self.exercise(WARM, count, seed))?;
        println!("warm        {operations} operations, seed {seed}, {:.1} s", start.elapsed().as_secs_f64());
        self.pool.down()
    }

    /// While fsx runs, the file's pages are dropped from the kernel's cache again and again.
    fn cold(&self, operations: usize, seed: u64) -> Result<()> {
        let start = Instant::now();
        let mut evictions = 0;
        self.in_pieces(operations, seed, |count, seed| {
            evictions += self.while_evicting(|| self.exercise(COLD, count, seed))?;
            Ok(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        println!("cold        {operations} operations, seed {seed}, {evictions} evictions, {seconds:.1} s");
        self.pool.down()
    }

    fn in_pieces(
        &self,
        operations: usize,
        seed: u64,
        mut exercise: impl FnMut(usize, u64) -> Result<()>,
    ) -> Result<()> {
        for (piece, start) in (0..operations).step_by(PIECE_OPERATIONS).enumerate() {
            exercise(PIECE_OPERATIONS.min(operations - start), seed + piece as u64)?;
            self.expect_kept()?;
        }
        Ok(())
    }

    fn ranges_warm(&self, operations: usize, seed: u64) -> Result<()> {
        self.ranges("ranges-warm", operations, seed, Caches::Warm)
    }

    fn ranges_cold(&self, operations: usize, seed: u64) -> Result<()> {
        self.ranges("ranges-cold", operations, seed, Caches::Cold)
    }

    fn ranges(&self, name: &str, operations: usize, seed: u64, caches: Caches) -> Result<()> {
        let start = Instant::now();
        let expected = ranges::exercise(self.pool.mount(), operations, seed, caches)?;
        self.pool.down()?;
        self.pool.up()?;
        expected.check().context("after down and up")?;
        println!("{name:<11} {operations} operations, seed {seed}, {:.1} s", start.elapsed().as_secs_f64());
        self.pool.down()
    }

    fn exercise(&self, shape: &str, operations: usize, seed: u64) -> Result<()> {
        let settings = self.directory.join("fsx.toml");
        // The table of the weights comes last.
        fs::write(&settings, format!("{shape}{WEIGHTS}"))?;
        let fsx = Program::new(&self.fsx).argument("-f").argument(settings).arguments(["-N", &operations.to_string()]);
        let fsx = fsx.arguments(["-S", &seed.to_string(), "-P"]).argument(&self.directory).argument(self.file());
        fsx.run_time_max(RUN_TIME_MAX).output()?;
        Ok(())
    }

    /// Returns how often the pages were dropped.
    fn while_evicting(&self, work: impl FnOnce() -> Result<()>) -> Result<u64> {
        let file = File::options().create(true).truncate(false).write(true).open(self.file())?;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let evicting = scope.spawn(|| {
                let mut evictions = 0;
                while !is_over.load(Ordering::Relaxed) {
                    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
                    evictions += 1;
                    std::thread::sleep(EVICTION_INTERVAL);
                }
                anyhow::Ok(evictions)
            });
            let worked = work();
            is_over.store(true, Ordering::Relaxed);
            let evictions = evicting.join().unwrap_or_else(|_| bail!("the eviction panicked"));
            worked.and(evictions)
        })
    }

    /// The file is the same after down and up.
    fn expect_kept(&self) -> Result<()> {
        let before = fs::read(self.file())?;
        self.pool.down()?;
        self.pool.up()?;
        match fs::read(self.file())? == before {
            true => Ok(()),
            false => bail!("{} is another one after down and up", self.file().display()),
        }
    }
}
