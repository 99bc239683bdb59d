//! What a user has to open a volume with.

use super::{Cost, SlotKind};
use crate::limits::{KEY_FILE_BYTES_MAX, KEY_FILE_BYTES_MIN, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN};
use crate::{Error, RecoveryKey, Result};
use std::fmt;
use zeroize::Zeroizing;

/// A passphrase, the content of a key file, or a recovery key.
pub enum Unlocking {
    /// A passphrase, byte by byte as it was typed.
    Passphrase(Zeroizing<Vec<u8>>),
    /// All bytes of a key file.
    KeyFile(Zeroizing<Vec<u8>>),
    /// A recovery key.
    Recovery(RecoveryKey),
}

const KEY_FILE: &str = "Pantala 2026-11 key slot: key file";
const RECOVERY: &str = "Pantala 2026-11 key slot: recovery key";

impl Unlocking {
    /// What a user typed: a recovery key if it is one, otherwise a passphrase.
    pub fn typed(text: Zeroizing<Vec<u8>>) -> Self {
        let recovery = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        recovery.map_or_else(|| Self::Passphrase(text), Self::Recovery)
    }

    /// The content of a key file.
    pub fn key_file(content: Zeroizing<Vec<u8>>) -> Result<Self> {
        let unlocking = Self::KeyFile(content);
        unlocking.check()?;
        Ok(unlocking)
    }

    /// Refuses what must not be the way to a new key.
    pub(super) fn check(&self) -> Result<()> {
        let within = |what: &str, bytes: usize, min: usize, max: usize, advice: &str| match bytes {
            bytes if bytes < min => {
                Err(Error::Refused(format!("{what} has {bytes} bytes, which is too short: at least {min}{advice}")))
            }
            bytes if bytes > max => {
                Err(Error::Refused(format!("{what} has {bytes} bytes, which is too long: at most {max}{advice}")))
            }
            _ => Ok(()),
        };
        match self {
            Self::Passphrase(text) => {
                within("the passphrase", text.len(), PASSPHRASE_BYTES_MIN, PASSPHRASE_BYTES_MAX, "")
            }
            Self::KeyFile(content) => {
                let advice = ", random ones: `head -c 64 /dev/urandom >FILE` makes them";
                within("the key file", content.len(), KEY_FILE_BYTES_MIN, KEY_FILE_BYTES_MAX, advice)
            }
            Self::Recovery(_) => Ok(()),
        }
    }

    /// What it is.
    pub fn kind(&self) -> SlotKind {
        match self {
            Self::Passphrase(_) => SlotKind::Passphrase,
            Self::KeyFile(_) => SlotKind::KeyFile,
            Self::Recovery(_) => SlotKind::Recovery,
        }
    }

    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "the passphrase",
            Self::KeyFile(_) => "the key file",
            Self::Recovery(_) => "the recovery key",
        }
    }

    /// Whether it may be guessed, so that trying has to be slow.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Passphrase(_))
    }

    /// The key that wraps a volume's.
    pub(super) fn derive(&self, salt: &[u8; 16], cost: Cost) -> Result<Zeroizing<[u8; 32]>> {
        let hash = |context, secret: &[u8]| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(salt);
            hasher.update(secret);
            Zeroizing::new(*hasher.finalize().as_bytes())
        };
        match self {
            Self::Passphrase(text) => cost.derive(text, salt),
            Self::KeyFile(content) => Ok(hash(KEY_FILE, content)),
            Self::Recovery(key) => Ok(hash(RECOVERY, &*key.0)),
        }
    }
}

impl fmt::Debug for Unlocking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Unlocking").field(&self.kind()).finish()
    }
}
