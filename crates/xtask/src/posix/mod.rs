//! The model test of POSIX: random sequences of system calls, played on a mount and beside it on a local file system.
//!
//! A run is many short sequences, each in new directories and each following from the run's seed and its own number. In a sequence
//! several users act, in several processes, one call after the other ([`processes`]). The two sides play a sequence at the same
//! time, then every answer and errno is held against the other side's, and now and then the whole trees
//! ([`operation::Operation::Tree`]). What differs is shrunk to a few calls and told; the run goes on, to find what else differs.
//!
//! Both sides see the same calls with the same arguments; what cannot be equal is left out where it is looked at
//! ([`facts`]), and what the kernel does not let through in one place ([`allowances`]).

mod allowances;
mod content;
mod data;
mod direct;
mod facts;
mod generate;
mod listing;
mod lock;
pub(crate) mod mapping;
mod name;
mod operation;
mod outcome;
mod peer;
mod places;
mod player;
mod portable;
mod process;
mod processes;
mod raw;
mod sequence;
mod shrink;
mod tree;
mod user;
mod xattrs;

use crate::real::pool::Pool;
use crate::real::{self, chance::Chance, stage};
use crate::setup;
use crate::workspace::{self, Build};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use operation::Step;
use peer::{LoopMount, Peer};
use sequence::{Difference, Sides};
use shrink::{Failure, Shrinker};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A run may take no longer; then its pool is killed, and every call into it fails.
const RUN_TIME_MAX: Duration = Duration::from_secs(60 * 60);
const SEQUENCE_STEPS: usize = 400;
/// The last sequences stay, to be looked at again after the pool has been down.
const STAYING_SEQUENCES: u64 = 10;

/// What to play, and where.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Make about so many calls on each side, over all file systems to compare with
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    operations: usize,
    /// Play what an earlier run played [default: by the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Begin with this sequence of the run
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// The file system to compare with [default: each, one after the other]
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// Play in this directory instead of on a pool of the test's own
    #[arg(long, value_name = "DIR", requires = "beside")]
    on: Option<PathBuf>,
    /// Compare with this directory instead of with a new file system
    #[arg(long, value_name = "DIR", requires = "on")]
    beside: Option<PathBuf>,
    /// Work in this directory, which is emptied first [default: posix-test in the target directory]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Go on until so many different differences were found
    #[arg(long, value_name = "N", default_value_t = 1)]
    differences: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            operations: 200_000,
            seed: None,
            from: 0,
            peer: None,
            on: None,
            beside: None,
            dir: None,
            differences: 1,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !setup::is_root() {
        bail!("only root can mount the file system to compare with, and change users");
    }
    let seed = options.seed.unwrap_or_else(real::seed_from_clock);
    if let (Some(on), Some(beside)) = (&options.on, &options.beside) {
        let peer = options.peer.unwrap_or_default();
        return play(&Sides { on: on.canonicalize()?, beside: beside.canonicalize()?, peer }, options, seed);
    }
    let peers = options.peer.map_or_else(|| Peer::value_variants().to_vec(), |peer| vec![peer]);
    let options = Options { operations: options.operations.div_ceil(peers.len()), ..options.clone() };
    peers.into_iter().try_for_each(|peer| on_own_mounts(&options, peer, seed))
}

fn on_own_mounts(options: &Options, peer: Peer, seed: u64) -> Result<()> {
    let binary = Build::Tests.pantala()?;
    let directory = options.dir.clone().map_or_else(default_dir, Ok)?;
    let (store, mount) = (directory.join("store"), directory.join("mount"));
    stage::clear(&directory, &store)?;
    std::fs::create_dir_all(&mount)?;
    let directory = directory.canonicalize()?;
    let loop_mount = LoopMount::make(peer, &directory)?;
    let pool = Pool::new(binary, directory.join("store"), directory.join("mount")).with_run_time_max(RUN_TIME_MAX);
    pool.up()?;
    let (on, beside) = (pool.mount().to_path_buf(), loop_mount.point().to_path_buf());
    let sides = Sides { on, beside, peer };
    let played = play(&sides, options, seed);
    played.and_then(|()| expect_kept(&pool, &sides, seed))?;
    drop((pool, loop_mount));
    stage::clear(&directory, &store)
}

