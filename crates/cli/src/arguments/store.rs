//! `pantala store`.

use super::StoreArgument;
use clap::{Args, Subcommand};

/// Look after a store whose node is down
#[derive(Args)]
#[command(after_help = "Example:\n  pantala store reindex")]
pub(crate) struct Store {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    Reindex(Reindex),
}

/// Make the store's index again from its segments
///
/// The index only says where blocks lie; dropping it loses nothing. The node must be down.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala store reindex --store /srv/pool")]
pub(crate) struct Reindex {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
}
