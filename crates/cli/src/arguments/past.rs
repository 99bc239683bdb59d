//! `pantala snapshot`, and what else leads into the past.

use super::StoreArgument;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Make, list, hold, rename and delete snapshots
///
/// A snapshot keeps the state of a whole volume under a name. Making one takes no copy and no space of its own. Browse it in
/// `.snapshots/NAME` of any directory.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot create before-upgrade\n  pantala snapshot list")]
pub(crate) struct Snapshot {
    #[command(subcommand)]
    pub(crate) command: SnapshotCommand,
}

#[derive(Subcommand)]
pub(crate) enum SnapshotCommand {
    Create(SnapshotCreate),
    List(SnapshotList),
    Delete(SnapshotDelete),
    Hold(SnapshotHold),
    Release(SnapshotRelease),
    Rename(SnapshotRename),
}

/// Keep the state of this moment under a name
///
/// Several names keep several moments, one after another.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala snapshot create before-upgrade\n  pantala snapshot create photos@2026 --hold"
)]
pub(crate) struct SnapshotCreate {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name [default volume: the one you are in, otherwise the first]
    #[arg(value_name = "[VOLUME@]NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Refuse to delete it until it is released
    #[arg(long)]
    pub(crate) hold: bool,
}

/// List the snapshots of a volume, the oldest first
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot list\n  pantala snapshot list photos --json")]
pub(crate) struct SnapshotList {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume [default: the one you are in, otherwise the first]
    pub(crate) volume: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Delete snapshots
///
/// One that is held, or that somebody reads, stays.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot delete before-upgrade --dry-run")]
pub(crate) struct SnapshotDelete {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Their names
    #[arg(value_name = "[VOLUME@]NAME", required = true)]
    pub(crate) names: Vec<String>,
    /// Only say what space that would free
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Refuse to delete a snapshot until it is released
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot hold before-upgrade")]
pub(crate) struct SnapshotHold {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name
    #[arg(value_name = "[VOLUME@]NAME")]
    pub(crate) name: String,
}

/// Let a snapshot be deleted that was held
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot release before-upgrade")]
pub(crate) struct SnapshotRelease {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name
    #[arg(value_name = "[VOLUME@]NAME")]
    pub(crate) name: String,
}

/// Give a snapshot another name
#[derive(Args)]
#[command(after_help = "Example:\n  pantala snapshot rename before-upgrade old-system")]
pub(crate) struct SnapshotRename {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// Its name
    #[arg(value_name = "[VOLUME@]NAME")]
    pub(crate) name: String,
    /// The name it gets
    pub(crate) new_name: String,
}

/// Make a volume that begins with a state of another one
///
/// It is writable at once and shares all data with the volume it comes from.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala clone before-upgrade try-it\n  pantala clone photos@@yesterday photos-then"
)]
pub(crate) struct Clone {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// A snapshot, or `@TIME` for the state of a moment
    #[arg(value_name = "[VOLUME@]SNAPSHOT")]
    pub(crate) state: String,
    /// The new volume's name
    pub(crate) new_volume: String,
}

/// Take a whole volume back to an earlier state
///
/// The state before is kept as a snapshot. What programs have open is from then on that of the earlier state.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala rollback main before-upgrade\n  pantala rollback main @2026-11-23T10:00 --yes"
)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume
    pub(crate) volume: String,
    /// A snapshot, or `@TIME` for the state of a moment
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) to: String,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Show the versions of a file: when, how large, and where they are kept
///
/// Also of a file that was deleted or has another name now.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala history report.odt\n  pantala history report.odt --json")]
pub(crate) struct History {
    /// The file or directory
    pub(crate) path: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// List what was deleted from a directory and is still kept
#[derive(Args)]
#[command(after_help = "Example:\n  pantala undelete .\n  pantala restore ./report.odt")]
pub(crate) struct Undelete {
    /// The directory
    pub(crate) directory: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring back a file or a tree as it was
///
/// Without a time or a snapshot, what was deleted comes back as it was last kept; with --replace, a file becomes its version before. No
/// data is copied.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala restore report.odt --at yesterday --to old-report.odt\n  \
                        pantala restore src --snapshot before-upgrade --replace")]
pub(crate) struct Restore {
    /// The file or directory
    pub(crate) path: PathBuf,
    /// As it was at this time: 2026-11-23T10:00, 2h, yesterday
    #[arg(long, value_name = "TIME", conflicts_with = "snapshot")]
    pub(crate) at: Option<String>,
    /// As it is in this snapshot
    #[arg(long, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
    /// Put it there [default: where it was]
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
    /// Put it in the place of what is there
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Show what differs between two states of a volume
///
/// A state is a snapshot, `@TIME` for that of a moment, or `@now`. A: added, D: deleted, R: renamed, M: modified.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala diff before-upgrade\n  pantala diff @yesterday @2h --stat\n  \
                        pantala diff photos@@1d photos@@now --patch")]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The first state
    #[arg(value_name = "[VOLUME@]STATE")]
    pub(crate) before: String,
    /// The second state [default: @now]
    #[arg(value_name = "[VOLUME@]STATE")]
    pub(crate) after: Option<String>,
    /// Only count
    #[arg(long, conflicts_with_all = ["json", "patch"])]
    pub(crate) stat: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show what changed in texts, line by line
    #[arg(long, conflicts_with = "json")]
    pub(crate) patch: bool,
}
