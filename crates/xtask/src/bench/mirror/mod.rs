//! `cargo xtask bench mirror`: how long it takes to bring a copy up to date, beside the programs that people do this with.
//!
//! Source and target are file systems on two images of the same disk. Each peer gets the same tree and the same edits, and is asked
//! to bring its copy up to date by one line of a shell, which is timed whole: from the start of the shell to when the copy is durable.

mod copier;
mod results;
mod snapshots;
mod store;
mod tree;

use super::disk::{self, Disk};
use super::peers::Ground;
use crate::program::is_installed;
use crate::real::mounts;
use crate::setup;
use anyhow::{Context, Result, ensure};
use results::Results;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};
use tree::Tree;

const DISK_BYTES: u64 = 7 << 30;
const DISK_BYTES_MIN: u64 = 1 << 30;
/// How often each small edit is made and copied in a round.
const REPEATS: usize = 5;

/// What is done to the tree before each sync, how often, and what to call it.
type Step = (&'static str, usize, fn(&mut Tree) -> Result<()>);

const STEPS: &[Step] = &[
    ("first copy", 1, Tree::make),
    ("nothing changed", REPEATS, |_| Ok(())),
    ("10 files changed", REPEATS, Tree::change_ten),
    ("1 % changed", 2, Tree::change_percent),
    ("4 KiB inside a large file", REPEATS, Tree::change_inside),
    ("directory renamed", REPEATS, Tree::rename),
];

/// A place to copy from, a place to copy to, and a way to do it.
trait Pair {
    /// Where the tree is.
    fn source(&self) -> &Path;

    /// The line for a shell that brings the copy up to date and returns when it is durable.
    fn line(&mut self) -> String;

    /// Bytes that the last sync says that it sent.
    fn sent(&self, _output: &str) -> Option<u64> {
        None
    }
}

type Make = fn(&Ground, &Ground) -> Result<Box<dyn Pair>>;

/// Its name, the program without which it cannot be had, and how it is made.
type Peer = (&'static str, Option<&'static str>, Make);

const PEERS: &[Peer] = &[
    ("pantala", None, |source, target| Ok(Box::new(store::Pantala::make(source, target)?))),
    ("rsync", Some("rsync"), |source, target| Ok(Box::new(copier::Copier::rsync(source, target)?))),
    ("restic", Some("restic"), |source, target| Ok(Box::new(copier::Copier::restic(source, target)?))),
    ("borg", Some("borg"), |source, target| Ok(Box::new(copier::Copier::borg(source, target)?))),
    ("btrfs", Some("mkfs.btrfs"), |source, target| Ok(Box::new(snapshots::Btrfs::make(source, target)?))),
    ("zfs-fuse", Some("zfs-fuse"), |source, target| Ok(Box::new(snapshots::Zfs::make(source, target)?))),
];

/// Runs it with the options of `cargo xtask bench`.
pub(super) fn run(options: &super::Options, directory: &Path) -> Result<()> {
    setup::mirror_bench_packages()?;
    let played = clear(directory).and_then(|()| play(options, directory));
    played.and(clear(directory)).with_context(|| format!("in {}", directory.display()))
}

fn play(options: &super::Options, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let scale = super::scale(options);
    let pantala = super::pantala(options)?;
    let bytes = scale.of(DISK_BYTES, DISK_BYTES_MIN);
    let disks = [image(directory, "source"), image(directory, "target")].map(|image| Disk::make(&image, bytes));
    let [source, target] = disks;
    let (source, target) = (source?, target?);
    let (source_directory, target_directory) = (directory.join("from"), directory.join("to"));
    let ground = |disk, directory| Ground { disk, directory, pantala: &pantala, before: None, floor: Path::new("") };
    let (from, to) = (ground(&source, &source_directory), ground(&target, &target_directory));
    let is_chosen = |name: &str| options.peers.is_empty() || options.peers.iter().any(|peer| peer.name() == name);
    let chosen = PEERS.iter().filter(|(name, ..)| *name == "pantala" || is_chosen(name));
    let (there, missing): (Vec<&Peer>, Vec<&Peer>) =
        chosen.partition(|(_, program, _)| program.is_none_or(is_installed));
    missing.iter().for_each(|(name, ..)| println!("{name} is not to be had here"));
    let mut results = Results::default();
    for round in 0..if options.quick { 1 } else { options.rounds } {
        for (name, _, make) in there.iter().cycle().skip(round as usize % there.len()).take(there.len()) {
            fs::create_dir_all(&source_directory)?;
            fs::create_dir_all(&target_directory)?;
            let mut pair = make(&from, &to).with_context(|| format!("{name} cannot be made"))?;
            let played = play_pair(name, &mut *pair, &target, scale.factor, &mut results);
            played.with_context(|| (*name).to_owned())?;
        }
    }
    let about = Tree::about(scale.factor);
    if options.quick || !options.peers.is_empty() {
        println!("{}", results.markdown(&about));
        return Ok(());
    }
    results.keep(&about, &super::machine()?)
}

fn play_pair(name: &str, pair: &mut dyn Pair, target: &Disk, factor: f64, results: &mut Results) -> Result<()> {
    let mut tree = Tree::new(pair.source(), factor);
    for (step, repeats, edit) in STEPS {
        for _ in 0..*repeats {
            edit(&mut tree)?;
            settle(pair.source())?;
            let before = target.bytes_written()?;
            let (took, output) = timed(&pair.line())?;
            let written = target.bytes_written()? - before;
            let sent = pair.sent(&output);
            println!("{name:<9} {step:<26} {:>8.3} s, {written} bytes written, {sent:?} sent", took.as_secs_f64());
            results.add(name, step, took, written, sent);
        }
    }
    Ok(())
}

/// The edit itself is no part of what is measured.
fn settle(source: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(source)?)?)
}

/// Runs a line of the shell to its end.
fn timed(line: &str) -> Result<(Duration, String)> {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-e", "-c", line]).stdin(std::process::Stdio::null());
    let start = Instant::now();
    let ended = shell.output().with_context(|| format!("`{line}` cannot be started"))?;
    let took = start.elapsed();
    let errors = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "`{line}` failed: {}\n{errors}", ended.status);
    Ok((took, String::from_utf8_lossy(&ended.stdout).into_owned()))
}

/// Something by which a line can end: what was written to the target is durable.
fn durable(target: &Path) -> String {
    format!("sync -f '{}'", target.display())
}

fn image(directory: &Path, name: &str) -> std::path::PathBuf {
    directory.join(format!("{name}.image"))
}

/// Takes away what an earlier run, or this one, has left.
fn clear(directory: &Path) -> Result<()> {
    crate::real::process::kill_all_of_store(&store::source(&directory.join("from")))?;
    snapshots::clear(&directory.join("from"))?;
    mounts::detach_below(directory)?;
    for name in ["source", "target"] {
        if image(directory, name).exists() {
            disk::clear(&image(directory, name))?;
        }
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => Ok(outcome?),
    }
}
