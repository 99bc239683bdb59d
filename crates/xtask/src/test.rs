//! `cargo xtask test`: every test of the project, from a machine that has nothing but Rust.

use crate::parts::{self, Part, Selection};
use crate::{bench, fsx, fuzz, posix, real, schedules, setup, workspace};
use anyhow::Result;
use clap::Args;

/// What to test.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// How long the decoders are fed arbitrary bytes, beside each other
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    fuzz_seconds: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let fuzzing = fuzz::Options { seconds: options.fuzz_seconds, targets: Vec::new() };
    let parts =
        [
            Part::new("setup", "install what the tests need", setup::run),
            Part::new("unit", "the tests of every crate", unit),
            Part::new("schedules", "many schedules of threads at the locks", || {
                schedules::run(&schedules::Options::default())
            }),
            Part::new("fuzz", "arbitrary bytes into every decoder", || fuzz::run(&fuzzing)),
            Part::new("posix", "a mount does what ext4 and xfs do, call by call", || {
                posix::run(&posix::Options::default())
            }),
            Part::new("fsx", "every byte of a file, cold and warm", || fsx::run(&fsx::Options::default())),
            Part::new("real", "real programs on a real mount", || real::run(&real::Options::default())),
            Part::new("bench", "the benchmark still works", bench_quickly),
        ];
    parts::run(&parts, &options.selection, "cargo xtask test")
}

fn unit() -> Result<()> {
    workspace::cargo(["test", "--workspace", "--no-fail-fast"]).run()
}

/// It makes and mounts file systems, which only root may do.
fn bench_quickly() -> Result<()> {
    if !setup::is_root() {
        println!("left out: only root may run the benchmark");
        return Ok(());
    }
    bench::run(&bench::Options::quick())?;
    bench::run(&bench::Options::quick_snapshots())
}
