//! A purge: after it, nothing that is dead is left in the store, of all that lay there before.
//!
//! An ordinary collection leaves what costs too much to remove, and what it cannot tell for sure. A purge goes on in a new segment of the
//! log, writes the newest root of each volume and of the catalog anew there, and so makes journals and roots before it needless. Then a
//! collection rewrites every segment that has anything dead ([`Thrift::Purge`]).
//!
//! Invariant: an erase is noted in the catalog before it changes anything, and the note goes when a purge has ended well that began after
//! it.

use crate::limits::PURGE_ROUNDS_MAX;
use crate::live::Living;
use crate::shared::Shared;
use crate::{Error, Result};
use block::{Blocks, Collection, Name, Thrift};
use std::collections::HashSet;

/// What a purge left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many of the blocks that were looked for are still in the store, since something needs them.
    pub still_needed: u64,
    /// What these take there, in bytes.
    pub still_needed_bytes: u64,
}

/// A purge that is to be made.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Blocks that are looked for afterwards.
    blocks: HashSet<Name>,
    /// Trees that were in use when it was ordered, and were that of no state any more: what is erased may be in them.
    old: HashSet<Name>,
}

impl Order {
    /// To be made now.
    pub(crate) fn new(shared: &Shared, living: &Living, blocks: HashSet<Name>) -> Result<Self> {
        let mut old: HashSet<Name> = shared.trees_in_use().into_iter().collect();
        let mut is_newest = |root: Option<Name>| root.is_some_and(|root| old.remove(&root));
        is_newest(living.catalog.lock().tree().root());
        for volume in living.open_volumes() {
            let kept = volume.kept();
            is_newest(volume.layers.base.load().tree.root());
            is_newest(kept.root());
            for state in kept.states()?.into_keys() {
                is_newest(state);
            }
        }
        Ok(Self { blocks, old })
    }

    /// Together with one that was ordered before and is not made yet.
    pub(crate) fn with(mut self, before: &Self) -> Self {
        self.blocks.extend(&before.blocks);
        self.old.extend(&before.old);
        self
    }
}

/// Does one step of a collection; false when it has ended.
type Step<'a> = &'a mut dyn FnMut(&mut Collection<'_>) -> Result<bool>;

/// Purges. An error of a step ends it.
pub(crate) fn purge(shared: &Shared, living: &Living, order: &Order, step: Step<'_>) -> Result<Purged> {
    let number = living.catalog.lock().purge_due()?;
    let left = in_rounds(shared, living, order, step)?;
    shared.ledger.prune(shared)?;
    living.catalog.lock().note_purged(number, shared.environment.now())?;
    Ok(left)
}

fn in_rounds(shared: &Shared, living: &Living, order: &Order, step: Step<'_>) -> Result<Purged> {
    let Order { blocks, old } = order;
    let mut left = still_needed(shared, blocks)?;
    for _ in 0..PURGE_ROUNDS_MAX {
        begin_anew(shared, living, old)?;
        let held = Error::Busy("a transfer to a replica is under way; what was erased goes from the store after it");
        let mut collection = shared.store.begin_collection(living, Thrift::Purge)?.ok_or(held)?;
        let is_exact = collection.is_exact();
        while step(&mut collection)? {}
        drop(collection);
        if shared.store.collection_progress().damaged > 0 {
            return Err(block::Error::Corrupt { what: "a segment with what was erased is damaged".to_owned() }.into());
        }
        let now = still_needed(shared, blocks)?;
        // Where dead blocks may pass for alive, those that do so again and again are needed.
        let is_done = is_exact || !blocks.is_empty() && (now.still_needed == 0 || now == left);
        left = now;
        if is_done {
            break;
        }
    }
    Ok(left)
}

/// Whatever lies in the log before is needed for its blocks alone afterwards.
fn begin_anew(shared: &Shared, living: &Living, old: &HashSet<Name>) -> Result<()> {
    let volumes = living.open_volumes();
    if volumes.iter().any(|volume| volume.has_changes_while_locked()) {
        return Err(Error::Busy("a locked volume has changes behind its last checkpoint; unlock it"));
    }
    for volume in &volumes {
        volume.checkpoint()?;
    }
    if let Some(flusher) = &shared.flusher {
        flusher.settle();
    }
    shared.ledger.let_go(shared, &volumes);
    if shared.trees_in_use().iter().any(|tree| old.contains(tree)) {
        return Err(Error::Busy(
            "somebody still reads a state that had it, as a transfer to a replica or a scrub does",
        ));
    }
    shared.store.with_reserve(|| shared.store.begin_segment())?;
    for volume in &volumes {
        volume.renew_root()?;
    }
    living.catalog.lock().renew(shared.environment.now())?;
    shared.store.sync()?;
    Ok(shared.store.flush_index()?)
}

fn still_needed(shared: &Shared, blocks: &HashSet<Name>) -> Result<Purged> {
    let mut purged = Purged::default();
    for name in blocks {
        if let Some(bytes) = shared.store.bytes_of(name)? {
            purged.still_needed += 1;
            purged.still_needed_bytes += bytes;
        }
    }
    Ok(purged)
}
