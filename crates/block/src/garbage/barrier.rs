//! What stands between the writers and a collection.
//!
//! A writer that finds its block in the store does not write it. So it must be certain that the block stays: while a collection
//! is marking, the writer marks the block; once marking has ended, a block that is not marked counts as not there, and is
//! written anew at the head. A writer decides under the shared lock, and the collection goes from one phase to the next under
//! the exclusive one, so no writer decides by a phase that is over.

use super::marks::Marks;
use crate::{Location, Name, Position};
use parking_lot::{RwLock, RwLockReadGuard};
use std::sync::Arc;

/// Which blocks that are in the store may be relied on.
#[derive(Default)]
pub(crate) struct Barrier {
    phase: RwLock<Phase>,
}

#[derive(Clone, Default)]
enum Phase {
    /// Nothing is being removed from the index.
    #[default]
    Quiet,
    Marking(Arc<Marks>),
    Sweeping(Arc<Marks>),
}

/// A writer's decision is under way.
pub(crate) struct Deciding<'a>(RwLockReadGuard<'a, Phase>);

impl Barrier {
    /// Begins a decision. The block must be looked up after this.
    pub(crate) fn decide(&self) -> Deciding<'_> {
        Deciding(self.phase.read())
    }

    /// From now on blocks that are put again get marked. `marks` is called while no writer is deciding.
    pub(super) fn begin_marking(&self, marks: impl FnOnce() -> Arc<Marks>) -> Arc<Marks> {
        let mut phase = self.phase.write();
        let marks = marks();
        *phase = Phase::Marking(marks.clone());
        marks
    }

    /// From now on blocks that are not marked count as not there. Not if some were revived and not yet followed: they are handed
    /// out, to be marked first.
    pub(super) fn begin_sweeping(&self) -> Result<(), Vec<Name>> {
        let mut phase = self.phase.write();
        let Phase::Marking(marks) = &*phase else { return Ok(()) };
        let revived = marks.take_revived();
        if !revived.is_empty() {
            return Err(revived);
        }
        *phase = Phase::Sweeping(marks.clone());
        Ok(())
    }

    /// From now on what is in the index is there.
    pub(super) fn end(&self) {
        *self.phase.write() = Phase::Quiet;
    }
}

impl Deciding<'_> {
    /// Whether a block that was found may be relied on, with all that it links to. `whole_from` is the place below which blocks
    /// with links may lack what they link to.
    pub(crate) fn may_rely_on(&self, name: &Name, location: &Location, whole_from: Position) -> bool {
        let is_whole = !location.has_links || location.position >= whole_from;
        match &*self.0 {
            Phase::Quiet => is_whole,
            Phase::Marking(marks) => is_whole && marks.revive(name, location),
            Phase::Sweeping(marks) => marks.is_alive(name, location),
        }
    }
}
