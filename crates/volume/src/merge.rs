//! Three-way merge of two states of a volume that went on apart from each other: `docs/decisions/0014-two-way.md` has the table.
//!
//! ```text
//!   base -> ours     \                 plan (no I/O)             apply
//!                      changes  ------------------------>  actions  --->  tree of the merged state, on top of ours
//!   base -> theirs   /
//! ```
//!
//! Invariants:
//!
//! - **An object is what a user would call the same file**: an inode of the base, whatever its name; what replaced it under its
//!   name on one side (programs save so); what both sides made at one place with the same content.
//! - **What only one side changed is taken.** What both changed to different things is kept twice, and told.
//! - **Nothing comes back**: what one side deleted and the other left alone is gone.
//! - The merged state is made of ours: what the merge does not touch keeps its blocks.
//!
//! What this module deliberately does not know: where the states come from, and how the merged one comes into force.

mod apply;
mod changes;
mod known;
mod names;
mod objects;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use apply::orphans;
pub use plan::{Conflict, ConflictKind};

use crate::{Result, View};

/// What a merge made.
pub(crate) struct Merged {
    pub(crate) tree: tree::Tree,
    pub(crate) counters: crate::journal::Counters,
    pub(crate) conflicts: Vec<Conflict>,
}

/// Merges theirs into ours. `next_inode` is the number that ours would give next; `label` says in the names of conflicts whose
/// the other content is.
pub(crate) fn merge(
    base: &View,
    ours: &View,
    theirs: &View,
    counters: crate::journal::Counters,
    label: &str,
) -> Result<Merged> {
    let our_changes = changes::between(base, ours)?;
    let their_changes = changes::between(base, theirs)?;
    let known = known::Views { base, ours, theirs };
    let plan = plan::plan(&our_changes, &their_changes, &known, label)?;
    apply::apply(plan, ours, theirs, counters)
}
