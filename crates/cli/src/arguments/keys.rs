//! What a user may say of keys: `pantala volume unlock`, `lock`, `key`.

use super::StoreArgument;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What opens a volume. Without any of it, a passphrase is asked for on the terminal.
#[derive(Args, Default)]
pub(crate) struct Secret {
    /// Take the passphrase, or a recovery key, from a file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Take the key from a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// What is to open a volume. Without any of it, a new passphrase is asked for on the terminal.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct NewSecret {
    /// Take the new passphrase from a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// A new key file, of at least 32 random bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) new_key_file: Option<PathBuf>,
    /// Make a recovery key and print it, once
    #[arg(long)]
    pub(crate) new_recovery_key: bool,
}

/// Open an encrypted volume and mount it
///
/// Its key stays in the node's memory until the volume is locked or the node goes down.
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala volume unlock diary\n  pantala volume unlock diary --key-file /media/stick/diary.key"
)]
pub(crate) struct VolumeUnlock {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) secret: Secret,
}

/// Unmount an encrypted volume and forget its key
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume lock diary")]
pub(crate) struct VolumeLock {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
}

/// List, add, change and remove what opens an encrypted volume
///
/// Nothing is encrypted anew by it. The ways to a volume's key are in numbered slots, and travel with it to its replicas.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume key list diary\n  pantala volume key add diary --new-recovery-key")]
pub(crate) struct VolumeKeys {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    List(KeyList),
    Add(KeyAdd),
    Change(KeyChange),
    Remove(KeyRemove),
}

/// List what opens a volume
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume key list diary --json")]
pub(crate) struct KeyList {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Add another passphrase, key file or recovery key
#[derive(Args)]
#[command(
    after_help = "Example:\n  pantala volume key add diary\n  pantala volume key add diary --new-recovery-key >paper"
)]
pub(crate) struct KeyAdd {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) secret: Secret,
    #[command(flatten)]
    pub(crate) new: NewSecret,
}

/// Put something new in the place of the passphrase or key file that is given
///
/// Copies and replicas that were made before still open with the old one.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume key change diary")]
pub(crate) struct KeyChange {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) secret: Secret,
    #[command(flatten)]
    pub(crate) new: NewSecret,
}

/// Remove a slot; the last one stays
///
/// Any passphrase or key of the volume allows it, not only that of the slot.
#[derive(Args)]
#[command(after_help = "Example:\n  pantala volume key remove diary 1")]
pub(crate) struct KeyRemove {
    #[command(flatten)]
    pub(crate) store: StoreArgument,
    /// The volume's name
    pub(crate) name: String,
    /// The slot's number, as `pantala volume key list` shows it
    pub(crate) slot: u8,
    #[command(flatten)]
    pub(crate) secret: Secret,
}
