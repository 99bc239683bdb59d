//! History: the roots that checkpoints made, thinned out by the retention.

use super::changes::Changes;
use super::key::{KeptId, Kind};
use super::root::KeptRoot;
use super::{Kept, Retention};
use crate::limits::RETENTION_BATCH_ROOTS;
use crate::root::Root;
use crate::{Result, Timestamp};
use std::ops::Bound;

/// Goes round and round through the history, some roots per checkpoint, so that a checkpoint's work is bounded however much
/// there is to thin out.
#[derive(Default)]
pub(crate) struct Sweep {
    next: Option<KeptId>,
}

impl Kept {
    /// With the state of a checkpoint, and without what goes.
    pub(crate) fn with_history(&self, root: &Root, going: &[KeptId]) -> Result<Self> {
        let mut changes = Changes::default();
        going.iter().for_each(|id| changes.delete(*id));
        changes.put(&KeptRoot::of(root, self.free_id(Kind::History, root.taken)?, "", false));
        self.with(changes)
    }

    /// Without what goes.
    pub(crate) fn without_old_history(&self, going: &[KeptId]) -> Result<Self> {
        let mut changes = Changes::default();
        going.iter().for_each(|id| changes.delete(*id));
        self.with(changes)
    }

    /// Which of the next roots the retention does not keep. The newest stays in any case: it may be the state that the volume
    /// still has.
    pub(crate) fn swept(&self, retention: &Retention, now: Timestamp, sweep: &mut Sweep) -> Result<Vec<KeptId>> {
        let from = sweep.next.take().unwrap_or(KeptId::first(Kind::History));
        let batch = self.range(from, Bound::Unbounded)?.take(RETENTION_BATCH_ROOTS + 1);
        let batch = batch.map(|root| Ok(root?.id)).collect::<Result<Vec<_>>>()?;
        sweep.next = batch.get(RETENTION_BATCH_ROOTS).copied();
        let goes = |pair: &&[KeptId]| !retention.keeps(pair[0].taken, pair[1].taken, now);
        let gone = batch.windows(2).filter(goes).map(|pair| pair[0]).collect();
        Ok(gone)
    }

    /// The whole history, and what a retention would keep of it: what is left when every root that goes is gone.
    pub(crate) fn retention_effect(&self, retention: &Retention, now: Timestamp) -> Result<Vec<(KeptRoot, bool)>> {
        let mut effect = Vec::new();
        for root in self.range(KeptId::first(Kind::History), Bound::Unbounded)? {
            effect.push((root?, true));
        }
        for index in 1..effect.len() {
            let next = effect[index].0.taken();
            effect[index - 1].1 = retention.keeps(effect[index - 1].0.taken(), next, now);
        }
        Ok(effect)
    }

    /// The older half of the history, but never the newest root.
    pub(crate) fn older_half(&self) -> Result<Vec<KeptId>> {
        let all = self.range(KeptId::first(Kind::History), Bound::Unbounded)?;
        let mut ids = all.map(|root| Ok(root?.id)).collect::<Result<Vec<_>>>()?;
        ids.truncate(ids.len() / 2);
        Ok(ids)
    }

    /// Roots of history taken from one time up to another, both included, the oldest first.
    pub(crate) fn history(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<impl Iterator<Item = Result<KeptRoot>> + use<>> {
        self.range(KeptId::first_at(Kind::History, from), Bound::Included(KeptId::last_at(Kind::History, to)))
    }

    /// All kept roots taken from one time up to another, both included, the oldest first.
    pub(crate) fn roots(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<impl Iterator<Item = Result<KeptRoot>> + use<>> {
        let snapshots =
            self.range(KeptId::first_at(Kind::Snapshot, from), Bound::Included(KeptId::last_at(Kind::Snapshot, to)))?;
        let (mut history, mut snapshots) = (self.history(from, to)?.peekable(), snapshots.peekable());
        Ok(std::iter::from_fn(move || match (history.peek(), snapshots.peek()) {
            (Some(Ok(older)), Some(Ok(newer))) if older.taken() <= newer.taken() => history.next(),
            (Some(Err(_)), _) | (_, None) => history.next(),
            _ => snapshots.next(),
        }))
    }
}
