//! Garbage collections in a workload, with the power going at every operation of theirs.

use crate::crash::Tally;
use crate::random::{Run, Worked};
use block::{Index, MemoryIndex, Thrift};
use std::sync::atomic::Ordering;
use volume::Pool;

/// Collections at the end of a workload before one must have retired a segment.
const COLLECTIONS_MAX: usize = 20;

/// Operations in each volume before each of them.
const STEPS_BETWEEN: usize = 6;

fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Run {
    /// Collects garbage, with operations between the steps; now and then it gives up, if it may. Gives how many segments were
    /// retired.
    pub(crate) fn collect_beside(&mut self, pool: &Pool, tally: &Tally, may_give_up: bool) -> Result<u64, String> {
        let (index, known) = (self.index.snapshot(), self.known());
        let collection = pool.begin_collection(Thrift::SpaceIsShort).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)?;
        self.volumes.iter_mut().for_each(Worked::synced);
        let mut collection = collection.expect("none is under way");
        loop {
            let (index, before) = (self.index.snapshot(), self.index.state().expect("a state"));
            let goes_on = collection.step().map_err(failed)?;
            // A step may retire a segment right after it changed the index: the index before it belongs to no moment after that.
            let is_as_before = before == self.index.state().expect("a state");
            let index = if is_as_before { index } else { MemoryIndex::default() };
            self.crash_at_images(&index, &self.known(), tally)?;
            if !goes_on || (may_give_up && self.random.below(60) == 0) {
                let retired = pool.store().collection_progress().retired;
                tally.retired.fetch_add(retired, Ordering::Relaxed);
                return Ok(retired);
            }
            if self.random.percent(30) {
                let (index, number) = (self.index.snapshot(), self.a_writable());
                self.volumes[number].step(pool).map_err(failed)?;
                self.crash_at_images(&index, &self.known(), tally)?;
            }
        }
    }

    /// Ends a workload: the history goes, and garbage is made and collected until segments are retired, so that every workload has
    /// its crashes around that.
    pub(crate) fn retire(&mut self, pool: &Pool, tally: &Tally) -> Result<(), String> {
        let (index, known) = (self.index.snapshot(), self.known());
        for volume in pool.list_volumes().map_err(failed)? {
            pool.set_volume(&volume.name, &[("retention".into(), "none".into())]).map_err(failed)?;
        }
        self.crash_at_images(&index, &known, tally)?;
        if self.volumes.iter().any(|volume| volume.is_replica) {
            self.change_role(pool, tally)?;
        }
        for _ in 0..COLLECTIONS_MAX {
            // In each volume, since the journal of one that has no new root holds back the segments behind its last one.
            for volume in &mut self.volumes {
                (0..STEPS_BETWEEN).try_for_each(|_| volume.step(pool)).map_err(failed)?;
            }
            pool.checkpoint().and_then(|()| Ok(pool.store().flush_index()?)).map_err(failed)?;
            self.volumes.iter_mut().for_each(Worked::synced);
            self.disk.take_images();
            if self.collect_beside(pool, tally, false)? > 0 {
                return Ok(());
            }
        }
        Err(format!("{COLLECTIONS_MAX} collections retired no segment"))
    }
}
