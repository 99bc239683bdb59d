//! `cargo xtask bench`: how fast it is, beside others, in one run.
//!
//! Each group of workloads is played on every peer in turn, round after round, so that whatever else the machine does meets all
//! of them alike. Every time the file system is made anew, on the same blocks of the same disk ([`disk`]). It ends with medians,
//! their spread, and ratios to each peer: only these mean something on another machine.
//!
//! It knows the product only as a user does: its commands, its mount, its processes.

mod disk;
mod input;
mod mirror;
mod peers;
mod plot;
mod results;
mod scene;
mod snapshots;
mod statistics;
mod table;
mod targets;
mod usage;
pub(crate) mod worker;
mod workloads;

use crate::program::{Program, is_installed};
use crate::real::mounts;
use crate::setup;
use crate::workspace::{self, Build};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use disk::Disk;
use input::Inputs;
use peers::{Ground, Kind};
use results::Results;
use scene::{Measure, Scale, Scene};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use workloads::Group;

/// The disk of a full run, and of the shortest.
const DISK_BYTES: u64 = 6 << 30;
const DISK_BYTES_MIN: u64 = 1 << 30;
const QUICK_FACTOR: f64 = 0.004;
/// Beside what the shortest run plays, unless it is told.
const QUICK_PEERS: [Kind; 2] = [Kind::Floor, Kind::Ext4];
/// What is no workload on a mount.
const MIRROR: &str = "mirror";
/// Lines between which the table lies in the documentation.
const TABLE_BEGIN: &str = "<!-- bench: begin -->\n";
const TABLE_END: &str = "<!-- bench: end -->\n";

/// What to measure, beside what, and how long.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Play only these workloads [default: all]; `mirror` alone: syncs, beside rsync, restic, borg, btrfs and ZFS
    workloads: Vec<String>,
    /// Compare with these file systems [default: all]; the figures of `mirror` are kept only of all
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    peers: Vec<Kind>,
    /// Play each workload so often on each peer
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Do this part of what a full run does
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// A peer that needs longer for a group of workloads, in seconds, is spared further rounds of it
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    slow: u64,
    /// See in a few seconds whether the benchmark works, with the tests' build and beside few file systems unless some are named;
    /// its figures mean nothing and are not kept
    #[arg(long)]
    quick: bool,
    /// Work in this directory, which is emptied first [default: bench in the target directory]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Compare with an earlier build of Pantala, too
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,
    /// Measure this build instead of making one
    #[arg(long, value_name = "BINARY")]
    pantala: Option<PathBuf>,
    /// Take this build of the floor instead of making one
    #[arg(long, value_name = "BINARY")]
    floor: Option<PathBuf>,
    /// Show the workloads and play none
    #[arg(long)]
    list: bool,
}

impl Options {
    /// As `snapshots --quick` has it.
    pub(crate) fn quick_snapshots() -> Options {
        Options { quick: true, workloads: vec!["snapshots".to_owned()], ..Options::default() }
    }

    /// As `--quick` has it.
    pub(crate) fn quick() -> Options {
        Options { quick: true, rounds: 1, slow: 60, ..Options::default() }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        workloads::GROUPS.iter().for_each(|group| println!("{:<10} {}", group.name, group.about));
        println!("{:<10} what 1, 1,000 and 100,000 snapshots cost, beside btrfs; only if named", "snapshots");
        return Ok(());
    }
    if !setup::is_root() {
        bail!("the benchmark makes and mounts file systems, which only root may do; try: sudo -E cargo xtask bench");
    }
    if snapshots::is_chosen(&options.workloads) {
        return snapshots::run(options);
    }
    if options.workloads == [MIRROR] {
        let directory =
            options.dir.clone().map_or_else(|| Ok(workspace::target_dir()?.join("bench-mirror")), anyhow::Ok)?;
        return mirror::run(options, &directory);
    }
    let groups = workloads::chosen(&options.workloads)?;
    setup::bench_packages()?;
    let directory = options.dir.clone().map_or_else(|| Ok(workspace::target_dir()?.join("bench")), anyhow::Ok)?;
    let played = clear(&directory).and_then(|()| play(options, &groups, &directory));
    played.and(clear(&directory)).with_context(|| format!("in {}", directory.display()))
}

fn play(options: &Options, groups: &[&'static Group], directory: &Path) -> Result<()> {
    let scale = scale(options);
    let (pantala, floor) = (pantala(options)?, floor(options)?);
    let aside = directory.join("aside");
    fs::create_dir_all(&aside)?;
    let inputs = Inputs::make(&directory.join("inputs"), scale).context("the workloads' input")?;
    println!("{} files, {} MiB", inputs.files, inputs.archive_bytes >> 20);
    let disk = Disk::make(&image(directory), disk_bytes(scale))?;
    let ground = Ground {
        disk: &disk,
        directory: &directory.join("ground"),
        pantala: &pantala,
        before: options.before.as_deref(),
        floor: &floor,
    };
    let stage = Stage { ground, inputs: &inputs, scale, aside: &aside };
    let rounds = if options.quick { 1 } else { options.rounds };
    let kinds = kinds(options);
    for group in groups {
        let results = stage.compare(group, &kinds, rounds, Duration::from_secs(options.slow))?;
        let run = results.to_json(scale, &machine()?);
        match options.quick {
            true => println!("{}", table::markdown(&results::merge(Vec::new(), run))),
            false => keep(run)?,
        }
    }
    Ok(())
}

/// Where groups of workloads are played.
struct Stage<'a> {
    ground: Ground<'a>,
    inputs: &'a Inputs,
    scale: Scale,
    aside: &'a Path,
}

