//! Making volumes writable again whose root or journal is damaged, with the newest state that is whole.
//!
//! A volume whose journal is damaged goes on with the last state before the damage. One whose root is damaged falls back to the newest
//! of these: an older root in the log, with the journal behind it as far as that goes, or a kept state. One of which nothing is left
//! begins anew, empty. A new root record then makes everything before it needless, so the damage does not show again.
//!
//! On a store that is open to be read only the pool is as it would be then, and nothing is written.

use crate::catalog::VolumeId;
use crate::kept::Kept;
use crate::root::Root;
use crate::shared::Shared;
use crate::{Result, Timestamp};
use block::{Blocks, Name, Position, RecordKind};

/// What became of a damaged volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedVolume {
    /// Which.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
    /// What was damaged.
    pub what: String,
    /// What it goes on with.
    pub outcome: Fallback,
}

/// What a repaired volume goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The newest checkpoint, and its journal up to the damage.
    Journal {
        /// When the checkpoint was made.
        checkpoint: Timestamp,
    },
    /// An older checkpoint, and its journal as far as that could be read.
    OlderRoot {
        /// When the checkpoint was made.
        checkpoint: Timestamp,
    },
    /// A state that was kept: a snapshot, or one of the history.
    Kept {
        /// When it was the volume's state.
        taken: Timestamp,
    },
    /// Nothing: it begins anew, empty.
    Empty,
}

impl Fallback {
    /// Whether states that the volume had are lost, not only changes that were in none.
    pub(crate) fn is_earlier_state(self) -> bool {
        !matches!(self, Self::Journal { .. })
    }
}

/// A root that takes the place of a damaged one.
pub(crate) struct Replacement {
    pub(crate) root: Root,
    pub(crate) outcome: Fallback,
}

/// Whether the root of a tree can be read.
pub(crate) fn is_readable(shared: &Shared, tree: Option<Name>) -> Result<bool> {
    match tree.map(|name| shared.store.get(&name)).transpose().map_err(crate::Error::from) {
        Err(error) if error.is_damage() => Ok(false),
        read => read.map(|_| true),
    }
}

/// The newest whole state of a volume; `None` if there is none. `newest` is its newest root, if that can be read and its tree cannot.
pub(crate) fn newest_whole(shared: &Shared, volume: VolumeId, newest: Option<&Root>) -> Result<Option<Replacement>> {
    let older = older_root(shared, volume)?;
    // What an encrypted one keeps cannot be read without its key.
    let kept =
        newest.filter(|newest| newest.sealed.is_none()).map(|newest| kept_state(shared, newest)).transpose()?.flatten();
    let older = older.map(|root| {
        let outcome = Fallback::OlderRoot { checkpoint: root.taken };
        Replacement { root, outcome }
    });
    Ok([older, kept].into_iter().flatten().max_by_key(|replacement| replacement.root.taken))
}

/// The newest root in the log whose tree can be read.
fn older_root(shared: &Shared, volume: VolumeId) -> Result<Option<Root>> {
    let mut roots = Vec::new();
    let mut visit = |stored: block::StoredRecord| {
        if stored.record.kind == RecordKind::Root && stored.record.stream == volume.0 {
            roots.extend(Root::parse(&stored.record));
        }
        Ok(())
    };
    shared.store.records_past_damage(Position::START, &mut visit, &mut |_| {})?;
    while let Some(root) = roots.pop() {
        if is_readable(shared, root.tree)? {
            return Ok(Some(root));
        }
    }
    Ok(None)
}

/// The newest state that a root keeps and whose tree can be read.
fn kept_state(shared: &Shared, root: &Root) -> Result<Option<Replacement>> {
    let kept = Kept::new(shared.plain.nodes.clone(), root.kept);
    let (first, last) =
        (Timestamp { seconds: i64::MIN, nanoseconds: 0 }, Timestamp { seconds: i64::MAX, nanoseconds: 0 });
    let states = match kept.roots(first, last) {
        Err(error) if error.is_damage() => return Ok(None),
        states => states?,
    };
    // What lies behind a damaged node of the kept tree is not reached, so the newest that is found may not be the newest there is.
    let mut found = states.map_while(Result::ok).collect::<Vec<_>>();
    while let Some(state) = found.pop() {
        if is_readable(shared, state.tree())? {
            let taken = state.taken();
            let first = state.first_root(taken, shared.store.position(), None);
            let root = Root { kept: root.kept, sequence: root.sequence, ..first };
            return Ok(Some(Replacement { root, outcome: Fallback::Kept { taken } }));
        }
    }
    Ok(None)
}
