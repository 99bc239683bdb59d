//! `cargo xtask schedules`: the locks of the store, of volumes, mounts and FUSE under shuttle, which tries many schedules of a few threads.

use crate::workspace;
use anyhow::Result;
use clap::Args;

/// How much to try.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Schedules of each test [default: some hundreds]
    #[arg(long)]
    schedules: Option<usize>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    // The feature makes all locks those of shuttle, so it is on for these tests alone.
    let test = workspace::cargo(["test", "--package", "block", "--package", "volume", "--test", "schedules"])
        .arguments(["--features", "block/shuttle,volume/shuttle"]);
    match options.schedules {
        Some(schedules) => test.environment("SCHEDULES", schedules.to_string()).run(),
        None => test.run(),
    }?;
    // Of these two the parts that threads share are no business of others, so the tests stand beside them.
    workspace::cargo(["test", "--package", "fuse", "--package", "mount", "--lib", "schedules"])
        .arguments(["--features", "fuse/shuttle,mount/shuttle"])
        .run()
}
