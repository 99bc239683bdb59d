//! Scrubbing: reading all of a pool's store, and looking whether everything is there that its volumes need.
//!
//! A [`Scrub`] goes in steps, so that whoever runs it can pause it, slow it down, and go on after a restart:
//!
//! 1. **Reading**: every frame of the log is compared with its checksums, blocks also with their names.
//! 2. **Walking**: from all that the pool retains along links. Damage of what nothing needs is of no interest; what is needed and
//!    cannot be had is a finding, whether it is damaged or missing.
//! 3. **Naming**: for each finding, the files that use it, in which volume and which kept state.
//!
//! Damaged roots and journals are made anew on the way, from what is in memory: they are findings, but healed.
//!
//! What this module deliberately does not know: time, rates, schedules, and where its position is remembered.

mod finding;
mod users;

pub use finding::{Finding, User};

use crate::limits::{SCRUB_DAMAGES_MAX, SCRUB_WALK_STEP_BLOCKS};
use crate::{Pool, PoolError};
use block::{Damage, Hold, Name, Position, Reach};
use std::collections::{BTreeMap, BTreeSet};

/// A scrub under way.
pub struct Scrub {
    point: ScrubPoint,
    bytes_total: Option<u64>,
    stage: Stage,
    findings: Vec<Finding>,
}

/// From where a scrub can be gone on with after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubPoint {
    /// Up to where the log was read.
    pub position: Position,
    /// How much of it.
    pub bytes_done: u64,
    /// What was not as it was written.
    pub damages: Vec<Damage>,
}

enum Stage {
    Reading { end: Option<Position> },
    Walking(Box<Walk>),
    Done,
}

struct Walk {
    reach: Reach,
    lacking: BTreeMap<Name, String>,
    /// What the walk began with stays, also when the volumes need it no more.
    _hold: Hold,
}

/// What a scrub is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubStage {
    /// It reads the log.
    Reading,
    /// It follows links, and names who uses what it finds lacking.
    Walking,
    /// It has ended.
    Done,
}

/// How far a scrub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubProgress {
    /// What it is doing.
    pub stage: ScrubStage,
    /// Bytes of the log that were read.
    pub bytes_done: u64,
    /// Bytes to read, those that were read included.
    pub bytes_total: u64,
    /// Blocks to which the walk came.
    pub blocks_walked: u64,
    /// Damaged stretches of the log found by now. Not all of them need matter.
    pub damages: u64,
}

impl Scrub {
    /// A scrub that begins, or goes on where another one was.
    pub fn new(point: ScrubPoint) -> Self {
        Self { point, bytes_total: None, stage: Stage::Reading { end: None }, findings: Vec::new() }
    }

    /// From where to go on after a restart.
    pub fn point(&self) -> &ScrubPoint {
        &self.point
    }

    /// How far it is.
    pub fn progress(&self) -> ScrubProgress {
        let (stage, blocks_walked) = match &self.stage {
            Stage::Reading { .. } => (ScrubStage::Reading, 0),
            Stage::Walking(walk) => (ScrubStage::Walking, walk.reach.visited()),
            Stage::Done => (ScrubStage::Done, 0),
        };
        let (bytes_done, damages) = (self.point.bytes_done, self.point.damages.len() as u64);
        let bytes_total = self.bytes_total.unwrap_or(bytes_done).max(bytes_done);
        ScrubProgress { stage, bytes_done, bytes_total, blocks_walked, damages }
    }

    /// What it found. Complete when it has ended.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Goes on a little, reading about `bytes_max` of the log. Returns how many it read.
    pub fn step(&mut self, pool: &Pool, bytes_max: u64) -> Result<u64, PoolError> {
        match &mut self.stage {
            Stage::Reading { .. } => self.read(pool, bytes_max),
            Stage::Walking(_) => self.walk(pool).map(|()| 0),
            Stage::Done => Ok(0),
        }
    }

    fn read(&mut self, pool: &Pool, bytes_max: u64) -> Result<u64, PoolError> {
        let store = pool.store();
        let point = &mut self.point;
        let Stage::Reading { end } = &mut self.stage else { return Ok(0) };
        let end = *end.get_or_insert_with(|| store.position());
        if self.bytes_total.is_none() {
            self.bytes_total = Some(point.bytes_done + store.bytes_to_verify(point.position));
        }
        let damages = &mut point.damages;
        let verified = store.verify(point.position, bytes_max, &mut |damage| {
            tracing::warn!(position = %damage.position, bytes = damage.bytes, what = damage.what, "damaged");
            if damages.len() < SCRUB_DAMAGES_MAX {
                damages.push(damage);
            }
        })?;
        point.bytes_done += verified.bytes;
        match verified.next {
            Some(next) if next < end => point.position = next,
            _ => {
                point.position = end;
                self.begin_to_walk(pool)?;
            }
        }
        Ok(verified.bytes)
    }

    fn begin_to_walk(&mut self, pool: &Pool) -> Result<(), PoolError> {
        self.findings = finding::of_records(pool, &self.point.damages)?;
        self.stage = Stage::Walking(Box::new(Walk::new(pool, &self.point.damages)?));
        Ok(())
    }

    fn walk(&mut self, pool: &Pool) -> Result<(), PoolError> {
        let Stage::Walking(walk) = &mut self.stage else { return Ok(()) };
        let lacking = &mut walk.lacking;
        let mut found = |name: Name, what: String| {
            if lacking.len() < SCRUB_DAMAGES_MAX {
                lacking.insert(name, what);
            }
        };
        if walk.reach.step(pool.store(), SCRUB_WALK_STEP_BLOCKS, &mut found)? {
            return Ok(());
        }
        let lacking = std::mem::take(&mut walk.lacking);
        self.name(pool, lacking)?;
        self.stage = Stage::Done;
        Ok(())
    }

    fn name(&mut self, pool: &Pool, lacking: BTreeMap<Name, String>) -> Result<(), PoolError> {
        if lacking.is_empty() {
            return Ok(());
        }
        lacking.iter().for_each(|(name, what)| pool.store().note_damaged(name, what));
        let names: BTreeSet<Name> = lacking.keys().copied().collect();
        let mut users = users::of(pool, &names)?;
        for (name, what) in lacking {
            let users = users.remove(&name).unwrap_or_default();
            let finding = Finding { block: Some(name), what, is_healed: false, users };
            tracing::error!("{finding}");
            self.findings.push(finding);
        }
        Ok(())
    }
}

impl Walk {
    fn new(pool: &Pool, damages: &[Damage]) -> Result<Self, PoolError> {
        let hold = pool.store().hold();
        Ok(Self { reach: Reach::new(pool.retained()?, damages), lacking: BTreeMap::new(), _hold: hold })
    }
}
