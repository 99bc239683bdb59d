//! The port through which the store learns what is alive.

use crate::{Name, Position};
use std::collections::BTreeMap;

/// The layer above, which knows what it still needs.
pub trait Live: Send + Sync {
    /// Says what is alive. The store knows the newest root record of each stream and the journals; the layer above adds what only
    /// it knows.
    ///
    /// From before it calls `begin` until it returns, the layer above stands still: nothing puts a block or appends a record,
    /// nobody holds the name of a block without `visit` being shown it, or being shown one from which it can be reached. What
    /// comes into use afterwards was shown, can be reached from what was shown, or was put after `begin` was called.
    fn survey(&self, begin: &mut dyn FnMut(), visit: &mut dyn FnMut(Name)) -> Alive;
}

/// Which records are alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// The streams that are, each with the place before which its intents are not needed any more. Records of other streams are
    /// garbage.
    pub streams: BTreeMap<u64, Position>,
}

impl Alive {
    /// Where the first intent lies that is needed, if any is.
    pub(super) fn replay_from(&self) -> Option<Position> {
        self.streams.values().copied().min()
    }

    /// Whether an intent of a stream is needed that lies at a place.
    pub(super) fn needs_intent(&self, stream: u64, position: Position) -> bool {
        self.streams.get(&stream).is_some_and(|replay_from| position >= *replay_from)
    }
}
