//! What a two-way sync asks of each side.

use crate::{Result, Source, Target};
use block::{Name, Store};
use volume::{ConflictKind, Difference, Happened, Past, Peer, State, VolumeIdentity};

/// A volume as it is at a moment of a two-way sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Which volume it is.
    pub identity: VolumeIdentity,
    /// Its name in its pool.
    pub name: String,
    /// Which store it is in.
    pub peer: Peer,
    /// Whether it only follows another one.
    pub is_replica: bool,
    /// Its state, with everything that was accepted so far.
    pub state: State,
    /// What it has had.
    pub past: Past,
}

/// What a side is to merge into its own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The other side's state, which was sent.
    pub theirs: State,
    /// The root that both come from, if there is one.
    pub base: Option<Option<Name>>,
    /// The other side.
    pub peer: Peer,
    /// What the names of conflicts say of it.
    pub label: String,
    /// Find out only.
    pub is_dry_run: bool,
}

/// What a merge made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeResult {
    /// The merged state, which the side has now.
    pub state: State,
    /// What is in it.
    pub lines: Vec<Line>,
}

/// A merged state that a side is to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The state, which was sent.
    pub state: State,
    /// The root that the side had when it was merged.
    pub expected: Option<Name>,
    /// The other side.
    pub peer: Peer,
    /// The root that both came from.
    pub base: Option<Name>,
}

/// What a line of a merge is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// A name changed on the side that merges.
    Here(Happened),
    /// A name changes on the other side.
    There(Happened),
    /// The two sides did not agree.
    Conflict(ConflictKind),
}

/// What a merge did to a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// What happened.
    pub kind: LineKind,
    /// The path.
    pub path: Vec<u8>,
    /// The path before, or that of the other version of a conflict.
    pub other: Option<Vec<u8>>,
}

impl Line {
    pub(super) fn of(kind: impl Fn(Happened) -> LineKind) -> impl Fn(Difference) -> Self {
        move |difference| {
            let Difference { happened, path, path_before, .. } = difference;
            Self { kind: kind(happened), path, other: path_before }
        }
    }
}

/// A writable volume that takes part in a two-way sync. As a source it gives what it has, also what a merge has just made.
pub trait PeerVolume: Source + Target {
    /// How it is now.
    fn look(&self) -> Result<Looked>;

    /// Its store, if this process has it.
    fn store(&self) -> Option<&Store> {
        None
    }

    /// Merges the other side's state into its own.
    fn merge(&self, merge: &Merge) -> Result<MergeResult>;

    /// Takes a merged state over, unless it has changed since: then it is false.
    fn adopt(&self, adoption: &Adoption) -> Result<bool>;

    /// Notes that the other side has a root as its own.
    fn note_meeting(&self, peer: Peer, root: Option<Name>) -> Result<()>;
}
