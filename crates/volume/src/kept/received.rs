//! What a replica keeps of what its source keeps.

use super::changes::Changes;
use super::key::{self, Kind};
use super::labels;
use super::root::KeptRoot;
use super::{Going, Kept, Meeting, Peer, Retention, Witness, Witnesses};
use crate::root::Root;
use crate::{Result, State, Timestamp, Volume};
use block::Name;
use std::collections::BTreeSet;

impl Volume {
    /// Which of the kept roots of a source this volume does not have and wants: all snapshots, and the history that its own
    /// retention would keep. `offered` is in the order of time, as [`Volume::kept_roots`] gives it.
    pub fn wanted(&self, offered: &[KeptRoot]) -> Result<Vec<KeptRoot>> {
        self.kept().wanted(offered, &self.retention(), self.now())
    }

    /// What is kept once a state was received from those who had it, with kept roots that come with it.
    pub(crate) fn kept_with_received(
        &self,
        root: &Root,
        witnesses: &Witnesses,
        offered: &[KeptRoot],
    ) -> Result<(Kept, Going<'_>)> {
        let tree = self.last_checkpoint.lock().tree;
        let is_same = root.tree == tree;
        let kept = self.kept();
        let before: Witnesses = kept.witnesses_of(tree)?.collect();
        let kept = match before.had_past_of(tree, (root.tree, witnesses)) {
            true if is_same => Kept::clone(&kept),
            true => kept.without_meetings()?,
            false => kept.reborn()?,
        };
        let mut kept = kept.with_received(offered)?;
        let (us, noted) = (self.peer(), self.now());
        for (peer, witness) in witnesses.iter().filter(|(peer, _)| *peer != us) {
            kept = kept.with_meeting(peer, Meeting { tree: root.tree, noted, witness: Some(witness) })?;
        }
        let is_in_history = is_same || kept.has_history(root)?;
        let going = self.sweep_history(&kept, root.taken)?;
        let kept = match is_in_history {
            true => kept.without_old_history(going.ids())?,
            false => kept.with_history(root, going.ids())?,
        };
        Ok((kept, going))
    }

    /// Who has the last checkpoint's state as its own: this volume, and from whom it came.
    pub(crate) fn witnesses(&self) -> Result<Witnesses> {
        let State { tree, taken, .. } = self.state();
        let us = self.peer();
        let own = Witness { age: self.age()?, taken, tag: Default::default() };
        let own = match &self.contents.encryption {
            None => Some(own),
            // Who has no key can only hand on what others said.
            Some(_) if self.is_locked() => None,
            Some(encryption) => Some(encryption.tagged(&us, tree, own)?),
        };
        let others = self.kept().witnesses_of(tree)?.filter(|(peer, _)| *peer != us);
        Ok(own.map(|own| (us, own)).into_iter().chain(others).collect())
    }

    /// What others know this volume by.
    fn peer(&self) -> Peer {
        *self.shared.store.id().as_bytes()
    }
}

impl Kept {
    pub(super) fn wanted(&self, offered: &[KeptRoot], retention: &Retention, now: Timestamp) -> Result<Vec<KeptRoot>> {
        let mut times: BTreeSet<_> = offered.iter().filter(|root| is_history(root)).map(KeptRoot::taken).collect();
        for root in self.history(Timestamp::FIRST, Timestamp::LAST)? {
            times.insert(root?.taken());
        }
        let mut wanted = Vec::new();
        for root in offered {
            let next = || times.range(root.taken()..).nth(1).copied();
            let is_wanted = !is_history(root) || next().is_none_or(|next| retention.keeps(root.taken(), next, now));
            if is_wanted && !self.has(root)? {
                wanted.push(root.clone());
            }
        }
        Ok(wanted)
    }

    /// Those of whom it is noted that they had a state.
    fn witnesses_of(&self, tree: Option<Name>) -> Result<impl Iterator<Item = (Peer, Witness)> + use<>> {
        let met = self.meetings()?.into_iter().filter(move |(_, meeting)| meeting.tree == tree);
        Ok(met.filter_map(|(peer, meeting)| Some((peer, meeting.witness?))))
    }

    /// Whether the same kept root is here. Whether it is held may differ: each place says so for itself.
    fn has(&self, root: &KeptRoot) -> Result<bool> {
        Ok(self.get(root.id)?.is_some_and(|here| here.tree == root.tree && here.name == root.name))
    }

    /// Whether a state stands in the history with the time at which it was taken.
    pub(super) fn has_history(&self, root: &Root) -> Result<bool> {
        for kept in self.history(root.taken, root.taken)? {
            if kept?.tree == root.tree {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// With kept roots of a source. A snapshot that has the name of one of them, and is another one, gets a new name.
    pub(super) fn with_received(&self, offered: &[KeptRoot]) -> Result<Self> {
        let mut kept = self.clone();
        for root in offered {
            kept = kept.with_one_received(root)?;
        }
        Ok(kept)
    }

    fn with_one_received(&self, root: &KeptRoot) -> Result<Self> {
        let here = self.get(root.id)?;
        let is_other = here.as_ref().is_some_and(|here| here.tree != root.tree);
        let id = if is_other { self.free_id(root.id.kind, root.taken())? } else { root.id };
        let same = here.filter(|_| !is_other);
        let mut kept = self.clone();
        let mut changes = Changes::default();
        if let Some(name) = root.snapshot_name() {
            if let Some(same) = same.as_ref().filter(|same| same.name != name) {
                changes.delete_name(&same.name);
            }
            if let Some(other) = self.snapshot_named(name)?.filter(|other| other.root.id != id) {
                kept = kept.with_snapshot_renamed(&other, &self.free_name(name)?)?;
            }
            changes.put_name(name, id);
        }
        let is_held = same.map_or(root.is_held, |same| same.is_held);
        changes.put(&KeptRoot { id, is_held, ..root.clone() });
        kept.with(changes)
    }

    fn snapshot_named(&self, name: &str) -> Result<Option<super::Snapshot>> {
        match self.snapshot(name) {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(super::SnapshotError::Volume(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// A name for a snapshot whose name another one needs.
    fn free_name(&self, name: &str) -> Result<String> {
        let stem: String = match name.starts_with(labels::SEALED) {
            true => name.chars().take_while(|character| *character != labels::NUMBER).collect(),
            false => name.chars().take(crate::limits::SNAPSHOT_NAME_BYTES_MAX / 8).collect(),
        };
        for number in 1u64.. {
            let candidate = format!("{stem}{}{number}", labels::NUMBER);
            if self.tree.get(&key::by_name(&candidate))?.is_none() {
                return Ok(candidate);
            }
        }
        unreachable!("there are more numbers than snapshots")
    }
}

fn is_history(root: &KeptRoot) -> bool {
    root.id.kind == Kind::History
}
