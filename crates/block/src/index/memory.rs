//! An index in memory: for simulated disks, whose crash tests also ask what happens when no index survives.

use super::{Index, IndexState, IndexUpdate, Location, Totals};
use crate::{Name, Position, Result, StoreId};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An index that dies with the process. Clones share one content, so a test can open a store again with the index it had.
#[derive(Clone, Default)]
pub struct MemoryIndex {
    content: Arc<RwLock<Content>>,
}

#[derive(Clone, Default)]
struct Content {
    store: Option<StoreId>,
    entries: BTreeMap<Name, Location>,
    roots: BTreeMap<u64, Position>,
    watermark: Position,
    totals: Totals,
    whole_from: Position,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    generation: u64,
}

impl MemoryIndex {
    /// A copy that goes its own way from now on.
    pub fn snapshot(&self) -> Self {
        Self { content: Arc::new(RwLock::new(self.content.read().clone())) }
    }

    /// As if it was opened anew and had lost the notes that were written since a copy was made of it.
    pub fn lose_notes_since(&self, copy: &Self) {
        let notes = copy.content.read().notes.clone();
        let mut content = self.content.write();
        content.notes = notes;
        content.generation += 1;
    }
}

impl Index for MemoryIndex {
    fn get(&self, name: &Name) -> Result<Option<Location>> {
        Ok(self.content.read().entries.get(name).copied())
    }

    fn scan(&self, from: &Name, count: usize) -> Result<Vec<(Name, Location)>> {
        let content = self.content.read();
        Ok(content.entries.range(from..).take(count).map(|(name, location)| (*name, *location)).collect())
    }

    fn state(&self) -> Result<Option<IndexState>> {
        let content = self.content.read();
        Ok(content.store.map(|store| IndexState {
            store,
            watermark: content.watermark,
            roots: content.roots.iter().map(|(stream, position)| (*stream, *position)).collect(),
            totals: content.totals,
            whole_from: content.whole_from,
        }))
    }

    fn apply(&self, update: &IndexUpdate) -> Result<()> {
        let mut content = self.content.write();
        content.entries.extend(update.entries.iter().copied());
        content.roots.extend(update.roots.iter().copied());
        for name in &update.removed {
            content.entries.remove(name);
        }
        for stream in &update.removed_streams {
            content.roots.remove(stream);
        }
        content.watermark = update.watermark;
        content.totals = update.totals;
        content.whole_from = update.whole_from;
        Ok(())
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.content.read().notes.get(key).cloned())
    }

    fn notes(&self, from: &[u8], count: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let content = self.content.read();
        let notes = content.notes.range(from.to_vec()..).take(count);
        Ok(notes.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn write_notes(&self, notes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<()> {
        let mut content = self.content.write();
        for (key, value) in notes {
            match value {
                Some(value) => content.notes.insert(key.clone(), value.clone()),
                None => content.notes.remove(key),
            };
        }
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.content.read().generation
    }

    fn reset(&self, store: StoreId) -> Result<()> {
        *self.content.write() = Content { store: Some(store), ..Content::default() };
        Ok(())
    }
}
