//! What can go wrong with keys and what they seal.

/// The result of something with a key.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something with a key failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not what somebody with this key sealed.
    #[error("it does not open with the volume's key: it was changed, or was sealed with another key")]
    NotAuthentic,
    /// No slot opens with a passphrase, key file or recovery key.
    #[error("{what} is not that of the volume; {there}")]
    WrongKey {
        /// "the passphrase" and the like.
        what: &'static str,
        /// Which ones there are.
        there: String,
    },
    /// The slots are damaged, or were tampered with.
    #[error("the volume's key slots are damaged: {0}; a replica or another copy of the store has them too")]
    DamagedSlots(&'static str),
    /// A newer program wrote it.
    #[error("{0} is of a kind that this pantala does not know; use a newer one")]
    Newer(&'static str),
    /// A passphrase or key file cannot be used.
    #[error("{0}")]
    Refused(String),
    /// There is no space for another slot.
    #[error("all {} key slots are taken; remove one first", crate::SLOTS_MAX)]
    SlotsFull,
    /// The last slot stays.
    #[error("it is the only way to the volume's key; add another one first")]
    LastSlot,
    /// There is no slot with the number.
    #[error("there is no key slot {0}")]
    NoSuchSlot(u8),
    /// The system did not give what was asked for.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried, as a verb.
        what: &'static str,
        /// The system's reason.
        why: String,
    },
}
