//! Marking: from the roots along the links, the blocks below each marked one once.

use super::marks::Marks;
use crate::limits::{MARK_DEPTH_MAX, MARK_STEP_BLOCKS};
use crate::{Error, Name, Result, Store};

/// A marking that is under way: the path from a root to where it is.
pub(super) struct Mark {
    path: Vec<Links>,
}

/// Links of one block, from the back; those that are gone have been followed.
struct Links(Vec<Name>);

impl Mark {
    /// A marking that begins at some blocks.
    pub(super) fn from_roots(roots: Vec<Name>) -> Self {
        Self { path: vec![Links(roots)] }
    }

    /// Adds blocks to begin at. Not while a step is under way.
    pub(super) fn add_roots(&mut self, roots: Vec<Name>) {
        match self.path.first_mut() {
            Some(Links(first)) => first.extend(roots),
            None => self.path.push(Links(roots)),
        }
    }

    /// Goes on; false when all is marked, and unmarked blocks count as not there any more.
    pub(super) fn step(&mut self, store: &Store, marks: &Marks) -> Result<bool> {
        let mut marked = 0;
        while marked < MARK_STEP_BLOCKS {
            let Some(Links(links)) = self.path.last_mut() else {
                store.report(|progress| progress.memory_bytes = marks.memory_bytes() as u64);
                match store.garbage.barrier.begin_sweeping() {
                    Ok(()) => return Ok(false),
                    Err(revived) => self.add_roots(revived),
                }
                continue;
            };
            match links.pop() {
                Some(name) => {
                    self.visit(store, marks, &name)?;
                    marked += 1;
                }
                None => drop(self.path.pop()),
            }
        }
        store.report(|progress| progress.marked_blocks += marked);
        Ok(true)
    }

    fn visit(&mut self, store: &Store, marks: &Marks, name: &Name) -> Result<()> {
        let location = store.locate(name)?.ok_or(Error::Missing { name: *name })?;
        if !marks.mark(name, &location) {
            return Ok(());
        }
        if self.path.len() == MARK_DEPTH_MAX {
            return Err(Error::TooLarge { what: "the depth of links", limit: MARK_DEPTH_MAX as u64 });
        }
        self.path.push(Links(store.links(name)?));
        Ok(())
    }
}

impl Store {
    /// What a block links to. Compared with the checksum; the body is not unpacked.
    fn links(&self, name: &Name) -> Result<Vec<Name>> {
        self.read_at_its_place(name, |location| Ok(self.read_packed_at(*name, location)?.links().to_vec()))
    }
}
