//! Two volumes of one identity that both go on: merging what the other one did, and taking over what was merged.
//!
//! Both sides change by one durable root record, behind which the state before is history. What is open stays so: an inode without
//! a name belongs to the place where somebody has it open, so it is part of no merged state, and is carried over.

use crate::journal::Counters;
use crate::kept::{Age, Kept, Meeting, Peer};
use crate::key;
use crate::limits::{INODE_LANE_BITS, INODE_LANES_TRIED_MAX, INODE_NUMBER_MAX};
use crate::merge::{self, Conflict, Merged, orphans};
use crate::root::Root;
use crate::{Attributes, Difference, Error, Inode, Result, State, Timestamp, View, Volume, difference, record};
use block::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use tree::{Edit, Tree};

/// What a side has had so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The roots of the states that it has or keeps, with when each came there first, by its clock.
    pub states: BTreeMap<Option<Name>, Timestamp>,
    /// The states in which it met others.
    pub meetings: BTreeMap<Peer, Meeting>,
    /// How old it is.
    pub age: Age,
}

impl Past {
    /// When this side had a state of which another one says so. What came since comes from that state.
    fn had(&self, meeting: &Meeting) -> Option<Timestamp> {
        meeting.witness.filter(|witness| self.age.continues(witness.age)).map(|witness| witness.taken)
    }
}

/// The newest state that two sides had, each given with the other's store: what was met counts from when it was met, anything else
/// from when ours had it first, so that going back on one side is a change like any other. `None` if they have nothing in common.
pub fn common_state((ours, them): (&Past, &Peer), (theirs, us): (&Past, &Peer)) -> Option<Option<Name>> {
    let (met_here, met_there) = (ours.meetings.get(them), theirs.meetings.get(us));
    let mut states = ours.states.clone();
    if let Some((meeting, had)) = met_there.and_then(|meeting| Some((meeting, ours.had(meeting)?))) {
        states.insert(meeting.tree, had);
    }
    if let Some(Meeting { tree, noted, witness }) = met_here {
        // The two clocks may differ: no state of the other side's that came before is newer than this one.
        states.insert(*tree, witness.map_or(*noted, |witness| witness.taken.max(*noted)));
    }
    let is_met = |tree| {
        let had_there = met_here.filter(|meeting| theirs.had(meeting).is_some());
        [met_there, had_there].into_iter().flatten().any(|meeting| meeting.tree == tree)
    };
    let common = states.into_iter().filter(|(tree, _)| theirs.states.contains_key(tree) || is_met(*tree));
    common.max_by_key(|(_, since)| *since).map(|(tree, _)| tree)
}

/// What is to be merged.
pub struct MergeRequest<'a> {
    /// The other side's state. All of it is here.
    pub theirs: &'a State,
    /// The state that both come from; `None` if there is none.
    pub base: Option<Option<Name>>,
    /// The other side.
    pub peer: Peer,
    /// What the names of conflicts say of the other side.
    pub label: &'a str,
    /// Find out only.
    pub is_dry_run: bool,
}

/// What a merge made.
pub struct MergeOutcome {
    /// The merged state, without what only this side has open.
    pub state: State,
    /// What could not simply be joined.
    pub conflicts: Vec<Conflict>,
    /// What differs for this side.
    pub taken: Vec<Difference>,
    /// What differs for the other side.
    pub given: Vec<Difference>,
    /// What it is made of is no garbage as long as somebody has this.
    _trees: Vec<Tree>,
}

/// A merged state that is to be taken over.
pub struct Adopting<'a> {
    /// The state. All of it is here.
    pub state: &'a State,
    /// The root that it was made for: what the volume had then.
    pub expected: Option<Name>,
    /// The other side.
    pub peer: Peer,
    /// The other side's state that is in it, if it is to be kept.
    pub includes: Option<&'a State>,
    /// The state that both came from.
    pub base: Option<Name>,
    /// Whether the other side gives numbers of inodes in its lane.
    pub leaves_lane: bool,
}

impl Volume {
    /// What this volume has had, for a sync with another one.
    pub fn past(&self) -> Result<Past> {
        let kept = self.kept();
        let mut states = kept.states()?;
        let last = self.state();
        states.entry(last.tree).or_insert(last.taken);
        let mut meetings = kept.meetings()?;
        if let Some(encryption) = &self.contents.encryption {
            meetings.iter_mut().for_each(|(peer, meeting)| *meeting = encryption.believed(peer, *meeting));
        }
        Ok(Past { states, meetings, age: self.age()? })
    }

