//! The tag of a state of an encrypted volume: who has the key tells by it that somebody with the key made that state.
//!
//! Below a root every block is named by a hash, so it is enough to authenticate the name of the root and what stands beside it. A holder
//! without the key hands tags on with their states, and can make none: it may show an older state, never another one.

use crate::contents::Encryption;
use crate::journal::Counters;
use crate::{Error, Result, Timestamp};
use block::Name;

/// What authenticates a state.
pub(crate) type StateTag = [u8; 32];

/// What a root record of an encrypted volume has beside that of any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The tag of its state.
    pub(crate) tag: StateTag,
    /// The block of the key slots; `None` before anything was received.
    pub(crate) slots: Option<Name>,
}

/// A state, as far as its tag says something of it.
pub(crate) struct Tagged {
    pub(crate) tree: Option<Name>,
    pub(crate) counters: Counters,
    pub(crate) hash_seed: u64,
    pub(crate) taken: Timestamp,
}

const PURPOSE: &str = "state";

impl Encryption {
    /// The tag of a state; an error if the volume is locked.
    pub(crate) fn tag(&self, state: &Tagged) -> Result<StateTag> {
        Ok(self.key_or_error()?.authenticate(PURPOSE, &self.message(state)))
    }

    /// Refuses a state that nobody with the key made. Without the key that cannot be told.
    pub(crate) fn check(&self, state: &Tagged, tag: Option<&StateTag>) -> Result<()> {
        let Some(key) = self.key() else { return Ok(()) };
        match tag.is_some_and(|tag| key.is_authentic(PURPOSE, &self.message(state), tag)) {
            true => Ok(()),
            false => Err(Error::Damaged { inode: 0, what: "a state of the volume: nobody with its key made it" }),
        }
    }

    fn message(&self, state: &Tagged) -> Vec<u8> {
        let mut message = self.identity.0.to_vec();
        message.push(state.tree.is_some() as u8);
        state.tree.iter().for_each(|tree| message.extend_from_slice(tree.as_bytes()));
        state.counters.put(&mut message);
        message.extend_from_slice(&state.hash_seed.to_le_bytes());
        crate::record::put_timestamp(&mut message, state.taken);
        message
    }
}
