//! Blocks in the form in which they are stored, on their way to or from another store.

use super::Store;
use crate::frame::{Draft, Subject};
use crate::recovery::entry;
use crate::{Blocks, Error, Location, Name, PackedBlock, Result};
use std::ops::ControlFlow;

/// What [`Store::read_packed`] shows blocks to.
pub type PackedVisitor<'a> = dyn FnMut(PackedBlock) -> Result<ControlFlow<()>> + 'a;

impl Store {
    /// Shows blocks in the order in which they lie in the log, compared with their checksums but not with their names. Ends
    /// when `visit` breaks off. [`Error::Missing`], before any is shown, if one is not there.
    pub fn read_packed(&self, names: &[Name], visit: &mut PackedVisitor<'_>) -> Result<()> {
        let locate = |name: &Name| Ok((self.locate(name)?.ok_or(Error::Missing { name: *name })?, *name));
        let mut places = names.iter().map(locate).collect::<Result<Vec<_>>>()?;
        places.sort_unstable_by_key(|(location, _)| location.position);
        for (_, name) in places {
            let block = self.read_at_its_place(&name, |location| self.read_packed_at(name, location))?;
            if visit(block)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Keeps a block that another store sent, if it matches its name; true if it was not there before. Durable after the next
    /// sync. What it links to must be there.
    pub fn put_packed(&self, block: &PackedBlock) -> Result<bool> {
        block.unpack()?;
        let name = block.name();
        if self.contains(&name)? {
            return Ok(false);
        }
        let (header, links, stored) = block.parts();
        let draft = Draft::packed(header, links, stored);
        let written = |position| self.recent.insert(name, entry(position, draft.header()));
        self.keep_index_close()?;
        self.log.append(&draft, written)?;
        self.damages.forget(&name);
        Ok(true)
    }

    /// Compared with its checksum, not with its name.
    pub(crate) fn read_packed_at(&self, name: Name, location: Location) -> Result<PackedBlock> {
        let (header, payload) = self.segments.read(location)?;
        if header.subject != Subject::Block(name) {
            return Err(Error::Corrupt { what: "another frame is there".to_owned() });
        }
        header.verify(&payload).map_err(|fault| Error::Corrupt { what: fault.to_string() })?;
        Ok(PackedBlock::found(name, header, payload))
    }
}
