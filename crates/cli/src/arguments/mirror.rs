//! `pantala mirror`.

use super::StoreArgument;
use super::units::{self, Every};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Keep copies of volumes elsewhere: on a drive, in another store, on another machine, in an object store
///
/// A replica may be away for as long as it likes: a sync finds out what it lacks and sends that. The source keeps no list of its
/// replicas; what `add` writes down is only a name for a place.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala mirror add main /media/drive/pantala --name drive\n  pantala mirror sync drive"
)]
pub(crate) struct Mirror {
    #[command(subcommand)]
    pub(crate) command: MirrorCommand,
}

#[derive(Subcommand)]
pub(crate) enum MirrorCommand {
    Add(MirrorAdd),
    List(MirrorList),
    Sync(MirrorSync),
    Status(MirrorStatus),
    Verify(MirrorVerify),
    Promote(MirrorPromote),
    Set(MirrorSet),
    Remove(MirrorRemove),
    Serve(MirrorServe),
}

/// Give a place for a replica a name, and make an empty replica there
///
/// The place is the directory of a store, which is made if it is not there, or ssh://[USER@]HOST[:PORT]/PATH; over there, `pantala`
/// must be in the PATH. Or it is an object store: s3://BUCKET/PREFIX, with keys, region and endpoint from AWS_ACCESS_KEY_ID,
/// AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL, or file:///DIRECTORY, which lays the same objects out as files.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror add main /media/drive/pantala --name drive\n  \
                        pantala mirror add main ssh://backup@attic/srv/pantala\n  \
                        pantala mirror add main s3://backups/main --every 1h\n  \
                        sudo pantala mirror add main /media/drive/pantala --on-plug\n  \
                        pantala mirror add main ssh://laptop/var/lib/pantala --pull   # the replica is here")]
pub(crate) struct MirrorAdd {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name at its source
    pub(crate) volume: String,
    /// Where the other store is
    pub(crate) place: String,
    /// What to call the mirror [default: the last part of the place that says something]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Copy from the place to this store, not the other way round
    #[arg(long)]
    pub(crate) pull: bool,
    /// Take a writable volume for a replica, also if it was written: what it has stays in its history
    #[arg(long)]
    pub(crate) replace: bool,
    /// Have the node sync it every so often, as in 1h
    #[arg(long, value_name = "TIME", value_parser = units::span_or_never)]
    pub(crate) every: Option<Every>,
    /// Have it synced whenever its drive is plugged in: makes a udev rule and a systemd unit
    #[arg(long)]
    pub(crate) on_plug: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the mirrors of this store
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror list --json")]
pub(crate) struct MirrorList {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring replicas to the state of their sources
///
/// Works with nodes that are up and with stores that nobody has open. It can be cut off at any moment, by Ctrl-C too: readers of
/// the replica see the state before, and the next sync goes on from there.
///
/// With --both, both sides are writable (`pantala mirror promote` makes a replica so) and both get what the other one did. What both
/// did to the same file is kept twice: the other side's version as `report (conflict DATE MIRROR).txt`.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror sync               # all of them\n  \
                        pantala mirror sync drive --limit-rate 20M\n  pantala mirror sync drive --dry-run\n  \
                        pantala mirror sync drive --watch\n  pantala mirror sync cloud --from drive\n  \
                        pantala mirror sync laptop --both\n\n\
                        Exit code: 0 done; 1 failed; 4 done both ways, and there were conflicts.")]
pub(crate) struct MirrorSync {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Only these mirrors
    pub(crate) names: Vec<String>,
    /// Send no more than so many bytes per second to each, as in 20M
    #[arg(long, value_name = "RATE", value_parser = units::rate)]
    pub(crate) limit_rate: Option<u64>,
    /// Take blocks from the drive of this mirror, too, where it has them: what is at hand need not come over a link
    #[arg(long, value_name = "MIRROR", conflicts_with = "both")]
    pub(crate) from: Vec<String>,
    /// Send nothing; say what would be sent, and which names would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on and follow changes within seconds, until Ctrl-C
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
    /// Take a replica that was promoted for one again: what it has stays in its history
    #[arg(long)]
    pub(crate) replace: bool,
    /// Merge what both sides did, and give both the result
    #[arg(long, conflicts_with_all = ["watch", "replace"])]
    pub(crate) both: bool,
    /// Wait for the drives to be mounted, and say on the desktop when they are safe to unplug
    #[arg(long, hide = true, conflicts_with_all = ["watch", "dry_run", "both"])]
    pub(crate) plugged: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show how far the replicas are, and whether a drive is safe to unplug
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror status\n  pantala mirror status --json | jq '.[].safe_to_unplug'")]
pub(crate) struct MirrorStatus {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Only these mirrors
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Read a replica and its source again, and heal each from the other
///
/// Every block is compared with its hash. What is damaged on one side and whole on the other is written anew.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror verify drive\n  pantala mirror verify --json   # all of them\n\n\
                        Exit code: 0 all is there, also if it had to be healed; 1 something is lost, or that cannot be told.")]
pub(crate) struct MirrorVerify {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Only these mirrors
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make a replica writable
///
/// Its former source can follow it from then on: `pantala mirror add VOLUME PLACE --pull --replace` over there.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror promote main --store /media/drive/pantala")]
pub(crate) struct MirrorPromote {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The replica's name in this store
    pub(crate) volume: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say when a mirror is synced by itself, and what its replica keeps of the past
///
/// With --every the node does so as long as it is up, as the user that it runs as. What it missed while it was down or the machine slept
/// it makes up for at once. Where a sync fails, as it does while a drive is away, it tries again after 5 minutes; `pantala mirror status`
/// shows why.
///
/// With --on-plug udev and systemd do so when the drive comes, as the owner of the store, whether the node is up or not; a notice on the
/// desktop says when it is safe to unplug.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror set attic --every 1h\n  pantala mirror set attic --every never\n  \
                        sudo pantala mirror set drive --on-plug\n  sudo pantala mirror set drive --on-plug=false\n  \
                        pantala mirror set drive --retention 30d:1d,forever:1w")]
#[command(group = clap::ArgGroup::new("what").args(["every", "on_plug", "retention"]).required(true).multiple(true))]
pub(crate) struct MirrorSet {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The mirror's name
    pub(crate) name: String,
    /// From the end of one sync to the next, as in 1h or 7d; `never` for syncs by hand alone
    #[arg(long, value_name = "TIME", value_parser = units::span_or_never)]
    pub(crate) every: Option<Every>,
    /// Whenever its drive is plugged in, or not any more
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) on_plug: Option<bool>,
    /// What the replica keeps of the past, whatever its source keeps: as the setting `retention` of a volume
    #[arg(long)]
    pub(crate) retention: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Forget the name of a place; the replica stays there
#[derive(Args)]
#[command(after_help = "Example:\n  pantala mirror remove drive")]
pub(crate) struct MirrorRemove {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The mirror's name
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Answer a sync on another machine, over standard input and output
///
/// `pantala mirror sync` runs this over ssh.
#[derive(Args)]
#[command(after_help = "Example:\n  ssh attic pantala mirror serve --stdio --store /srv/pantala")]
pub(crate) struct MirrorServe {
    /// Directory of the store
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// Talk over standard input and output
    #[arg(long, required = true)]
    pub(crate) stdio: bool,
    /// Make the store if there is none
    #[arg(long)]
    pub(crate) create: bool,
}
