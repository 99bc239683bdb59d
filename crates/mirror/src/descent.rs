//! The way down a source's tree and up again, without I/O.
//!
//! ```text
//!   ask about the roots -> read those that the target lacks -> ask about their links -> read ... down to blocks without links,
//!   which are sent as they are read; then the blocks above them, level by level, up to the roots
//! ```
//!
//! Invariants:
//!
//! - **Children before parents**: a block is sent only after everything below it that the target lacks.
//! - A subtree that the target has is skipped whole: nothing below it is read or asked about.
//! - **Bounded memory**: of each level only a batch of blocks is held, while what is below that batch is on its way. Names wait
//!   by the level, as many as a batch above has links.
//! - Questions are asked for a whole batch at a time, so a link with latency costs a round trip per batch, not per block.

use crate::limits::READ_NAMES_MAX;
use block::{Name, PackedBlock};
use std::collections::{HashSet, VecDeque};

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Ask the target which of these it lacks, and tell by [`Descent::answered`].
    Ask(Vec<Name>),
    /// Read these, or some of them, show them to [`Descent::arrived`], then call [`Descent::read`].
    Read(Vec<Name>),
    /// Send these: everything below them is there.
    Send(Vec<PackedBlock>),
    /// Everything is sent.
    Done,
}

/// A descent in progress.
pub(crate) struct Descent {
    question: Option<Vec<Name>>,
    levels: Vec<Level>,
}

/// One level of the tree, as far as it concerns the batch above.
#[derive(Default)]
struct Level {
    /// Blocks that the target lacks and that are not read.
    unread: VecDeque<Name>,
    /// Blocks that are being read.
    asked_for: Vec<Name>,
    /// Those of them that have come.
    arrived: HashSet<Name>,
    /// Blocks that wait for what is below them.
    held: Vec<PackedBlock>,
    /// How many blocks are sent, with everything below them.
    complete: usize,
}

impl Descent {
    /// From these roots.
    pub(crate) fn new(roots: Vec<Name>) -> Self {
        Self { question: Some(distinct(roots)), levels: Vec::new() }
    }

    /// What to do now. Called again only when that is done.
    pub(crate) fn next(&mut self) -> Step {
        if let Some(names) = self.question.take() {
            return Step::Ask(names);
        }
        while let Some(level) = self.levels.last_mut() {
            if !level.held.is_empty() {
                return Step::Send(level.complete_held());
            }
            if !level.unread.is_empty() {
                return Step::Read(level.ask_for());
            }
            self.levels.pop();
        }
        Step::Done
    }

    /// The target lacks these of the names that it was asked about.
    pub(crate) fn answered(&mut self, lacking: Vec<Name>) {
        self.levels.push(Level { unread: lacking.into(), ..Level::default() });
    }

    /// A block was read. Gives it back if it can be sent at once, since nothing is below it.
    pub(crate) fn arrived(&mut self, block: PackedBlock) -> Option<PackedBlock> {
        let level = self.levels.last_mut().expect("blocks arrive only when a level asked for them");
        level.arrived.insert(block.name());
        if block.links().is_empty() {
            level.complete += 1;
            return Some(block);
        }
        level.held.push(block);
        None
    }

    /// Those that were to be read have arrived, or some of them.
    pub(crate) fn read(&mut self) {
        let level = self.levels.last_mut().expect("a level asked for blocks");
        level.put_back();
        if !level.held.is_empty() {
            self.question = Some(distinct(level.held.iter().flat_map(|block| block.links().iter().copied())));
        }
    }

    /// The part of the whole that is done, from 0 to 1, if every block of a level had as much below it as the others.
    pub(crate) fn fraction(&self) -> f64 {
        self.levels.iter().rev().fold(0.0, |below, level| level.fraction(below))
    }
}

impl Level {
    fn ask_for(&mut self) -> Vec<Name> {
        let count = self.unread.len().min(READ_NAMES_MAX);
        self.asked_for = self.unread.drain(..count).collect();
        self.asked_for.clone()
    }

    /// What was asked for and has not come is asked for again, later.
    fn put_back(&mut self) {
        let arrived = std::mem::take(&mut self.arrived);
        let missing = std::mem::take(&mut self.asked_for).into_iter().rev().filter(|name| !arrived.contains(name));
        missing.for_each(|name| self.unread.push_front(name));
    }

    fn complete_held(&mut self) -> Vec<PackedBlock> {
        self.complete += self.held.len();
        std::mem::take(&mut self.held)
    }

    /// The part of this level that is done, when that part of what is below its batch is.
    fn fraction(&self, below: f64) -> f64 {
        let unread = self.unread.len() + self.asked_for.len() - self.arrived.len();
        let all = unread + self.held.len() + self.complete;
        let done = self.complete as f64 + self.held.len() as f64 * below;
        if all == 0 { 1.0 } else { done / all as f64 }
    }
}

fn distinct(names: impl IntoIterator<Item = Name>) -> Vec<Name> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).collect()
}
