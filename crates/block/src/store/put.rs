//! Writing blocks and records.

use super::Store;
use crate::frame::Draft;
use crate::pieces::PieceHashes;
use crate::recovery::entry;
use crate::{Block, Name, Position, Record, RecordKind, Result};
use std::sync::atomic::Ordering;

impl Store {
    /// Appends a record. It is durable after the next [`Blocks::sync`].
    pub fn append(&self, record: &Record) -> Result<Position> {
        let draft = Draft::record(record, self.options.compression)?;
        self.keep_index_close()?;
        self.log.append(&draft, |position| {
            if record.kind == RecordKind::Root {
                self.roots.insert(record.stream, position);
            }
        })
    }

    /// Whether a block is there, with all that it links to, and stays.
    pub(super) fn is_there(&self, name: &Name) -> Result<bool> {
        if self.sabotaged.forget_revived.load(Ordering::Relaxed) {
            return Ok(self.locate(name)?.is_some());
        }
        let deciding = self.garbage.barrier.decide();
        let location = self.locate(name)?.filter(|_| !self.damages.contains(name));
        Ok(location.is_some_and(|location| deciding.may_rely_on(name, &location, self.indexed.whole_from())))
    }

    /// Keeps a block, if it is not there.
    pub(super) fn write_block(&self, block: &Block) -> Result<Name> {
        let (name, hashes) = PieceHashes::with_name(block);
        if self.is_there(&name)? {
            self.deduplicated.fetch_add(1, Ordering::Relaxed);
            return Ok(name);
        }
        let block = self.sabotaged.as_written(block);
        let draft = Draft::block(name, &block, hashes, self.options.compression)?;
        let written = |position| self.recent.insert(name, entry(position, draft.header()));
        self.keep_index_close()?;
        self.log.append(&draft, written)?;
        self.damages.forget(&name);
        Ok(name)
    }
}
