//! A look through a store before anything is written in it.

use super::start::{cannot_open, owner};
use crate::runtime::Runtime;
use anyhow::{Context, Result, bail};
use block::{Store, StoreOptions};
use std::path::Path;
use std::sync::Arc;
use volume::{Pool, PoolOptions};

/// Refuses a store that shows damage while it is opened, and leaves it byte for byte as it is.
///
/// One without an index is not looked through: its whole log would be read twice. Opening it finds the same damage.
pub(super) fn refuse_damaged(path: &Path) -> Result<()> {
    if !Store::has_index(path) {
        return Ok(());
    }
    let runtime = Runtime::make(path)?;
    let options = StoreOptions::default();
    let store = Store::open_directory_read_only(path, &runtime.index(), options, &mut |_, _| {});
    let store = Arc::new(store.map_err(|error| cannot_open(path, error))?);
    let options = PoolOptions { background: false, ..PoolOptions::new(owner()) };
    let pool = Pool::open_as_it_is(store, options);
    refuse_damages(path, &pool.with_context(|| format!("cannot open the pool in {}", path.display()))?)
}

/// Refuses a pool that is damaged.
pub(super) fn refuse_damages(path: &Path, pool: &Pool) -> Result<()> {
    let damages = pool.damages()?;
    let more = match damages.len() {
        0 => return Ok(()),
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    bail!(
        "the store {} is damaged: {}{more}; `pantala up --read-only` shows what is whole and writes nothing, \
         `pantala store repair` makes it writable again",
        path.display(),
        damages[0]
    )
}
