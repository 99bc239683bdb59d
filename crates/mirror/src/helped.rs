//! A source with helpers: stores at hand that happen to have some of its blocks, as an older replica on a drive does. What they have
//! does not travel.
//!
//! Invariant: a helper changes where blocks come from, not which: what to send is found out between source and target alone, and what
//! arrives is compared with its name, whoever gave it.

use crate::ports::{Source, Visitor};
use crate::volumes::{Origin, SourceVolume};
use crate::{Error, Result, Side};
use block::{Blocks, Name, Store};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A volume that is copied from, and its helpers.
pub struct Helped<'a> {
    source: &'a dyn SourceVolume,
    helpers: Vec<Helper<'a>>,
    bytes: AtomicU64,
}

struct Helper<'a> {
    store: &'a Store,
    /// It could not be read once, and is asked no more.
    has_failed: AtomicBool,
}

impl<'a> Helped<'a> {
    /// A source with these helpers, of which the first that has a block gives it.
    pub fn new(source: &'a dyn SourceVolume, helpers: &[&'a Store]) -> Self {
        let helper = |store: &&'a Store| Helper { store, has_failed: AtomicBool::new(false) };
        Self { source, helpers: helpers.iter().map(helper).collect(), bytes: AtomicU64::new(0) }
    }

    /// Bytes that came from helpers, as blocks are stored.
    pub fn helped_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Helper<'_> {
    /// Those of the names that it has.
    fn held(&self, names: &[Name]) -> Vec<Name> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Vec::new();
        }
        // What cannot be told is taken from elsewhere.
        names.iter().copied().filter(|name| self.store.contains(name).unwrap_or(false)).collect()
    }
}

impl Source for Helped<'_> {
    /// From one of them. What it does not have is left out, and asked for again.
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        for helper in &self.helpers {
            let held = helper.held(names);
            if held.is_empty() {
                continue;
            }
            let mut is_any_shown = false;
            let read = helper.store.read(&held, linked_bytes_max, &mut |block| {
                is_any_shown = true;
                self.bytes.fetch_add(block.encoded_bytes() as u64, Ordering::Relaxed);
                visit(block)
            });
            match read {
                Err(Error::Store { side: Side::Source, error }) => {
                    tracing::warn!(%error, "a helper of a sync cannot be read, and is not asked any more");
                    helper.has_failed.store(true, Ordering::Relaxed);
                    if is_any_shown {
                        return Ok(());
                    }
                }
                read => return read,
            }
        }
        self.source.read(names, linked_bytes_max, visit)
    }
}

impl SourceVolume for Helped<'_> {
    fn origin(&self) -> &Origin {
        self.source.origin()
    }

    fn store(&self) -> Option<&Store> {
        self.source.store()
    }
}
