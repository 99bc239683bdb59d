//! What a user may say to `pantala`. Help, completions and man pages are made from this.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

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
    Volume(Volume),
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

/// Bring the pool up: make the store if there is none, start the node, mount its volumes
///
/// Returns once the mount serves requests, and prints where it is. A pool that is up already stays as it is. What a killed
/// node left mounted is taken away first.
///
/// As root, FUSE over io_uring is turned on (the parameter `enable_uring` of the fuse module).
#[derive(Args)]
#[command(after_help = "Example:\n  pantala up --store /srv/pool --mount /mnt/pool")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Mount here; the directory must be there and empty [default: where it was the last time; the first time /pantala as
    /// root, otherwise ~/pantala, which is made if it is not there]
    #[arg(long, value_name = "DIR")]
    pub(crate) mount: Option<PathBuf>,
    /// Stay in the foreground and log to standard error; Ctrl-C takes the pool down
    #[arg(long)]
    pub(crate) foreground: bool,
}

/// Take the pool down: checkpoint, unmount, stop the node
///
/// While files are open in a mount, the processes that hold them are named and nothing is changed.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala down\n  pantala down --force   # also while files are open")]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Detach mounts that are in use; what uses them gets errors from then on
    #[arg(long)]
    pub(crate) force: bool,
}

/// Make everything accepted so far durable
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala sync\n  pantala sync /pantala/photos   # the node that this path belongs to"
)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// A path in a mount: its node is meant, whatever its store
    pub(crate) path: Option<PathBuf>,
}

/// Show the node, its mounts, volumes and space
///
/// Exits with 3 when the node is not up.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala status\n  pantala status --json | jq .space.free_bytes\n\n\
                        Exit code: 0 the node is up, 3 it is not, 1 that cannot be told.")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make, list, rename and delete volumes
///
/// Each volume is a file system and a mount of its own. The node must be up.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume create photos\n  pantala volume list")]
pub(crate) struct Volume {
    #[command(subcommand)]
    pub(crate) command: VolumeCommand,
}

#[derive(Subcommand)]
pub(crate) enum VolumeCommand {
    Create(VolumeCreate),
    List(VolumeList),
    Delete(VolumeDelete),
    Rename(VolumeRename),
}

/// Make an empty volume and mount it
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala volume create photos\n  pantala volume create scratch --mount /mnt/scratch"
)]
pub(crate) struct VolumeCreate {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name: letters, digits, `.`, `_` and `-`
    pub(crate) name: String,
    /// Mount it here, now and at each `up`; the directory must be there and empty [default: NAME in the pool's mount directory
    /// as root, otherwise NAME in a directory beside it, with `.volumes` added to its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) mount: Option<PathBuf>,
}

/// List the volumes
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume list --json")]
pub(crate) struct VolumeList {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Delete a volume with all that is in it
///
/// Asks first; where there is no terminal to ask on, --yes is needed.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala volume delete scratch\n  pantala volume delete scratch --yes   # in a script"
)]
pub(crate) struct VolumeDelete {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name
    pub(crate) name: String,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Give a volume another name
///
/// A volume that is mounted at its default place moves with its name.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume rename scratch attic")]
pub(crate) struct VolumeRename {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name
    pub(crate) name: String,
    /// The name it gets
    pub(crate) new_name: String,
}

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

/// Print a shell's completions
#[derive(Args)]
#[command(after_help = "Example:\n  pantala completions bash > /etc/bash_completion.d/pantala")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Print the man page, or write one per command
#[derive(Args)]
#[command(after_help = "Example:\n  pantala man | man -l -\n  pantala man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Write one page per command into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// The daemon itself; `up` starts it. Its standard output is the pipe on which it announces itself
#[derive(Args)]
pub(crate) struct Node {
    #[arg(long)]
    pub(crate) store: PathBuf,
    #[arg(long)]
    pub(crate) mount: Option<PathBuf>,
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
