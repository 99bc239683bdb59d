//! For which of several targets a block is: one walk of the source's tree serves all of them.
//!
//! Invariants:
//!
//! - A target is asked only about blocks that lie below a root that it is to have, and below nothing that it has.
//! - A block is for the targets that said that they lack it, until it is sent. So of each target **children before parents** holds, as it
//!   does with one alone.

use crate::limits::TARGETS_MAX;
use block::{Name, PackedBlock};
use std::collections::HashMap;

/// Some of the targets: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets(u64);

const _: () = assert!(TARGETS_MAX <= u64::BITS as usize);

impl Targets {
    fn one(number: usize) -> Self {
        Self(1 << number)
    }

    pub(crate) fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }

    fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }
}

/// What each target wants, as far as the walk is.
pub(crate) struct Interest {
    /// Who is to be asked about a block.
    askers: HashMap<Name, Targets>,
    /// Who lacks a block that is not sent.
    lacking: HashMap<Name, Targets>,
}

impl Interest {
    /// Of targets with the roots that each is to have.
    pub(crate) fn new<'a>(roots: impl Iterator<Item = &'a [Name]>) -> Self {
        let mut interest = Self { askers: HashMap::new(), lacking: HashMap::new() };
        for (number, roots) in roots.enumerate() {
            roots.iter().for_each(|root| interest.askers.entry(*root).or_default().add(Targets::one(number)));
        }
        interest
    }

    /// Who is asked about a block, now.
    pub(crate) fn ask(&mut self, name: &Name) -> Targets {
        self.askers.remove(name).unwrap_or_default()
    }

    /// A target lacks a block.
    pub(crate) fn lacks(&mut self, number: usize, name: Name) {
        self.lacking.entry(name).or_default().add(Targets::one(number));
    }

    /// A block was read: who lacks it is to be asked about what it links to.
    pub(crate) fn read(&mut self, block: &PackedBlock) {
        let targets = self.lacking.get(&block.name()).copied().unwrap_or_default();
        block.links().iter().for_each(|link| self.askers.entry(*link).or_default().add(targets));
    }

    /// To whom a block is sent, now.
    pub(crate) fn send(&mut self, name: &Name) -> Targets {
        self.lacking.remove(name).unwrap_or_default()
    }
}