    /// How old the state is that the last checkpoint made durable.
    pub(crate) fn age(&self) -> Result<Age> {
        Ok(Age { incarnation: self.kept().incarnation()?, sequence: self.last_checkpoint.lock().sequence })
    }

    /// Merges another side's state into this one. Writers go on meanwhile; at the end they wait while what they wrote is merged too.
    pub fn merge_in(&self, request: &MergeRequest<'_>) -> Result<MergeOutcome> {
        self.check_peer_state(request.theirs)?;
        let base = self.view_of(request.base.unwrap_or_default());
        let theirs = self.view_of(request.theirs.tree);
        self.checkpoint()?;
        let first = self.state();
        let ours = self.view_of(first.tree);
        let Merged { tree, counters, mut conflicts, .. } =
            merge::merge(&base, &ours, &theirs, first.counters, request.label)?;
        let mut merged = self.state_of(tree.root(), counters)?;
        let mut trees = vec![tree];
        let mut is_new = merged.tree != first.tree;
        if !request.is_dry_run && is_new {
            let mut checkpointing = self.begin_checkpoint()?;
            let mut carried = Carried::default();
            self.checkpoint_replacing(&mut checkpointing, |kept, before| {
                if before.tree != first.tree {
                    let (base, ours, theirs) =
                        (self.view_of(first.tree), self.view_of(before.tree), self.view_of(merged.tree));
                    let again = merge::merge(&base, &ours, &theirs, before.counters, request.label)?;
                    merged = self.state_of(again.tree.root(), again.counters)?;
                    trees.push(again.tree);
                    conflicts.extend(again.conflicts);
                }
                let adopting = Adopting {
                    state: &merged,
                    expected: before.tree,
                    peer: request.peer,
                    includes: Some(request.theirs),
                    base: request.base.unwrap_or_default(),
                    leaves_lane: false,
                };
                self.adopted(kept, before, &adopting, &mut carried)
            })?;
            drop(checkpointing);
            self.tell_of_adoption(&carried);
        }
        is_new |= merged.tree != request.theirs.tree;
        let after = self.view_of(merged.tree);
        let (taken, given) = match is_new {
            true => (difference::differences(&ours, &after)?, difference::differences(&theirs, &after)?),
            false => (Vec::new(), Vec::new()),
        };
        trees.extend([&base, &ours, &theirs].map(|view| view.layers.base.load().tree.clone()));
        Ok(MergeOutcome { state: merged, conflicts, taken, given, _trees: trees })
    }

    /// Takes over a merged state, unless the volume has changed since: then it is false, and nothing has happened.
    pub fn adopt(&self, adopting: &Adopting<'_>) -> Result<bool> {
        self.check_peer_state(adopting.state)?;
        let (mut is_adopted, mut carried) = (false, Carried::default());
        {
            let mut checkpointing = self.begin_checkpoint()?;
            self.checkpoint_replacing(&mut checkpointing, |kept, before| {
                is_adopted = before.tree == adopting.expected;
                match is_adopted {
                    true => self.adopted(kept, before, adopting, &mut carried),
                    false => Ok((kept.clone(), before.clone().tagged(&self.contents)?)),
                }
            })?;
        }
        if is_adopted {
            self.tell_of_adoption(&carried);
        }
        Ok(is_adopted)
    }

    /// Notes that the other side has a state of this volume as its own.
    pub fn note_meeting(&self, peer: Peer, tree: Option<Name>) -> Result<()> {
        if self.kept().meetings()?.get(&peer).is_some_and(|meeting| meeting.tree == tree) {
            return Ok(());
        }
        let mut checkpointing = self.begin_checkpoint()?;
        let keep = |kept: &Kept, _: &Root| kept.with_meeting(peer, Meeting { tree, noted: self.now(), witness: None });
        self.checkpoint_keeping(&mut checkpointing, keep)
    }

    fn check_peer_state(&self, state: &State) -> Result<()> {
        if self.is_replica() {
            return Err(Error::Replica);
        }
        if state.hash_seed != self.hash_seed || state.is_encrypted() != self.state().is_encrypted() {
            return Err(Error::NotPermitted("the state is that of another volume"));
        }
        Ok(())
    }

    fn view_of(&self, root: Option<Name>) -> View {
        View::new(root, self.hash_seed, self.contents.clone())
    }

