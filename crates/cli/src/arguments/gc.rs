//! `pantala gc`.

use super::StoreArgument;
use clap::Args;

/// Give back the space of what nothing needs any more
///
/// A node does this by itself, beside its other work. This does it now and at full speed, and waits for the end; interrupting the
/// command leaves the node at it.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala gc\n  pantala gc --status\n  pantala gc --status --json | jq .last.retired_bytes"
)]
pub(crate) struct Gc {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Only show how the collection that is under way goes, or how the last one went
    #[arg(long)]
    pub(crate) status: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
