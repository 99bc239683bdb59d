//! From roots to everything that can be reached from them.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::index::Index;
use crate::place::Place;
use crate::reader;
use block::Name;

/// Blocks whose links are looked at together.
const BATCH_BLOCKS: usize = 1024;

/// All entries of an index, in the order of names, and which of them were reached: some 64 bytes for each.
pub(crate) struct Table {
    entries: Vec<(Name, Place)>,
    is_reached: Vec<bool>,
}

impl Table {
    pub(crate) fn read(index: &Index) -> Result<Self> {
        let mut entries = index.entries().collect::<Result<Vec<_>>>()?;
        // Stable: of several for one name, the newest stays first.
        entries.sort_by_key(|(name, _)| *name);
        entries.dedup_by_key(|(name, _)| *name);
        let is_reached = vec![false; entries.len()];
        Ok(Self { entries, is_reached })
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &(Name, Place)> {
        self.entries.iter()
    }

    fn find(&self, name: &Name) -> Option<usize> {
        self.entries.binary_search_by_key(name, |(name, _)| *name).ok()
    }

    /// Leaves only what was reached.
    pub(crate) fn keep_alive(&mut self) {
        let mut is_reached = self.is_reached.iter();
        self.entries.retain(|_| is_reached.next().copied().unwrap_or_default());
        self.is_reached = vec![true; self.entries.len()];
    }

    /// A block lies elsewhere now.
    pub(crate) fn moved(&mut self, name: &Name, place: Place) {
        if let Some(index) = self.find(name) {
            self.entries[index].1 = place;
        }
    }
}

/// Marks what can be reached from roots. Blocks that are needed and cannot be had are shown to `lacking`, with the reason if there is
/// one; what is below them stays unknown.
pub(crate) fn walk(
    home: &Home,
    table: &mut Table,
    roots: Vec<Name>,
    lacking: &mut dyn FnMut(Name, Option<Error>),
) -> Result<()> {
    let mut waiting = roots;
    while !waiting.is_empty() {
        let batch = waiting.split_off(waiting.len().saturating_sub(BATCH_BLOCKS));
        let mut to_read = Vec::new();
        for name in batch {
            match table.find(&name) {
                Some(index) if table.is_reached[index] => {}
                Some(index) => {
                    table.is_reached[index] = true;
                    let entry = table.entries[index];
                    to_read.extend(entry.1.has_links.then_some(entry));
                }
                None => lacking(name, None),
            }
        }
        reader::read::<Error>(home, to_read, &mut |name, block| {
            match block {
                Ok(block) => waiting.extend(block.links()),
                Err(error @ (Error::Corrupt { .. } | Error::Missing { .. })) => lacking(name, Some(error)),
                Err(error) => return Err(error),
            }
            Ok(true)
        })?;
    }
    Ok(())
}