    fn state_of(&self, tree: Option<Name>, counters: Counters) -> Result<State> {
        let root = Root { tree, counters, taken: self.now(), ..self.last_root(0) }.tagged(&self.contents)?;
        let Root { hash_seed, taken, sealed, .. } = root;
        Ok(State { tree, counters, hash_seed, taken, sealed })
    }

    /// What is kept then, and the root that comes into force, given the one of the state before.
    fn adopted(
        &self,
        kept: &Kept,
        before: &Root,
        adopting: &Adopting<'_>,
        carried: &mut Carried,
    ) -> Result<(Kept, Root)> {
        let state = adopting.state;
        let (old, new) = (self.view_of(before.tree), self.view_of(state.tree));
        *carried = self.carry_over(&old, &new, adopting.base)?;
        let tree = new.layers.base.load().tree.apply(std::mem::take(&mut carried.edits))?;
        let mut counters = state.counters;
        counters.inodes += carried.inodes;
        counters.allocated_bytes += carried.allocated_bytes;
        counters.next_inode = self.next_inode(before.counters.next_inode, adopting, &tree)?;
        let taken = self.now();
        let root = |tree, counters| Root { tree, counters, taken, ..before.clone() }.tagged(&self.contents);
        let mut kept = kept.clone();
        let mut met = state.tree;
        if let Some(theirs) = adopting.includes {
            kept = kept.with_history(&root(theirs.tree, theirs.counters)?, &[])?;
            met = theirs.tree;
        }
        let adopted = root(tree.root(), counters)?;
        if adopted.tree != before.tree {
            kept = kept.with_history(&adopted, &[])?;
        }
        kept = kept.with_meeting(adopting.peer, Meeting { tree: met, noted: taken, witness: None })?;
        Ok((kept, adopted))
    }

    /// The number that the next inode gets here: none that the other side will give.
    fn next_inode(&self, ours: u64, adopting: &Adopting<'_>, tree: &Tree) -> Result<u64> {
        let theirs = adopting.state.counters.next_inode;
        let lane = |number: u64| number >> INODE_LANE_BITS;
        if lane(ours) != lane(theirs) {
            return Ok(ours);
        }
        if !adopting.leaves_lane {
            return Ok(ours.max(theirs));
        }
        Ok(self.free_lane(tree)?.unwrap_or(ours.max(theirs)))
    }

