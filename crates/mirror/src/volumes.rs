//! Volumes as the two sides of a sync.

use crate::{Result, Source, Target};
use block::Store;
use volume::{KeptRoot, State, VolumeIdentity, Witnesses};

/// A volume that is copied from, and the state that it had when it was opened for that.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Which volume it is.
    pub identity: VolumeIdentity,
    /// Its name in its pool.
    pub name: String,
    /// The state that is to be copied.
    pub state: State,
    /// Who has that state as its own.
    pub witnesses: Witnesses,
    /// What it keeps of its past, the oldest first.
    pub kept: Vec<KeptRoot>,
}

/// A volume that is copied from.
pub trait SourceVolume: Source {
    /// Which one, and the state that is copied.
    fn origin(&self) -> &Origin;

    /// Its store, if this process has it.
    fn store(&self) -> Option<&Store> {
        None
    }
}

/// A replica that is brought to a state.
pub trait ReplicaVolume: Target {
    /// Its name in its pool.
    fn name(&self) -> &str;

    /// The state that it had when it was opened.
    fn held(&self) -> State;

    /// Its store, if this process has it.
    fn store(&self) -> Option<&Store> {
        None
    }

    /// Those of the kept roots that it does not have and that its own retention wants.
    fn wanted(&self, offered: &[KeptRoot]) -> Result<Vec<KeptRoot>>;

    /// Puts a state in force, with kept roots that it wanted: everything below them is there. Notes who had the state. Durable when
    /// it returns.
    fn receive(&self, state: &State, witnesses: &Witnesses, kept: &[KeptRoot]) -> Result<()>;
}

/// How a replica is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaMode {
    /// Make it if there is none.
    pub create: bool,
    /// Take a volume that was promoted, or is the former source, for a replica again. What it has stays in its history.
    pub replace: bool,
}

/// A volume of a place, in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which volume it is, or is a replica of.
    pub identity: VolumeIdentity,
    /// Its name there.
    pub name: String,
    /// Whether it is a replica.
    pub is_replica: bool,
    /// Whether a sync to it was begun and not ended.
    pub is_partial: bool,
    /// Whether it has changes that are in no checkpoint yet.
    pub has_changes: bool,
    /// The state of its last checkpoint, or that a replica has.
    pub state: State,
}
