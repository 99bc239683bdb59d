//! The node: up, down, sync, status, and the daemon itself.

use super::StoreArgument;
use clap::Args;
use std::path::PathBuf;

/// Bring the pool up: make the store if there is none, start the node, mount its volumes
///
/// Returns once the mount serves requests, and prints where it is. A pool that is up already stays as it is. What a killed
/// node left mounted is taken away first.
///
/// As root, FUSE over io_uring is turned on (the parameter `enable_uring` of the fuse module), and while programs use the mount much
/// and the machine does not run on its battery, idle CPUs are kept from deep sleep (/dev/cpu_dma_latency): that makes small
/// operations up to twice as fast.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala up --store /srv/pool --mount /mnt/pool")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Mount here; the directory must be there and empty [default: where it was the last time; the first time /pantala as
    /// root, otherwise ~/pantala, which is made if it is not there]
    #[arg(long, value_name = "DIR")]
    pub(crate) mount: Option<PathBuf>,
    /// Mount everything read-only and write nothing in the store: to look at a replica on a drive, at a store on a medium that
    /// cannot be written, or at what is whole of a damaged one
    #[arg(long)]
    pub(crate) read_only: bool,
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

/// The daemon itself; `up` starts it. Its standard output is the pipe on which it announces itself
#[derive(Args)]
pub(crate) struct Node {
    #[arg(long)]
    pub(crate) store: PathBuf,
    #[arg(long)]
    pub(crate) mount: Option<PathBuf>,
    #[arg(long)]
    pub(crate) read_only: bool,
}
