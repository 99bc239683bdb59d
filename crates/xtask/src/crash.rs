//! `cargo xtask crash`: the crash tests of the simulated disk, for as long as one likes.

use crate::workspace;
use anyhow::Result;
use clap::Args;

const SECONDS_PER_HOUR: f64 = 3600.0;

/// Where to begin, and how long to go on.
#[derive(Args)]
pub(crate) struct Options {
    /// The first workload's seed; the others follow on it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How long to go on
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let seconds = (options.hours * SECONDS_PER_HOUR) as u64;
    let test = "random::a_crash_at_any_operation_of_the_disk_leaves_a_prefix_with_everything_synced";
    let run =
        workspace::cargo(["test", "--package", "volume", "--test", "crash", "--", "--exact", "--nocapture", test]);
    run.environment("CRASH_SEED", options.seed.to_string()).environment("CRASH_SECONDS", seconds.to_string()).run()
}
