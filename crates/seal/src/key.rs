//! The key of a volume, and the keys that come from it.

use crate::Result;
use crate::secret::Secret;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use std::fmt;
use zeroize::Zeroizing;

/// What everything in a volume is sealed with. It is random, and never changes.
pub struct VolumeKey(Secret<Keys>);

pub(crate) struct Keys {
    volume: [u8; VolumeKey::BYTES],
    /// Makes nonces.
    pub(crate) nonce: [u8; 32],
    /// Authenticates what stays open.
    pub(crate) authentication: [u8; 32],
    pub(crate) cipher: Aes256GcmSiv,
}

/// Where something sealed belongs: in another place it does not open. The bytes are the identity of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A block. Volumes with the same key share theirs.
    Block,
    /// A part of a volume's journal.
    Journal([u8; 16]),
    /// The name of a snapshot.
    SnapshotName([u8; 16]),
}

impl Context {
    /// As what it goes into nonces and associated data.
    pub(crate) fn bytes(self) -> [u8; 17] {
        let (number, identity) = match self {
            Self::Block => (0, [0; 16]),
            Self::Journal(identity) => (1, identity),
            Self::SnapshotName(identity) => (2, identity),
        };
        let mut bytes = [number; 17];
        bytes[1..].copy_from_slice(&identity);
        bytes
    }
}

const ENCRYPTION: &str = "Pantala 2026-11 volume key: encryption";
const NONCE: &str = "Pantala 2026-11 volume key: nonces";
const AUTHENTICATION: &str = "Pantala 2026-11 volume key: authentication";

impl VolumeKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A new key.
    pub fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        random_bytes(&mut *bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key with these bytes.
    ///
    /// # Panics
    ///
    /// If the system has no page of memory.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, bytes));
        let keys = Keys {
            volume: *bytes,
            nonce: *derive(NONCE),
            authentication: *derive(AUTHENTICATION),
            cipher: Aes256GcmSiv::new((&*derive(ENCRYPTION)).into()),
        };
        Self(Secret::new(keys).expect("there is a page of memory"))
    }

    /// The key's bytes, for whoever wraps them or hands them to a node.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        Zeroizing::new(self.0.volume)
    }

    /// A tag of what stays open, which nobody makes without the key. `purpose` tells tags of different things apart.
    pub fn authenticate(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0.authentication);
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(message);
        *hasher.finalize().as_bytes()
    }

    /// Whether a tag is that of a message. Takes as long for a wrong one as for the right one.
    pub fn is_authentic(&self, purpose: &str, message: &[u8], tag: &[u8; 32]) -> bool {
        blake3::Hash::from_bytes(self.authenticate(purpose, message)) == blake3::Hash::from_bytes(*tag)
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0
    }
}

impl fmt::Debug for VolumeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VolumeKey(..)")
    }
}

/// Fills bytes with the system's randomness.
pub(crate) fn random_bytes(bytes: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let got = rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty());
        filled += got.map_err(|error| crate::Error::System { what: "get random bytes", why: error.to_string() })?;
    }
    Ok(())
}
