//! `pantala scrub`.

use super::StoreArgument;
use super::units::{self, Every};
use clap::Args;

/// Read everything and verify it
///
/// Reads the whole store, compares everything with its checksums and hashes, and looks whether everything is there that the volumes,
/// their snapshots and their history need. What is damaged is named, with the files that use it. Damaged root records and journals
/// are made anew; a damaged block heals when its content is written again.
///
/// Beside a node that is up, the scrub runs in the node, and goes on when this command is interrupted; otherwise it runs here. It
/// remembers its position across restarts. A node scrubs by itself every 30 days, or as --every says; what it missed while it was
/// down it makes up for.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala scrub\n  pantala scrub --limit-rate 50M\n  pantala scrub --pause\n  \
                        pantala scrub --every 7d\n\nExit code: 0 nothing is damaged, 4 damage was found, 1 it could not run or \
                        did not end.")]
pub(crate) struct Scrub {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Show how far it is and what the last one found; the exit code tells the latter
    #[arg(long, group = "order")]
    pub(crate) status: bool,
    /// Let the one that runs in the node wait
    #[arg(long, group = "order")]
    pub(crate) pause: bool,
    /// Go on with one that waits
    #[arg(long, group = "order")]
    pub(crate) resume: bool,
    /// Give up the one that is under way
    #[arg(long, group = "order")]
    pub(crate) cancel: bool,
    /// Begin one every so often, as in 7d; `never` for not at all
    #[arg(long, group = "order", value_name = "TIME", value_parser = units::span_or_never)]
    pub(crate) every: Option<Every>,
    /// Read no more than so many bytes per second, as in 50M
    #[arg(long, value_name = "RATE", value_parser = units::rate)]
    pub(crate) limit_rate: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
