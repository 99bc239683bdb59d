//! Whether everything is there that some blocks lead to.

use super::Store;
use crate::frame::Subject;
use crate::limits::REACHED_BLOCKS_MAX;
use crate::{Damage, Error, Name, Position, Result};
use std::collections::{BTreeMap, HashSet};

/// A walk along links from some blocks, parents first. It reads what has links and looks where the rest lies.
pub struct Reach {
    waiting: Vec<Name>,
    /// Blocks with links that were come to, by the first half of their names.
    seen: HashSet<u128>,
    /// Stretches of the log that are known to be damaged: where they begin and end, and what is wrong.
    stretches: BTreeMap<Position, (Position, String)>,
    visited: u64,
}

impl Reach {
    /// A walk from some blocks. What lies in one of the damaged stretches of the log is damaged.
    pub fn new(from: Vec<Name>, damages: &[Damage]) -> Self {
        let stretch = |damage: &Damage| {
            let end = Position::from_u64(damage.position.to_u64() + damage.bytes as u64);
            (damage.position, (end, damage.what.clone()))
        };
        Self { waiting: from, seen: HashSet::new(), stretches: damages.iter().map(stretch).collect(), visited: 0 }
    }

    /// Blocks come to so far; one to which several links lead may count several times.
    pub fn visited(&self) -> u64 {
        self.visited
    }

    /// Comes to some blocks and shows those that cannot be had. True while there are more.
    pub fn step(&mut self, store: &Store, count: usize, found: &mut dyn FnMut(Name, String)) -> Result<bool> {
        for _ in 0..count {
            let Some(name) = self.waiting.pop() else { break };
            if !self.seen.contains(&short(&name)) {
                self.visit(store, name, found)?;
            }
        }
        Ok(!self.waiting.is_empty())
    }

    fn visit(&mut self, store: &Store, name: Name, found: &mut dyn FnMut(Name, String)) -> Result<()> {
        self.visited += 1;
        let links = store.links_of(&name, &|position| self.damage_at(position));
        match links {
            Ok(links) if links.is_empty() => {}
            Ok(links) => {
                self.waiting.extend(links);
                self.note(&name);
            }
            Err(error) if super::damage::is_damage(&error) => {
                found(name, error.to_string());
                self.note(&name);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn damage_at(&self, position: Position) -> Option<String> {
        let (_, (end, what)) = self.stretches.range(..=position).next_back()?;
        (position < *end).then(|| what.clone())
    }

    /// A walk over more blocks than the bound comes to some of them again.
    fn note(&mut self, name: &Name) {
        if self.seen.len() < REACHED_BLOCKS_MAX {
            self.seen.insert(short(name));
        }
    }
}

fn short(name: &Name) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&name.as_bytes()[..16]);
    u128::from_le_bytes(half)
}

impl Store {
    /// What a block links to. Of a block without links only the header is read.
    fn links_of(&self, name: &Name, damage_at: &dyn Fn(Position) -> Option<String>) -> Result<Vec<Name>> {
        let has_links = self.read_at_its_place(name, |location| {
            if let Some(what) = damage_at(location.position) {
                return Err(Error::Corrupt { what });
            }
            let header = self.segments.read_header_at(location.position)?;
            match header.subject == Subject::Block(*name) {
                true => Ok(header.link_count > 0),
                false => Err(Error::Corrupt { what: "another frame is there".to_owned() }),
            }
        })?;
        if has_links { Ok(self.read_block(name)?.links) } else { Ok(Vec::new()) }
    }
}
