//! Kept states lose inodes: a tree without them takes the place of each that has them.

use super::footprint::{Footprint, Names};
use super::{EraseError, Result};
use crate::kept::{Kept, Meeting, Peer};
use crate::limits::{ERASE_BATCH_STATES, UNPIN_TIME_MAX};
use crate::{Inode, KeptId, KeptRoot, Timestamp, Volume};
use block::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;
use tree::{Nodes, Tree};

/// All that is kept, by state. Nothing of it is collected as long as this is there.
pub(super) struct StatesOfPast {
    #[allow(dead_code, reason = "held, not read")]
    kept: Kept,
    states: BTreeMap<Name, Holders>,
    nodes: Arc<Nodes>,
}

/// Who keeps a state.
#[derive(Default)]
pub(super) struct Holders {
    pub(super) roots: Vec<KeptRoot>,
    pub(super) meetings: Vec<(Peer, Meeting)>,
}

impl StatesOfPast {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Tree, &Holders)> {
        self.states.iter().map(|(name, holders)| (Tree::new(self.nodes.clone(), Some(*name)), holders))
    }
}

/// What takes the place of a state.
pub(crate) struct Edited {
    pub(crate) tree: Tree,
    /// What went.
    pub(crate) inodes: u64,
    pub(crate) counted_bytes: u64,
}

/// What takes the place of some states, by the roots of their trees.
pub(crate) type EditedStates = BTreeMap<Name, Edited>;

impl Volume {
    pub(super) fn states_of_past(&self) -> Result<StatesOfPast> {
        let kept = Kept::clone(&self.kept());
        let mut states: BTreeMap<Name, Holders> = BTreeMap::new();
        for root in kept.roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = root?;
            self.check_kept(&root)?;
            if let Some(tree) = root.tree {
                states.entry(tree).or_default().roots.push(self.contents.named(root));
            }
        }
        for (peer, meeting) in kept.meetings()? {
            if let Some(tree) = meeting.tree {
                states.entry(tree).or_default().meetings.push((peer, meeting));
            }
        }
        Ok(StatesOfPast { kept, states, nodes: self.contents.nodes.clone() })
    }

    /// Takes inodes out of all kept states, some at a time.
    pub(super) fn erase_kept(&self, targets: &BTreeSet<Inode>) -> Result<()> {
        let past = self.states_of_past()?;
        let (mut names, mut edited) = (Names::default(), EditedStates::new());
        for (tree, _) in past.iter() {
            let footprint = Footprint::of(&tree, targets, &mut names)?;
            let (false, Some(root)) = (footprint.is_empty(), tree.root()) else { continue };
            let (inodes, counted_bytes) = footprint.counts();
            let tree = self.shared.store.with_reserve(|| tree.apply(footprint.edits()?).map_err(crate::Error::from))?;
            edited.insert(root, Edited { tree, inodes, counted_bytes });
            if edited.len() == ERASE_BATCH_STATES {
                self.replace_kept(&std::mem::take(&mut edited))?;
            }
        }
        self.replace_kept(&edited)
    }

    /// Refuses kept roots that somebody reads: what is read stays in the store.
    pub(super) fn check_unused(&self, roots: &[KeptRoot]) -> Result<()> {
        let used = self.still_used(roots);
        if used.is_empty() { Ok(()) } else { Err(EraseError::InUse { states: used }) }
    }

    /// Those of some kept roots that somebody goes on reading although the kernel was asked to drop what it need not have.
    fn still_used(&self, roots: &[KeptRoot]) -> Vec<String> {
        roots.iter().for_each(|root| self.tell_watchers(|watcher| watcher.drop_unused_views(root.id)));
        let until = Instant::now() + UNPIN_TIME_MAX;
        let is_used = |root: &&KeptRoot| {
            let left = until.saturating_duration_since(Instant::now());
            !self.pins.wait_unpinned(root.id, left)
        };
        roots.iter().filter(is_used).map(called).collect()
    }

    /// Puts other states in the places of some, durably, all of them or none.
    fn replace_kept(&self, edited: &EditedStates) -> Result<()> {
        if edited.is_empty() {
            return Ok(());
        }
        let mut checkpointing = self.begin_checkpoint()?;
        let mut roots = Vec::new();
        for root in self.kept().roots(Timestamp::FIRST, Timestamp::LAST)? {
            let root = root?;
            if root.tree.is_some_and(|tree| edited.contains_key(&tree)) {
                roots.push(self.contents.named(root));
            }
        }
        let ids: Vec<KeptId> = roots.iter().map(KeptRoot::id).collect();
        let (_going, pinned) = self.pins.let_go(ids);
        if !pinned.is_empty() {
            let used = roots.iter().filter(|root| pinned.contains(&root.id));
            return Err(EraseError::InUse { states: used.map(called).collect() });
        }
        let encryption = self.contents.encryption.as_ref();
        self.checkpoint_keeping(&mut checkpointing, |kept, _| kept.with_edited(edited, encryption))?;
        drop(checkpointing);
        self.tell_watchers(|watcher| watcher.snapshots_changed());
        Ok(())
    }
}

fn called(root: &KeptRoot) -> String {
    match root.snapshot_name() {
        Some(name) => name.to_owned(),
        None => format!("@{}", root.id),
    }
}