    /// The first number of a lane in which a tree has no inode; `None` if none was found: numbers that two sides give are told apart
    /// when they meet.
    fn free_lane(&self, tree: &Tree) -> Result<Option<u64>> {
        let lanes = INODE_NUMBER_MAX >> INODE_LANE_BITS;
        for _ in 0..INODE_LANES_TRIED_MAX {
            let first = (1 + self.shared.environment.random() % (lanes - 1)) << INODE_LANE_BITS;
            let last = Inode(first + (1 << INODE_LANE_BITS) - 1);
            let below = tree.floor(&key::end_of(last))?.and_then(|(key, _)| key::parse(&key).map(|(inode, ..)| inode));
            if below.is_none_or(|inode| inode.0 < first) {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }

    /// From now on numbers of inodes are given here that nobody else gives: the volume goes on apart from its source. A locked one
    /// leaves when it is unlocked.
    pub(crate) fn leave_lane(&self) -> Result<()> {
        let mut checkpointing = self.begin_checkpoint()?;
        if self.is_locked() {
            return self.checkpoint_keeping(&mut checkpointing, |kept, _| kept.in_shared_lane(true));
        }
        let tree = self.layers.base.load().tree.clone();
        let before = self.counts.get();
        let next_inode = self.free_lane(&tree)?.unwrap_or(before.next_inode);
        self.counts.set(Counters { next_inode, ..before });
        self.checkpoint_keeping(&mut checkpointing, |kept, _| kept.in_shared_lane(false))
    }

    /// What of the state before stays though it is not in the new one, because somebody has it open.
    fn carry_over(&self, old: &View, new: &View, base: Option<Name>) -> Result<Carried> {
        let mut carried = Carried::default();
        for dentry in orphans(old)? {
            carried.carry(Inode(dentry.inode), old, new)?;
        }
        let Touches { gone, written } = touches(old, new)?;
        for inode in gone {
            if self.may_be_in_use(inode) && carried.carry(inode, old, new)? {
                carried.orphaned.push(inode);
            }
        }
        let written_here = touches(&self.view_of(base), old)?.written;
        carried.displaced = written.intersection(&written_here).copied().collect();
        carried.edits.sort_by(|a, b| edit_key(a).cmp(edit_key(b)));
        Ok(carried)
    }

    pub(crate) fn may_be_in_use(&self, inode: Inode) -> bool {
        let is_used = std::cell::Cell::new(false);
        self.tell_watchers(|watcher| is_used.set(is_used.get() || watcher.may_use(inode)));
        is_used.get()
    }

    fn tell_of_adoption(&self, carried: &Carried) {
        self.tell_watchers(|watcher| {
            watcher.displaced(&carried.displaced);
            watcher.state_replaced();
            watcher.snapshots_changed();
            watcher.orphaned(&carried.orphaned);
        });
    }
}

/// What is open and has no name in the new state.
#[derive(Default)]
struct Carried {
    edits: Vec<Edit>,
    inodes: u64,
    allocated_bytes: u64,
    /// Those that had a name before.
    orphaned: Vec<Inode>,
    /// Those whose number stands for another content now, while what was written here is elsewhere.
    displaced: Vec<Inode>,
}

impl Carried {
    /// False if the new state has the inode.
    fn carry(&mut self, inode: Inode, old: &View, new: &View) -> Result<bool> {
        let Some(mut attributes) = old.layers.attributes(inode)? else { return Ok(false) };
        if new.layers.attributes(inode)?.is_some() || attributes.is_directory() {
            return Ok(false);
        }
        let tree = old.layers.base.load().tree.clone();
        for entry in tree.range(&key::first_of(inode), Bound::Excluded(&key::end_of(inode)))? {
            let (key, value, link) = entry?;
            self.edits.push(Edit::Put { key, value, link });
        }
        attributes.links = 0;
        self.put_attributes(inode, &attributes);
        let mut dentry = Vec::new();
        record::put_dentry(&mut dentry, crate::change::Dentry { inode: inode.0, kind: attributes.kind });
        let key = key::dentry(Inode::ORPHANS, inode.0, &[]);
        self.edits.push(Edit::Put { key, value: dentry.into(), link: None });
        self.inodes += 1;
        self.allocated_bytes += attributes.counted_bytes();
        Ok(true)
    }

    fn put_attributes(&mut self, inode: Inode, attributes: &Attributes) {
        let key = key::attributes(inode);
        let mut value = Vec::new();
        record::put_attributes(&mut value, attributes);
        self.edits.retain(|edit| edit_key(edit) != &key[..]);
        self.edits.push(Edit::Put { key, value: value.into(), link: None });
    }
}

fn edit_key(edit: &Edit) -> &[u8] {
    match edit {
        Edit::Put { key, .. } | Edit::Delete { key } => key,
        Edit::Clear { from, .. } => from,
    }
}

/// Inodes that are not as they were.
#[derive(Default)]
struct Touches {
    /// Those that are not there any more, and had a name.
    gone: Vec<Inode>,
    /// Those with another content, or that are another file altogether.
    written: BTreeSet<Inode>,
}

fn touches(before: &View, after: &View) -> Result<Touches> {
    let mut touches = Touches::default();
    let mut failed = None;
    let (before, after) = (before.layers.base.load().tree.clone(), after.layers.base.load().tree.clone());
    before.diff(&after, &mut |difference| match touches.take(&difference) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(touches), Err)
}

impl Touches {
    fn take(&mut self, difference: &tree::Difference) -> Result<()> {
        let Some((inode, subject, _)) = key::parse(&difference.key) else { return Ok(()) };
        match subject {
            key::Subject::Inline | key::Subject::Extent => drop(self.written.insert(inode)),
            key::Subject::Attributes => {
                let damaged = |malformed: crate::codec::Malformed| malformed.in_inode(inode, "its attributes");
                let parse = |mapped: &Option<tree::Mapped>| {
                    let read = |(value, _): &tree::Mapped| record::whole(value, record::attributes);
                    mapped.as_ref().map(read).transpose().map_err(damaged)
                };
                let (before, after) = (parse(&difference.before)?, parse(&difference.after)?);
                match (before, after) {
                    (Some(before), None) if before.links > 0 => self.gone.push(inode),
                    (Some(before), Some(after)) if before.born != after.born => drop(self.written.insert(inode)),
                    (None, Some(_)) => drop(self.written.insert(inode)),
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}