impl Stage<'_> {
    /// Plays a group on each peer in turn, round after round.
    fn compare(&self, group: &Group, kinds: &[Kind], rounds: u32, slow: Duration) -> Result<Results> {
        let mut results = Results::default();
        let mut spared = BTreeSet::new();
        for round in 0..rounds as usize {
            // Nobody is always first.
            for kind in kinds.iter().cycle().skip(round % kinds.len()).take(kinds.len()) {
                if spared.contains(kind) {
                    continue;
                }
                let start = Instant::now();
                let measures = self.play(group, *kind).with_context(|| format!("{} on {}", group.name, kind.name()))?;
                if start.elapsed() > slow {
                    spared.insert(*kind);
                }
                tell(group, round, *kind, start.elapsed(), &measures);
                results.add(*kind, measures);
            }
        }
        Ok(results)
    }

    fn play(&self, group: &Group, kind: Kind) -> Result<Vec<Measure>> {
        let mounted = peers::make(kind, &self.ground).context("it cannot be made")?;
        let mut scene = Scene::new(mounted, self.inputs, self.scale, self.aside, self.ground.disk);
        (group.play)(&mut scene)?;
        Ok(scene.measures())
    }
}

fn tell(group: &Group, round: usize, kind: Kind, took: Duration, measures: &[Measure]) {
    let figures = measures.iter().map(|one| format!("{} {:.2} {}", one.workload, one.value, one.unit.name()));
    let figures: Vec<String> = figures.collect();
    println!("{} {round} {:<11} {:>5.1} s: {}", group.name, kind.name(), took.as_secs_f64(), figures.join(", "));
}

/// Brings a run's figures into what is kept with the sources: the results, the table and the picture made of them.
fn keep(run: Value) -> Result<()> {
    let root = workspace::root();
    fs::create_dir_all(root.join("bench"))?;
    let file = root.join("bench/results.json");
    let results = results::merge(results::read(&file)?, run);
    fs::write(&file, serde_json::to_string_pretty(&results)? + "\n")?;
    fs::write(root.join("bench/ratios.svg"), plot::ratios(&results))?;
    let page = root.join("docs/performance.md");
    let text = fs::read_to_string(&page)?;
    let text = with_table(&text, &table::markdown(&results));
    fs::write(&page, text.with_context(|| format!("{} has no place for the table", page.display()))?)?;
    Ok(())
}

/// A page with another table in its place for it.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(TABLE_BEGIN)?;
    let (_, behind) = rest.split_once(TABLE_END)?;
    Some(format!("{before}{TABLE_BEGIN}\n{table}\n{TABLE_END}{behind}"))
}

fn scale(options: &Options) -> Scale {
    let factor = if options.quick { QUICK_FACTOR } else { options.scale };
    Scale { factor, is_quick: options.quick }
}

fn disk_bytes(scale: Scale) -> u64 {
    scale.of(DISK_BYTES, DISK_BYTES_MIN)
}

fn image(directory: &Path) -> PathBuf {
    directory.join("disk.image")
}

/// The peers that were named, and Pantala itself, as far as they are to be had.
fn kinds(options: &Options) -> Vec<Kind> {
    let all = Kind::value_variants().iter().copied();
    let is_chosen = |kind: &Kind| match kind {
        Kind::Pantala => true,
        Kind::Before => options.before.is_some(),
        kind if options.peers.is_empty() => !options.quick || QUICK_PEERS.contains(kind),
        kind => options.peers.contains(kind),
    };
    let (there, missing): (Vec<Kind>, Vec<Kind>) =
        all.filter(is_chosen).partition(|kind| kind.program().is_none_or(is_installed));
    missing.iter().for_each(|kind| println!("{} is not to be had here", kind.name()));
    there
}

/// The build to measure.
fn pantala(options: &Options) -> Result<PathBuf> {
    options.pantala.clone().map_or_else(|| build(options).pantala(), Ok)
}

fn floor(options: &Options) -> Result<PathBuf> {
    options.floor.clone().map_or_else(|| build(options).floor(), Ok)
}

fn build(options: &Options) -> Build {
    if options.quick { Build::Tests } else { Build::Release }
}

/// What the figures were measured on.
fn machine() -> Result<Value> {
    let output = |name: &str, arguments: &[&str]| {
        anyhow::Ok(Program::new(name).arguments(arguments).output()?.trim().to_owned())
    };
    let commit =
        Program::new("git").arguments(["describe", "--always", "--dirty"]).directory(&workspace::root()).output();
    Ok(json!({
        "cpus": std::thread::available_parallelism()?.get(),
        "kernel": output("uname", &["-r"])?,
        "date": output("date", &["-u", "+%F %R"])?,
        "commit": commit.map_or(Value::Null, |commit| json!(commit.trim())),
        // How busy the machine was, by this run and by others.
        "load": fs::read_to_string("/proc/loadavg")?.split(' ').next(),
    }))
}

/// Takes away what an earlier run, or this one, has left.
fn clear(directory: &Path) -> Result<()> {
    peers::clear(&directory.join("ground"))?;
    mounts::detach_below(directory)?;
    if image(directory).exists() {
        disk::clear(&image(directory))?;
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_earlier_one() {
        let page = format!("before\n{TABLE_BEGIN}old\n{TABLE_END}behind\n");
        let once = with_table(&page, "new").unwrap();
        assert_eq!(once, format!("before\n{TABLE_BEGIN}\nnew\n{TABLE_END}behind\n"));
        assert_eq!(with_table(&once, "new").unwrap(), once);
        assert_eq!(with_table("no place", "new"), None);
    }
}
