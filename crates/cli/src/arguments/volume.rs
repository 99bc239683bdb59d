//! `pantala volume`.

use super::{Secret, StoreArgument, VolumeKeys, VolumeLock, VolumeUnlock};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Make, list, show, set, rename, delete, unlock and lock volumes
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
    Set(VolumeSet),
    Show(VolumeShow),
    Unlock(VolumeUnlock),
    Lock(VolumeLock),
    Key(VolumeKeys),
}

/// Make an empty volume and mount it
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala volume create photos\n  pantala volume create scratch --mount /mnt/scratch\n  pantala volume create diary --encrypt"
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
    /// Encrypt it; what is to open it is asked for on the terminal unless it is given
    #[arg(long)]
    pub(crate) encrypt: bool,
    #[command(flatten)]
    pub(crate) secret: Secret,
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

/// Set how a volume behaves
///
/// An empty value goes back to the default. `pantala volume show NAME` shows all settings, what they do, and their values.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume set main note='our pictures'\n  pantala volume set main note=")]
pub(crate) struct VolumeSet {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    /// What to set
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) settings: Vec<(String, String)>,
    /// Only tell what a retention would do to the history that there is
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE; `pantala volume set --help` has an example")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Show a volume and its settings
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume show main\n  pantala volume show main --json")]
pub(crate) struct VolumeShow {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
