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
    Repair(Repair),
}

/// Make a damaged store writable again, without what is lost
///
/// Tells what is damaged, what would be lost and which files cannot be read, and asks. The log goes on behind the damage; a volume whose
/// root or journal is damaged falls back to its newest state that is whole. No byte that is there is changed or removed. Where there is a
/// replica, `pantala mirror verify` brings back blocks that are lost here.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala store repair --dry-run\n  pantala store repair --yes --json")]
pub(crate) struct Repair {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Only tell what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Do not read the whole store to name the files that cannot be read
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
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