fn default_dir() -> Result<PathBuf> {
    Ok(workspace::target_dir()?.join("posix-test"))
}

/// Plays the sequences of a seed, until enough are played or enough is found.
fn play(sides: &Sides, options: &Options, seed: u64) -> Result<()> {
    let sequences = options.operations.div_ceil(SEQUENCE_STEPS) as u64;
    let start = Instant::now();
    let mut found = BTreeSet::new();
    let (mut calls, mut successes) = (0, 0);
    println!("{:?}, seed {seed}: {sequences} sequences of {SEQUENCE_STEPS} calls", sides.peer);
    for number in options.from..options.from + sequences {
        let steps = sequence(seed, number, sides.peer);
        let played = sides.play(&directory(number), &steps)?;
        calls += played.calls();
        successes += played.successes();
        let Some(difference) = played.difference(&steps, sides.peer) else { continue };
        let signature = difference.signature(&steps);
        if !found.contains(&signature) {
            println!("\n--- difference {}, seed {seed}, sequence {number}: {signature}", found.len() + 1);
            tell(sides, &steps, &difference)?;
            found.insert(signature);
        }
        if found.len() >= options.differences {
            break;
        }
    }
    println!("{calls} calls, {successes} of them succeeded, {:.1} s", start.elapsed().as_secs_f64());
    match found.len() {
        0 => Ok(()),
        differences => bail!("{differences} differences, seed {seed}: {}", Vec::from_iter(found).join("; ")),
    }
}

fn directory(number: u64) -> String {
    format!("sequence-{number}")
}

fn sequence(seed: u64, number: u64, peer: Peer) -> Vec<Step> {
    let mut chance = Chance::new(Chance::new(seed ^ number << 32).next());
    generate::steps(&mut chance, SEQUENCE_STEPS, peer)
}

/// Shows the shortest sequence that differs in the same way.
fn tell(sides: &Sides, steps: &[Step], difference: &Difference) -> Result<()> {
    match Shrinker::new(sides, steps, difference).shrink(steps, difference)? {
        Some(failure) => failure.tell(),
        None => {
            let (on, beside) = difference.on.tell_both(&difference.beside);
            println!("call {} of the sequence; it does not come again when played again", difference.index);
            println!("{:?}\n     on:     {on}\n     beside: {beside}", steps[difference.index]);
        }
    }
    Ok(())
}

impl Failure {
    /// Shows each call, and what it gave on both sides.
    fn tell(&self) {
        for ((step, on), beside) in self.steps.iter().zip(&self.played.on).zip(&self.played.beside) {
            println!("{} {:<5} {:?}", step.process, format!("{:?}", step.user), step.operation);
            if on == beside {
                println!("      both:   {on}");
                continue;
            }
            let (on, beside) = on.tell_both(beside);
            println!("      on:     {on}\n      beside: {beside}");
        }
        println!("      ({})", self.signature);
    }
}

/// Plays some sequences, takes the pool down and up again, and compares what they left.
fn expect_kept(pool: &Pool, sides: &Sides, seed: u64) -> Result<()> {
    let names: Vec<String> = (0..STAYING_SEQUENCES).map(|number| format!("staying-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        sides.play_and_leave(name, &sequence(seed, u64::MAX - number as u64, sides.peer))?;
    }
    pool.down()?;
    pool.up()?;
    names.iter().try_for_each(|name| expect_equal(&sides.on.join(name), &sides.beside.join(name)))
}

fn expect_equal(on: &Path, beside: &Path) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let see = |top: &Path| {
        let tree = tree::see(&name::Name(top.as_os_str().as_bytes().to_vec()));
        tree.with_context(|| format!("{} cannot be looked at", top.display()))
    };
    let (on, beside) = (see(on)?, see(beside)?);
    if on == beside {
        return Ok(());
    }
    let (on, beside) = on.tell_both(&beside);
    bail!("after down and up:\n  on:     {on}\n  beside: {beside}")
}
