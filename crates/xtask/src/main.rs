//! The project's chores: `cargo xtask --help` lists them.
//!
//! [`check`] and [`test`] are what `.ci/run` calls, and what a change must pass. A chore never reads standard input, so it
//! runs the same by hand and in CI. What is checked lives in the crates; only the test on real input ([`real`]) and the look
//! of the sources ([`tidy`]) are held here, since they belong to no crate.

mod bench;
mod check;
mod corrupt;
mod crash;
mod fsx;
mod fuzz;
mod parts;
mod posix;
#[cfg(test)]
mod posix_table;
mod program;
mod real;
mod schedules;
mod setup;
mod test;
#[cfg(test)]
mod tidy;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

/// The chores of Pantala.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Run every test, installing what it needs.
    Test(test::Options),
    /// Check format, lints, licences and sources, changing nothing.
    Check(check::Options),
    /// Format, and apply what clippy offers to fix.
    Fix,
    /// Install what the tests need.
    Setup,
    /// Feed the decoders arbitrary bytes.
    Fuzz(fuzz::Options),
    /// Damage a store at random places.
    Corrupt(corrupt::Options),
    /// Cut the power of the simulated disk at every operation of more and more workloads.
    Crash(crash::Options),
    /// Try many schedules of threads at the locks of the store and of volumes.
    Schedules(schedules::Options),
    /// Run the test on a real mount with real input.
    Real(real::Options),
    /// Exercise a file on a mount, with warm and with cold caches.
    Fsx(fsx::Options),
    /// Compare a mount with a local file system, call by call.
    Posix(posix::Options),
    /// Measure how fast a mount is, beside other file systems.
    Bench(bench::Options),
    /// A process of the benchmark.
    #[command(hide = true)]
    BenchWorker(bench::worker::Options),
}

fn main() -> ExitCode {
    let outcome = match Chore::parse() {
        Chore::Test(options) => test::run(&options),
        Chore::Check(options) => check::run(&options),
        Chore::Fix => check::fix(),
        Chore::Setup => setup::run(),
        Chore::Fuzz(options) => fuzz::run(&options),
        Chore::Corrupt(options) => corrupt::run(&options),
        Chore::Crash(options) => crash::run(&options),
        Chore::Schedules(options) => schedules::run(&options),
        Chore::Real(options) => real::run(&options),
        Chore::Fsx(options) => fsx::run(&options),
        Chore::Posix(options) => posix::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::BenchWorker(options) => bench::worker::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
