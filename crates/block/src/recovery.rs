//! Opening a log: finding its end, and putting in order what a crash left there.
//!
//! Invariants:
//! - Only the part of the log above the index's watermark is read; the time depends on that part alone.
//! - Nothing is served, and nothing goes into the index, before it is durable: what a crash of the process left in the page
//!   cache is synced first.
//! - A short end of the log is kept in memory and stays out of the index until that is next changed: whoever opens a store for a
//!   moment, as a sync of a mirror does, writes nothing for it.
//! - The log ends before the first frame that is not whole. What lies behind is never read as part of the log again, because the
//!   segment that follows names the place where its predecessor ended.
//! - If anything says that the log was durable beyond that end, then this is damage and not a torn tail: the log is left as it is, and
//!   takes no writes. What can be read behind the damage is found, but does not go into the index, so that the next opening finds the
//!   damage again. A block whose header is whole is another matter: where it ends is known, and it is damaged as any other block
//!   may be.

mod rest;
mod walk;

use crate::frame::Fault;
use crate::log::{Head, Log, Mark};
use crate::recent::Entry;
use crate::segments::Segments;
use crate::{Error, Index, IndexState, Name, Position, Result, StoreOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use walk::Walk;
pub(crate) use walk::entry;

/// Called as a log is read, with the bytes read and the bytes to read.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Why a store takes no writes that was opened to be read only.
pub(crate) const READ_ONLY: &str = "it was opened to be read only";

/// What a log is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To go on with it.
    Write,
    /// To read it; nothing on the disk is changed.
    Read,
}

/// An opened log, and the index's state.
pub(crate) struct Recovered {
    /// The log, ready for appends.
    pub(crate) log: Log,
    /// The index's state.
    pub(crate) indexed: IndexState,
    /// What the index does not know of the log.
    pub(crate) unindexed: Unindexed,
}

/// What lies in a log where the index does not reach: a short end of it, or what lies behind a damaged place. It is found anew at
/// each opening.
#[derive(Default)]
pub(crate) struct Unindexed {
    /// What is damaged; `None` for a sound log.
    pub(crate) damage: Option<String>,
    /// The blocks.
    pub(crate) entries: Vec<(Name, Entry)>,
    /// The roots, in the log's order.
    pub(crate) roots: Vec<(u64, Position)>,
    /// Blocks that are damaged, and what is wrong with them. The index may know of them.
    pub(crate) damaged_blocks: BTreeMap<Name, String>,
}

/// Opens the log that lies in some segments and brings the index up to its end, or close to it.
pub(crate) fn recover(
    segments: Arc<Segments>,
    index: &dyn Index,
    options: &StoreOptions,
    durable: Position,
    access: Access,
    progress: Progress<'_>,
) -> Result<Recovered> {
    let indexed = own_state(index, &segments)?;
    if access == Access::Write {
        segments.sync_names()?;
        segments.finish_retiring();
    }
    let mut walk = Walk::new(&segments, index, indexed, progress)?;
    let is_blank = loop {
        let end = walk.run();
        let is_of_newer_version = matches!(end, Ok(Fault::Unsupported(_)));
        let check = |fault| rest::check(&segments, walk.headers(), walk.position(), durable, fault);
        match end.and_then(check) {
            Ok(is_blank) => break is_blank,
            Err(error) if is_of_newer_version => return Err(error),
            Err(Error::Corrupt { what }) => {
                if !walk.pass_damaged_block(&what)? {
                    return damaged(&segments, options, index, walk, what);
                }
            }
            Err(error) => return Err(error),
        }
    };
    let unindexed = walk.finish()?;
    let end = Mark { position: walk.position(), log_bytes: walk.log_bytes() };
    if access == Access::Read {
        segments.forget(&walk.strangers());
        let log = stopped(&segments, options, end, READ_ONLY)?;
        return Ok(Recovered { log, indexed: own_state(index, &segments)?, unindexed });
    }
    let log = go_on(&segments, options.segment_bytes, end, is_blank, walk.strangers())?;
    let indexed = own_state(index, &segments)?;
    Ok(Recovered { log, indexed, unindexed })
}

/// Opens a damaged log, to be read only.
fn damaged(
    segments: &Arc<Segments>,
    options: &StoreOptions,
    index: &dyn Index,
    mut walk: Walk<'_>,
    what: String,
) -> Result<Recovered> {
    if let Err(error) = walk.commit() {
        tracing::debug!(%error, "what lies before the damage does not go into the index");
    }
    let unindexed = walk.beyond(what.clone());
    let end = Mark { position: walk.position(), log_bytes: walk.log_bytes() };
    tracing::error!(what, "the log is damaged; the store takes no writes");
    let log = stopped(segments, options, end, &what)?;
    let indexed = own_state(index, segments)?;
    Ok(Recovered { log, indexed, unindexed })
}

/// A log that takes no frames.
fn stopped(segments: &Arc<Segments>, options: &StoreOptions, end: Mark, why: &str) -> Result<Log> {
    let last = segments.written_from(0).last().copied();
    let file = segments.open(last.ok_or_else(|| Error::Corrupt { what: format!("there is no segment; {why}") })?)?;
    let head = Head { file, mark: end, end: end.position.offset(), is_new: false };
    let next_number = segments.numbers_from(0).last().map_or(1, |last| last + 1);
    let log = Log::new(segments.clone(), options.segment_bytes, head, end, next_number);
    log.stop(why);
    Ok(log)
}

/// The index's state; an index of another store, or of none, starts anew.
fn own_state(index: &dyn Index, segments: &Segments) -> Result<IndexState> {
    if let Some(state) = index.state()?
        && state.store == segments.store()
    {
        return Ok(state);
    }
    index.reset(segments.store())?;
    index.state()?.ok_or_else(|| Error::Corrupt { what: "the index has no state after it was reset".to_owned() })
}

/// A log that goes on at its end. `is_blank` says that nothing was written behind it, `strangers` are segments that a crash cut
/// off from it.
fn go_on(segments: &Arc<Segments>, segment_bytes: u64, end: Mark, is_blank: bool, strangers: Vec<u32>) -> Result<Log> {
    let next_number = segments.numbers_from(0).last().map_or(1, |last| last + 1);
    remove_all(segments, &strangers)?;
    if end.position == Position::START {
        let head = Head::in_new_segment(segments, segment_bytes, 0, next_number, &end, end.position)?;
        return Ok(Log::new(segments.clone(), segment_bytes, head, end, next_number + 1));
    }
    let head = if is_blank { blank_head(segments, end)? } else { full_head(segments, end)? };
    Ok(Log::new(segments.clone(), segment_bytes, head, end, next_number))
}

/// The last segment, to be filled further.
fn blank_head(segments: &Segments, mark: Mark) -> Result<Head> {
    let file = segments.open(mark.position.segment())?;
    let end = file.length()?.min(u32::MAX as u64) as u32;
    Ok(Head { file, mark, end, is_new: false })
}

/// The last segment, taken as full: the first append opens another, so opening the store needs no space.
fn full_head(segments: &Segments, mark: Mark) -> Result<Head> {
    let file = segments.open(mark.position.segment())?;
    let end = mark.position.offset();
    if let Err(error) = file.truncate(end as u64) {
        tracing::warn!(%error, "the space behind the log's end stays reserved");
    }
    Ok(Head { file, mark, end, is_new: false })
}

fn remove_all(segments: &Segments, numbers: &[u32]) -> Result<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    tracing::info!(?numbers, "removing segments that were begun before a crash and never became part of the log");
    numbers.iter().try_for_each(|number| segments.remove(*number))?;
    segments.sync_names()
}
