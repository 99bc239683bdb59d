//! Encrypted volumes: what turns their blocks and records into ones that nobody can read without the key.
//!
//! Encryption lies above the store and below the tree. A block's body is **sealed** (compressed, padded, encrypted) before it is put;
//! its links stay open, and its name is the hash of links and sealed body, as of every block. So whoever has no key can still verify,
//! mark, copy, heal and prune, with the same code as ever.
//!
//! Invariants:
//!
//! - **Sealing is a function** of key, context, links and body: equal blocks have equal names, trees are canonical, and what is put
//!   again is there already. Nothing but equality shows.
//! - What was opened is what somebody with the key sealed, in that context and with those links.
//! - A [`VolumeKey`] lies in memory that is not swapped and not dumped, and is wiped when it is dropped. It is never written but wrapped,
//!   in a slot of [`KeySlots`].
//!
//! What this crate deliberately does not know: trees, volumes, where keys come from. `docs/encryption.md` has the threat model,
//! `docs/format.md` the bytes.

mod error;
mod key;
mod limits;
mod padding;
mod recovery_key;
mod sealed_blocks;
mod sealing;
mod secret;
mod slots;

pub use error::{Error, Result};
pub use key::{Context, VolumeKey};
pub use limits::{KEY_FILE_BYTES_MAX, KEY_FILE_BYTES_MIN, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, SLOTS_MAX};
pub use recovery_key::RecoveryKey;
pub use sealed_blocks::SealedBlocks;
pub use slots::{Cost, KeySlots, Slot, SlotKind, Unlocking};

/// Feeds arbitrary bytes to the decoder of key slots and to decryption, for fuzzing: they may refuse them, and must not panic.
#[doc(hidden)]
pub fn fuzz_sealed(bytes: &[u8]) {
    if let Ok(slots) = KeySlots::decode(bytes) {
        assert_eq!(slots.encode(), bytes);
    }
    let key = VolumeKey::from_bytes(&[7; VolumeKey::BYTES]);
    assert!(key.open(Context::Block, &[], bytes).is_err(), "nobody guesses a tag");
}
