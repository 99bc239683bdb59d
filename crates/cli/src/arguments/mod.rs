//! What a user may say to `pantala`. Help, completions and man pages are made from this. A file per group of commands.

mod erase;
mod gc;
mod keys;
mod mirror;
mod node;
mod pages;
mod past;
mod scrub;
mod space;
mod store;
mod units;
mod volume;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

pub(crate) use erase::Erase;
pub(crate) use gc::Gc;
pub(crate) use keys::{
    KeyAdd, KeyChange, KeyCommand, KeyList, KeyRemove, NewSecret, Secret, VolumeKeys, VolumeLock, VolumeUnlock,
};
pub(crate) use mirror::{
    Mirror, MirrorAdd, MirrorCommand, MirrorList, MirrorPromote, MirrorRemove, MirrorServe, MirrorSet, MirrorStatus,
    MirrorSync, MirrorVerify,
};
pub(crate) use node::{Down, Node, Status, Sync, Up};
pub(crate) use pages::{Completions, Man};
pub(crate) use past::{
    Clone, Diff, History, Restore, Rollback, Snapshot, SnapshotCommand, SnapshotCreate, SnapshotDelete, SnapshotList,
    SnapshotRename, Undelete,
};
pub(crate) use scrub::Scrub;
pub(crate) use space::Space;
pub(crate) use store::{Reindex, Repair, Store, StoreCommand};
pub(crate) use volume::{
    Volume, VolumeCommand, VolumeCreate, VolumeDelete, VolumeList, VolumeRename, VolumeSet, VolumeShow,
};

/// Makes a few Linux machines behave as one big one
///
/// A node is addressed by its store: two stores on one machine are two nodes.
#[derive(Parser)]
#[command(name = "pantala", version, arg_required_else_help = true)]
#[command(after_help = "Example:\n  pantala up        # store and mount at their default places\n  pantala status\n  \
                        pantala down\n\nA command that fails prints one line and exits with 1.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Up(Up),
    Down(Down),
    Sync(Sync),
    Status(Status),
    Scrub(Scrub),
    Volume(Volume),
    Snapshot(Snapshot),
    Space(Space),
    History(History),
    Restore(Restore),
    Undelete(Undelete),
    Diff(Diff),
    Clone(Clone),
    Rollback(Rollback),
    Erase(Erase),
    Gc(Gc),
    Mirror(Mirror),
    Store(Store),
    Completions(Completions),
    Man(Man),
    #[command(hide = true)]
    Node(Node),
}

/// Which node is meant.
#[derive(Args)]
pub(crate) struct StoreArgument {
    /// Directory of the store [default: /var/lib/pantala as root, otherwise pantala in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, value_name = "DIR", env = "PANTALA_STORE", hide_env_values = true)]
    pub(crate) store: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(command.is_hide_set() || help.contains("Example:"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
