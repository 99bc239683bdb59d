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
//! - What the target has according to a tree that it is known to have ([`Comparison`]) is not asked about either.
//! - **Bounded memory**: of each level only a batch of blocks is held, while what is below that batch is on its way. Names wait
//!   by the level, as many as a batch above has links.
//! - Questions are asked for a whole batch at a time, so a link with latency costs a round trip per batch, not per block.

use crate::compare::Comparison;
use crate::limits::READ_NAMES_MAX;
use block::{Name, PackedBlock};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Find out what these blocks link to, which the target is known to have, and tell by [`Descent::compared`].
    Compare(Vec<Name>),
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
    comparison: Option<Vec<Name>>,
    question: Option<Vec<Name>>,
    /// What the target is known to have in the places of what it is asked about.
    earlier: Earlier,
    levels: Vec<Level>,
}

/// For a block, what the target is known to have in its place.
type Earlier = HashMap<Name, Arc<[Name]>>;

/// One level of the tree, as far as it concerns the batch above.
#[derive(Default)]
struct Level {
    /// Blocks that the target lacks and that are not read.
    unread: VecDeque<Name>,
    earlier: Earlier,
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
    /// From these roots. The target is known to have what is below some others: they save questions.
    pub(crate) fn new(roots: Vec<Name>, known: &[Name]) -> Self {
        let mut comparison = Comparison::default();
        roots.iter().for_each(|root| comparison.add(&[*root], known));
        let question = distinct(roots.into_iter().filter(|root| !comparison.knows(root)));
        let earlier = comparison.into_earlier();
        Self { comparison: None, question: Some(question), earlier, levels: Vec::new() }
    }

    /// What to do now. Called again only when that is done.
    pub(crate) fn next(&mut self) -> Step {
        if let Some(names) = self.comparison.take() {
            return Step::Compare(names);
        }
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
        let mut earlier = std::mem::take(&mut self.earlier);
        let is_lacking: HashSet<_> = lacking.iter().collect();
        earlier.retain(|name, _| is_lacking.contains(name));
        self.levels.push(Level { unread: lacking.into(), earlier, ..Level::default() });
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
        if level.held.is_empty() {
            return;
        }
        let earlier = level.held.iter().filter_map(|block| level.earlier.get(&block.name()));
        let mut earlier = distinct(earlier.flat_map(|names| names.iter().copied()));
        // Those left out only cost questions.
        earlier.truncate(READ_NAMES_MAX);
        match earlier.is_empty() {
            true => self.compared(&HashMap::new()),
            false => self.comparison = Some(earlier),
        }
    }

    /// What blocks link to that the target has in the places of those that are held.
    pub(crate) fn compared(&mut self, links: &HashMap<Name, Vec<Name>>) {
        let level = self.levels.last_mut().expect("a level holds blocks");
        let mut comparison = Comparison::default();
        for block in &level.held {
            let earlier = level.earlier.remove(&block.name()).unwrap_or_default();
            let earlier: Vec<_> = earlier.iter().filter_map(|name| links.get(name)).flatten().copied().collect();
            comparison.add(block.links(), &earlier);
        }
        let links = level.held.iter().flat_map(|block| block.links().iter().copied());
        self.question = Some(distinct(links.filter(|name| !comparison.knows(name))));
        self.earlier = comparison.into_earlier();
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
