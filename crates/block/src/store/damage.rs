//! Damage that readers came across, and healing it.

use super::Store;
use crate::{Block, Blocks, DamagedBlock, Error, Name, Result};

impl Store {
    /// Blocks that are known to be damaged: that a reader or a scrub came across, or that [`Store::note_damaged`] named.
    pub fn damaged(&self) -> Vec<DamagedBlock> {
        self.damages.list()
    }

    /// Takes note of a block that is damaged. It counts as not there from now on, so putting it again writes it anew.
    pub fn note_damaged(&self, name: &Name, what: &str) {
        if self.damages.note(*name, what) {
            tracing::error!(block = %name, what, "a block is damaged");
        }
    }

    /// Heals a block: writes it anew unless what is there can be read. True if that was needed.
    pub fn repair(&self, block: &Block) -> Result<bool> {
        let name = block.name();
        match self.get(&name) {
            Ok(_) => {
                self.damages.forget(&name);
                Ok(false)
            }
            Err(error) if is_damage(&error) => {
                self.note_damaged(&name, &error.to_string());
                self.put(block).map(|_| true)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes note of a block that could not be read because of damage.
    pub(super) fn note_failed_read(&self, name: &Name, error: &Error) {
        if is_damage(error) && !matches!(error, Error::Missing { .. }) {
            self.note_damaged(name, &error.to_string());
        }
    }
}

/// Whether a read failed because of what lies on the disk, or because the disk does not give it.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Missing { .. } | Error::Disk { .. })
}
