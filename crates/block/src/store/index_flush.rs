//! Moving what is durable into the index.

use super::Store;
use crate::limits::{UNINDEXED_BYTES_MAX, UNINDEXED_ENTRIES_MAX, UNINDEXED_OVERRUN_MAX};
use crate::log::Mark;
use crate::recent::Entry;
use crate::{Blocks, IndexUpdate, Name, Position, Result, Totals};
use parking_lot::{Mutex, MutexGuard};

/// How far the index is.
pub(super) struct Indexed {
    flushing: Mutex<()>,
    state: Mutex<(Position, Totals)>,
}

impl Indexed {
    /// The index as it was found.
    pub(super) fn new(watermark: Position, totals: Totals) -> Self {
        Self { flushing: Mutex::new(()), state: Mutex::new((watermark, totals)) }
    }

    /// Sums over what is in the index.
    pub(super) fn totals(&self) -> Totals {
        self.state.lock().1
    }

    fn watermark(&self) -> Position {
        self.state.lock().0
    }
}

impl Store {
    /// Moves what is durable into the index, so that neither memory nor the time of a recovery grows with the log.
    pub fn flush_index(&self) -> Result<()> {
        let turn = self.indexed.flushing.lock();
        self.flush_index_in_turn(&turn)
    }

    /// Called after each append with the log's head: flushes when the index is too far behind.
    pub(super) fn keep_index_close(&self, head: Mark) -> Result<()> {
        let lag = self.lag(head);
        if lag < 1.0 {
            return Ok(());
        }
        let must_wait = lag >= UNINDEXED_OVERRUN_MAX as f64;
        let turn = if must_wait { Some(self.indexed.flushing.lock()) } else { self.indexed.flushing.try_lock() };
        match turn {
            Some(turn) if self.lag(head) >= 1.0 => {
                self.sync()?;
                self.flush_index_in_turn(&turn)
            }
            _ => Ok(()),
        }
    }

    /// How far the index is behind, as a part of what is allowed.
    fn lag(&self, head: Mark) -> f64 {
        let bytes = head.log_bytes.saturating_sub(self.indexed.totals().log_bytes) as f64 / UNINDEXED_BYTES_MAX as f64;
        bytes.max(self.recent.count() as f64 / UNINDEXED_ENTRIES_MAX as f64)
    }

    fn flush_index_in_turn(&self, _turn: &MutexGuard<'_, ()>) -> Result<()> {
        let durable = self.log.durable();
        if durable.position == self.indexed.watermark() {
            return Ok(());
        }
        let entries = self.recent.below(durable.position);
        let update = self.update(durable, &entries);
        self.index.apply(&update).map_err(|error| self.log.stop(error))?;
        *self.indexed.state.lock() = (update.watermark, update.totals);
        self.recent.forget_below(durable.position);
        self.roots.forget_below(durable.position);
        Ok(())
    }

    fn update(&self, durable: Mark, entries: &[(Name, Entry)]) -> IndexUpdate {
        let mut totals = self.indexed.totals();
        entries.iter().for_each(|(_, entry)| entry.add_to(&mut totals));
        totals.log_bytes = durable.log_bytes;
        IndexUpdate {
            entries: entries.iter().map(|(name, entry)| (*name, entry.location)).collect(),
            roots: self.roots.unindexed_below(durable.position),
            watermark: durable.position,
            totals,
        }
    }
}
