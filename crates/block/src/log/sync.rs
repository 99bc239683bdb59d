//! Syncing in rounds: one caller leads and syncs for all that wait.

use super::state::State;
use super::{Log, Mark};
use crate::Result;
use crate::segment_file::SegmentFile;
use crate::segments::Segments;
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What one round makes durable.
struct Round {
    goal: Mark,
    files: Vec<Arc<SegmentFile>>,
    names: bool,
}

impl Log {
    /// Returns when everything appended before the call is durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut state = self.state.lock();
        let target = state.head.mark.position;
        loop {
            state.check()?;
            if state.durable.position >= target {
                return Ok(());
            }
            if state.is_syncing {
                self.changed.wait(&mut state);
            } else {
                self.lead(&mut state)?;
            }
        }
    }

    fn lead(&self, state: &mut MutexGuard<'_, State>) -> Result<()> {
        state.is_syncing = true;
        let round = Round::take(state);
        state.write_ahead();
        while state.is_writing_below(round.goal.position) {
            self.changed.wait(state);
        }
        let result = state.check().and_then(|()| MutexGuard::unlocked(state, || self.run(&round)));
        state.is_syncing = false;
        if result.is_ok() {
            state.durable = round.goal;
        }
        self.changed.notify_all();
        result
    }

    fn run(&self, round: &Round) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        round.run(&self.segments).map_err(|error| self.fail(error))
    }
}

impl Round {
    fn take(state: &mut State) -> Self {
        let mut files = std::mem::take(&mut state.filled);
        files.push(state.head.file.clone());
        Self { goal: state.head.mark, files, names: std::mem::take(&mut state.names_changed) }
    }

    fn run(&self, segments: &Segments) -> Result<()> {
        self.files.iter().try_for_each(|file| file.sync())?;
        if self.names { segments.sync_names() } else { Ok(()) }
    }
}
