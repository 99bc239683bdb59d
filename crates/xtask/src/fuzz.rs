//! `cargo xtask fuzz`: arbitrary bytes into every decoder of what comes from disk, network or kernel.
//!
//! The harness is the workspace in `fuzz/`; each target calls one function of the crate that owns the decoder. A nightly
//! compiler is not needed: the sanitizer of a stable one is unlocked by `RUSTC_BOOTSTRAP`.

use crate::program::{Program, last_lines_of};
use crate::{setup, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TARGETS: &[&str] = &["frame", "node", "journal", "request", "message", "sealed"];
/// The longest input tried. Longer ones cost time per run and reach no other code.
const INPUT_BYTES_MAX: u32 = 64 * 1024;
/// A single input that takes longer is a finding.
const INPUT_SECONDS_MAX: u32 = 10;
/// A single input that makes the decoder hold more is a finding.
const MEMORY_MIB_MAX: u32 = 2048;
/// How long a fuzzer may take beyond its seconds, to start and to stop.
const GRACE: Duration = Duration::from_secs(120);

/// How long to fuzz, and what.
#[derive(Args)]
pub(crate) struct Options {
    /// How long the targets run, beside each other
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Run only these targets
    #[arg(long = "target", value_name = "TARGET", value_parser = TARGETS.to_vec())]
    pub(crate) targets: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::cargo_tool(&setup::CARGO_FUZZ)?;
    build()?;
    let targets = match options.targets.is_empty() {
        true => TARGETS.to_vec(),
        false => options.targets.iter().map(String::as_str).collect(),
    };
    let failed = run_beside_each_other(&targets, options.seconds);
    if !failed.is_empty() {
        bail!("failed: {}; again with: cargo xtask fuzz --target {}", failed.join(", "), failed.join(" --target "));
    }
    Ok(())
}

/// Runs targets at the same time and returns those that failed.
fn run_beside_each_other<'a>(targets: &[&'a str], seconds: u32) -> Vec<&'a str> {
    let outcomes = std::thread::scope(|scope| {
        let running: Vec<_> = targets.iter().map(|target| scope.spawn(|| run_target(target, seconds))).collect();
        running.into_iter().map(|thread| thread.join().expect("a fuzzer's thread does not panic")).collect::<Vec<_>>()
    });
    let outcomes = targets.iter().zip(outcomes);
    outcomes.filter(|(target, outcome)| !report(target, outcome)).map(|(target, _)| *target).collect()
}

/// Shows how a target ended; true if well.
fn report(target: &str, outcome: &Result<String>) -> bool {
    match outcome {
        Ok(summary) => println!("{target:<8} ok      {summary}"),
        Err(error) => println!("{target:<8} FAILED  {error:#}"),
    }
    outcome.is_ok()
}

fn build() -> Result<()> {
    cargo_fuzz(["build"])?.run()
}

/// Runs one target and returns the fuzzer's own summary.
fn run_target(target: &str, seconds: u32) -> Result<String> {
    let log = log_of(target)?;
    let corpus = format!("fuzz/corpus/{target}");
    std::fs::create_dir_all(workspace::root().join(&corpus))?;
    let fuzzer = cargo_fuzz(["run", target, &corpus])?
        .arguments(seeds_of(target))
        .argument("--")
        .argument(format!("-max_total_time={seconds}"))
        .argument(format!("-max_len={INPUT_BYTES_MAX}"))
        .argument(format!("-timeout={INPUT_SECONDS_MAX}"))
        .argument(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    let line = fuzzer.line();
    let status = fuzzer.start_into(&log)?.wait(Duration::from_secs(seconds.into()) + GRACE)?;
    if !status.success() {
        bail!("`{line}`: {status}\n{}", last_lines_of(&log));
    }
    summary_in(&log)
}

/// Inputs kept with the sources, from which a fuzzer starts.
fn seeds_of(target: &str) -> Option<PathBuf> {
    Some(workspace::root().join("fuzz/seeds").join(target)).filter(|seeds| seeds.is_dir())
}

fn log_of(target: &str) -> Result<PathBuf> {
    let logs = workspace::root().join("fuzz/artifacts");
    std::fs::create_dir_all(&logs)?;
    Ok(logs.join(format!("{target}.log")))
}

fn summary_in(log: &Path) -> Result<String> {
    let printed = std::fs::read(log)?;
    let printed = String::from_utf8_lossy(&printed);
    let summary = printed.lines().rev().find(|line| line.starts_with("Done "));
    summary.map(str::to_owned).with_context(|| format!("the fuzzer says nothing in {}", log.display()))
}

fn cargo_fuzz<const N: usize>(arguments: [&str; N]) -> Result<Program> {
    let program = workspace::cargo(["fuzz"]).arguments(arguments);
    Ok(match is_nightly()? {
        true => program,
        false => program.environment("RUSTC_BOOTSTRAP", "1"),
    })
}

fn is_nightly() -> Result<bool> {
    Ok(workspace::cargo(["--version"]).output()?.contains("-nightly"))
}
