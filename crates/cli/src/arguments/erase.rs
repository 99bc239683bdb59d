//! `pantala erase`.

use clap::Args;
use std::path::PathBuf;

/// Erase a file from the volume and from all of its past, for good
///
/// It goes from the live volume, from every snapshot and from the whole history, with all of its names, and for a directory with all that
/// was in it; also one that was deleted long ago. One that was renamed is still that file: the name that it has now goes, too. Copies are
/// other files. All else stays as it is in every state. Afterwards its content cannot be found in the store: for that, all of the store
/// that has anything dead in it is written anew, which takes as long as copying it. Says first what changes, and asks. Interrupting the
/// command leaves the node at it.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala erase passwords.txt --everywhere --dry-run\n  \
                        pantala erase passwords.txt --everywhere\n  pantala erase old/letters --everywhere --held --yes")]
pub(crate) struct Erase {
    /// The file or directory
    pub(crate) path: PathBuf,
    /// From all of its past too: `rm` removes it from the live volume alone
    #[arg(long)]
    pub(crate) everywhere: bool,
    /// Also from snapshots that are held
    #[arg(long)]
    pub(crate) held: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
