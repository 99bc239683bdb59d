//! Kept roots whose states were edited: names, times, holds and order stay.

use super::changes::Changes;
use super::{Kept, KeptRoot};
use crate::contents::Encryption;
use crate::erase::EditedStates;
use crate::journal::Counters;
use crate::{Result, Timestamp};

impl Kept {
    /// With other states in the places of some, also of those that two-way syncs begin with.
    pub(crate) fn with_edited(&self, edited: &EditedStates, encryption: Option<&Encryption>) -> Result<Self> {
        let mut changes = Changes::default();
        for root in self.roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = root?;
            let Some(state) = root.tree.and_then(|tree| edited.get(&tree)) else { continue };
            let counters = Counters {
                inodes: root.counters.inodes.saturating_sub(state.inodes),
                allocated_bytes: root.counters.allocated_bytes.saturating_sub(state.counted_bytes),
                ..root.counters
            };
            let mut root = KeptRoot { tree: state.tree.root(), counters, ..root };
            if root.tag.is_some() {
                root.tag = encryption.map(|encryption| encryption.tag(&root.tagged())).transpose()?;
            }
            changes.put(&root);
        }
        let mut kept = self.with(changes)?;
        for (peer, meeting) in self.meetings()? {
            if let Some(state) = meeting.tree.and_then(|tree| edited.get(&tree)) {
                let tree = state.tree.root();
                let meeting = encryption.map_or(meeting, |encryption| encryption.believed(&peer, meeting));
                let tagged =
                    |witness| encryption.map_or(Ok(witness), |encryption| encryption.tagged(&peer, tree, witness));
                let witness = meeting.witness.map(tagged).transpose()?;
                kept = kept.with_meeting(peer, super::Meeting { tree, witness, ..meeting })?;
            }
        }
        Ok(kept)
    }
}
