//! Moving what is durable into the index.
//!
//! Whoever changes the index holds its turn, so what a turn reads stays true until it writes.

use super::Store;
use crate::limits::{
    REREAD_BYTES_MAX, UNINDEXED_BYTES_MAX, UNINDEXED_ENTRIES_MAX, UNINDEXED_OVERRUN_MAX, UNINDEXED_STOP_MAX,
};
use crate::log::Mark;
use crate::recent::Entry;
use crate::{Blocks, IndexState, IndexUpdate, Name, Position, Result, Totals};
use parking_lot::{Mutex, MutexGuard};

/// How far the index is.
pub(crate) struct Indexed {
    turn: Mutex<()>,
    known: Mutex<Known>,
    /// Why it was not changed the last time.
    problem: Mutex<Option<String>>,
}

#[derive(Clone, Copy)]
struct Known {
    watermark: Position,
    totals: Totals,
    whole_from: Position,
}

/// The right to change the index, one holder at a time.
pub(crate) struct Turn<'a>(#[allow(dead_code, reason = "held, not read")] MutexGuard<'a, ()>);

impl Indexed {
    /// The index as it was found.
    pub(super) fn new(state: &IndexState) -> Self {
        let IndexState { watermark, totals, whole_from, .. } = *state;
        let known = Mutex::new(Known { watermark, totals, whole_from });
        Self { turn: Mutex::new(()), known, problem: Mutex::new(None) }
    }

    /// Waits for the turn to change the index.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn(self.turn.lock())
    }

    /// Sums over what is in the index.
    pub(crate) fn totals(&self) -> Totals {
        self.known.lock().totals
    }

    /// A block with links that lies below this may lack what it links to.
    pub(crate) fn whole_from(&self) -> Position {
        self.known.lock().whole_from
    }

    /// Everything below is in the index.
    pub(crate) fn watermark(&self) -> Position {
        self.known.lock().watermark
    }
}

impl Store {
    /// Moves what is durable into the index, so that neither memory nor the time of a recovery grows with the log.
    pub fn flush_index(&self) -> Result<()> {
        self.flush_index_in_turn(&self.indexed.turn())
    }

    /// Moves what is durable into the index, unless there is so little of it that the next opening leaves it out as well.
    pub fn keep_opening_short(&self) -> Result<()> {
        if self.unindexed_bytes() > REREAD_BYTES_MAX { self.flush_index() } else { Ok(()) }
    }

    /// Called before each append: moves what is durable when the index is too far behind. An index that cannot be changed, as on a
    /// full disk, keeps nobody from appending until it is much too far behind.
    pub(crate) fn keep_index_close(&self) -> Result<()> {
        let lag = self.lag();
        if lag < 1.0 {
            return Ok(());
        }
        let must_wait = lag >= UNINDEXED_OVERRUN_MAX as f64;
        let turn = if must_wait { Some(self.indexed.turn()) } else { self.indexed.turn.try_lock().map(Turn) };
        let flushed = match turn {
            Some(turn) if self.lag() >= 1.0 => self.sync().and_then(|()| self.flush_index_in_turn(&turn)),
            _ => return Ok(()),
        };
        match flushed {
            Err(error) if self.lag() < UNINDEXED_STOP_MAX as f64 => {
                tracing::warn!(%error, "the index stays behind");
                Ok(())
            }
            flushed => flushed,
        }
    }

    /// Bytes of log that are not in the index: what the next start reads.
    pub fn unindexed_bytes(&self) -> u64 {
        self.log.head().log_bytes.saturating_sub(self.indexed.totals().log_bytes)
    }

    /// Why the index stays behind, if it could not be changed the last time. Nothing is lost by that, but it keeps space from being
    /// given back, and in the end writes, too.
    pub fn index_problem(&self) -> Option<String> {
        self.indexed.problem.lock().clone()
    }

    /// How far the index is behind, as a part of what is allowed.
    fn lag(&self) -> f64 {
        let bytes = self.unindexed_bytes() as f64 / UNINDEXED_BYTES_MAX as f64;
        bytes.max(self.recent.count() as f64 / UNINDEXED_ENTRIES_MAX as f64)
    }

    fn flush_index_in_turn(&self, turn: &Turn<'_>) -> Result<()> {
        if self.closed.is_some() {
            return Ok(());
        }
        let durable = self.log.durable();
        if durable.position == self.indexed.watermark() {
            return Ok(());
        }
        let entries = self.recent.below(durable.position);
        let update = self.update(durable, &entries);
        self.apply_to_index(turn, &update)?;
        self.recent.forget_below(durable.position);
        self.roots.forget_below(durable.position);
        Ok(())
    }

    fn update(&self, durable: Mark, entries: &[(Name, Entry)]) -> IndexUpdate {
        let mut update = self.unchanged();
        entries.iter().for_each(|(_, entry)| entry.add_to(&mut update.totals));
        update.totals.log_bytes = durable.log_bytes;
        update.watermark = durable.position;
        update.entries = entries.iter().map(|(name, entry)| (*name, entry.location)).collect();
        update.roots = self.roots.unindexed_below(durable.position);
        update
    }

    /// An update that leaves the index as it is.
    pub(crate) fn unchanged(&self) -> IndexUpdate {
        let Known { watermark, totals, whole_from } = *self.indexed.known.lock();
        IndexUpdate { watermark, totals, whole_from, ..IndexUpdate::default() }
    }

    /// Changes the index.
    pub(crate) fn apply_to_index(&self, _turn: &Turn<'_>, update: &IndexUpdate) -> Result<()> {
        self.segments.give_spare_to_index();
        let applied = self.index.apply(update);
        *self.indexed.problem.lock() = applied.as_ref().err().map(ToString::to_string);
        applied?;
        let IndexUpdate { watermark, totals, whole_from, .. } = *update;
        *self.indexed.known.lock() = Known { watermark, totals, whole_from };
        Ok(())
    }
}
