//! Two-way syncs: two writable volumes of one identity, each with changes of its own, get one state: `docs/decisions/0014-two-way.md`.
//!
//! ```text
//!   ours                                         theirs
//!    | look, look: the newest states, and what each side has had            |
//!    | <----- blocks of theirs that ours lacks ---------------------------- |
//!    | merge: ours has the merged state, durably                            |
//!    | ------ blocks of the merged state that theirs lacks ---------------> |
//!    |                         adopt, if theirs is still what it was: else round again
//! ```
//!
//! Invariants:
//!
//! - Each side changes with one durable root record, and keeps what it had as history. So a sync that is cut off anywhere leaves both
//!   sides whole, and the next one goes on: what ours has merged is in common from then on.
//! - Nothing is kept for it beside the state that both had in common last.

mod local;
mod peer;

pub use local::LocalPeer;
pub use peer::{Adoption, Line, LineKind, Looked, Merge, MergeResult, PeerVolume};

use crate::limits::MERGE_ROUNDS_MAX;
use crate::sync::Imagined;
use crate::transfer::{Base, Progress, Sent, TransferOptions, transfer};
use crate::{Error, Result, Target};
use block::Name;
use volume::common_state;

/// How a two-way sync is to behave.
#[derive(Default)]
pub struct BothOptions<'a> {
    /// The most bytes per second, either way.
    pub bytes_per_second_max: Option<u64>,
    /// Is told how far the transfers are, some times a second.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Change nothing, only find out what would change.
    pub is_dry_run: bool,
    /// What the names of conflicts say of the other side.
    pub label: &'a str,
}

/// What a two-way sync did.
#[derive(Clone, Debug, Default)]
pub struct Both {
    /// What changed here, what changed there, and the conflicts.
    pub lines: Vec<Line>,
    /// What came.
    pub received: Sent,
    /// What went.
    pub sent: Sent,
    /// The root that both have.
    pub root: Option<Name>,
    /// Whether the two sides had a state in common to begin with.
    pub had_base: bool,
    /// How often it went round.
    pub rounds: usize,
}

/// Brings both sides to one state. Both have it, durably, when this returns.
pub fn sync_both(ours: &dyn PeerVolume, theirs: &dyn PeerVolume, options: &BothOptions<'_>) -> Result<Both> {
    let mut both = Both::default();
    for round in 1..=MERGE_ROUNDS_MAX {
        both.rounds = round;
        let (here, there) = (ours.look()?, theirs.look()?);
        check(&here, &there)?;
        if go_round(ours, theirs, (&here, &there), options, &mut both)? {
            both.lines.sort();
            both.lines.dedup();
            return Ok(both);
        }
    }
    Err(Error::Restless { volume: theirs.look()?.name })
}

fn check(here: &Looked, there: &Looked) -> Result<()> {
    for (looked, place) in [(here, "this side"), (there, "the other side")] {
        if looked.is_replica {
            return Err(Error::OnlyFollows { volume: looked.name.clone(), place });
        }
    }
    if here.identity != there.identity || here.peer == there.peer {
        return Err(Error::Strangers { ours: here.name.clone(), theirs: there.name.clone() });
    }
    Ok(())
}

/// False if theirs has changed meanwhile.
fn go_round(
    ours: &dyn PeerVolume,
    theirs: &dyn PeerVolume,
    (here, there): (&Looked, &Looked),
    options: &BothOptions<'_>,
    both: &mut Both,
) -> Result<bool> {
    let (root_here, root_there) = (here.state.tree(), there.state.tree());
    let base = common_state((&here.past, &there.peer), (&there.past, &here.peer));
    both.had_base = base.is_some();
    both.root = root_here;
    if root_here == root_there {
        return if options.is_dry_run { Ok(true) } else { meet(ours, theirs, (here, there), root_here).map(|()| true) };
    }
    let received = send((theirs, ours), root_there, known(ours, root_here), options)?;
    both.received.add(received);
    let label = options.label.to_owned();
    let merge = Merge { theirs: there.state, base, peer: there.peer, label, is_dry_run: options.is_dry_run };
    let MergeResult { state, lines } = ours.merge(&merge)?;
    both.lines.extend(lines);
    both.root = state.tree();
    if options.is_dry_run {
        let imagined = Imagined::beside(theirs);
        let options = transfer_options(known(ours, root_there), options);
        both.sent.add(transfer(ours, &imagined, state.tree().into_iter().collect(), &options)?);
        return Ok(true);
    }
    both.sent.add(send((ours, theirs), state.tree(), known(ours, root_there), options)?);
    let adoption = Adoption { state, expected: root_there, peer: here.peer, base: base.unwrap_or_default() };
    let is_adopted = theirs.adopt(&adoption)?;
    if is_adopted {
        ours.note_meeting(there.peer, state.tree())?;
    }
    Ok(is_adopted)
}

/// Both have the same already.
fn meet(
    ours: &dyn PeerVolume,
    theirs: &dyn PeerVolume,
    (here, there): (&Looked, &Looked),
    root: Option<Name>,
) -> Result<()> {
    let is_noted =
        |side: &Looked, other: &Looked| side.past.meetings.get(&other.peer).is_some_and(|meeting| meeting.tree == root);
    if !is_noted(there, here) {
        theirs.note_meeting(here.peer, root)?;
    }
    if !is_noted(here, there) {
        ours.note_meeting(there.peer, root)?;
    }
    Ok(())
}

/// A state that the target has and that can be read here.
fn known(ours: &dyn PeerVolume, root: Option<Name>) -> Option<Base<'_>> {
    let (store, root) = ours.store().zip(root)?;
    Some(Base { store, roots: vec![root] })
}

fn send(
    (from, to): (&dyn PeerVolume, &dyn PeerVolume),
    root: Option<Name>,
    base: Option<Base<'_>>,
    options: &BothOptions<'_>,
) -> Result<Sent> {
    let to: &dyn Target = to;
    transfer(from, to, root.into_iter().collect(), &transfer_options(base, options))
}

fn transfer_options<'a>(base: Option<Base<'a>>, options: &BothOptions<'a>) -> TransferOptions<'a> {
    TransferOptions { bytes_per_second_max: options.bytes_per_second_max, progress: options.progress, base }
}
