//! A scrub that runs in this process.

use super::record::{FindingRecord, Report, UnderWay};
use crate::clock::now;
use std::time::Instant;
use volume::{Pool, PoolError, Scrub, ScrubProgress, ScrubStage};

/// Read in one step: an order is followed after each.
const STEP_BYTES: u64 = 4 << 20;

/// A scrub that runs.
pub(crate) struct Running {
    scrub: Scrub,
    since: Instant,
    bytes_before: u64,
}

/// How far and how fast a scrub is.
#[derive(Clone, Copy)]
pub(crate) struct Pulse {
    progress: ScrubProgress,
    since: Instant,
    bytes_before: u64,
}

impl Running {
    /// Begins, or goes on.
    pub(crate) fn new(under_way: &UnderWay) -> Self {
        let scrub = Scrub::new(under_way.point());
        let bytes_before = scrub.progress().bytes_done;
        Self { scrub, since: Instant::now(), bytes_before }
    }

    /// Does a step and returns how many bytes it read.
    pub(crate) fn step(&mut self, pool: &Pool, limit_rate: Option<u64>) -> Result<u64, PoolError> {
        self.scrub.step(pool, STEP_BYTES.min(limit_rate.unwrap_or(u64::MAX)))
    }

    /// How far and how fast it is.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse { progress: self.scrub.progress(), since: self.since, bytes_before: self.bytes_before }
    }

    /// Takes note of how far it is.
    pub(crate) fn note(&self, under_way: &mut UnderWay) {
        under_way.set_point(self.scrub.point());
    }

    /// What it found, once it has ended.
    pub(crate) fn report(&self, under_way: &UnderWay) -> Option<Report> {
        let progress = self.scrub.progress();
        (progress.stage == ScrubStage::Done).then(|| Report {
            started: under_way.started,
            ended: now(),
            bytes: progress.bytes_done,
            findings: self.scrub.findings().iter().map(FindingRecord::of).collect(),
        })
    }
}

impl Pulse {
    /// How far it is.
    pub(crate) fn progress(&self) -> ScrubProgress {
        self.progress
    }

    /// How fast it reads.
    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        let seconds = self.since.elapsed().as_secs_f64();
        let bytes = self.progress.bytes_done - self.bytes_before;
        (bytes > 0 && seconds > 0.0).then(|| (bytes as f64 / seconds) as u64)
    }

    /// How long reading takes yet, about.
    pub(crate) fn seconds_left(&self) -> Option<u64> {
        let left = self.progress.bytes_total - self.progress.bytes_done;
        self.bytes_per_second().filter(|rate| *rate > 0).map(|rate| left / rate)
    }
}
