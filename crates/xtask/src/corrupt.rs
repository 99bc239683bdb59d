//! `cargo xtask corrupt`: damage at random places of a store, again and again.

use crate::workspace;
use anyhow::Result;
use clap::Args;

/// Where to begin, and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// The first trial's seed; the others follow on it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many trials
    #[arg(long, default_value_t = 10_000)]
    trials: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let run = workspace::cargo(["test", "--package", "volume", "--test", "corrupt", "--", "--nocapture"]);
    run.environment("CORRUPT_SEED", options.seed.to_string())
        .environment("CORRUPT_TRIALS", options.trials.to_string())
        .run()
}
