//! What the layer above keeps beside the blocks, in the index: derived, and gone whenever the index is made again.

use super::Store;
use crate::{Name, Result};

/// A key, and the value it gets; none to remove it.
pub type Note = (Vec<u8>, Option<Vec<u8>>);

impl Store {
    /// What was noted under a key.
    pub fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.index.note(key)
    }

    /// Up to `count` notes in the order of their keys, from a key on.
    pub fn notes(&self, from: &[u8], count: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.index.notes(from, count)
    }

    /// Takes notes, all of them or none. A crash may take the last ones with it.
    pub fn write_notes(&self, notes: &[Note]) -> Result<()> {
        self.index.write_notes(notes)
    }

    /// Goes up each time that the last notes may be gone, as after a crash.
    pub fn notes_generation(&self) -> u64 {
        self.index.generation()
    }

    /// Bytes that a block takes in the log, its frame's header and padding included; `None` if it is not there.
    pub fn bytes_of(&self, name: &Name) -> Result<Option<u64>> {
        Ok(self.locate(name)?.map(|location| location.frame_bytes() as u64))
    }
}
