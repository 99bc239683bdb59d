//! `pantala store reindex`.

use crate::arguments::Reindex;
use crate::{defaults, output};
use anyhow::{Context, Result};
use block::{Store, StoreOptions};
use std::time::Instant;

pub(super) fn run(arguments: Reindex) -> Result<()> {
    let path = defaults::store(arguments.store.store)?;
    let started = Instant::now();
    let bar = output::reading_bar();
    let mut progress = |read_bytes, all_bytes| {
        bar.set_length(all_bytes);
        bar.set_position(read_bytes);
    };
    let indexed = Store::reindex_directory(&path, StoreOptions::default(), &mut progress);
    bar.finish_and_clear();
    let statistics = indexed.context("cannot make the index again")?.statistics();
    let (blocks, log) = (statistics.blocks, output::bytes(statistics.log_bytes));
    let seconds = started.elapsed().as_secs_f64();
    Ok(output::print(&format!("indexed {blocks} blocks in {log} of log in {seconds:.1} s\n"))?)
}
