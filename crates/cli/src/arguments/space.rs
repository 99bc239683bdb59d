//! `pantala space`.

use super::StoreArgument;
use clap::Args;

/// Show where the space is, and what comes back if something goes
///
/// Each block counts once, as it is stored. What a snapshot or a history frees is what nothing else needs; it comes back with the next
/// collection of garbage.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala space\n  pantala space --json")]
pub(crate) struct Space {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
