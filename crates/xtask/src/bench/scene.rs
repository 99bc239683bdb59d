//! One file system on which one group of workloads is played, and what it takes.

use super::disk::Disk;
use super::input::Inputs;
use super::peers::Mounted;
use super::usage::{self, Cost};
use crate::program::Program;
use anyhow::Result;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// In what a workload's figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Less is better.
    Seconds,
    /// More is better.
    PerSecond,
    /// More is better.
    BytesPerSecond,
    /// Less is better.
    Bytes,
}

impl Unit {
    pub(super) fn is_less_better(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Bytes)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::PerSecond => "1/s",
            Unit::BytesPerSecond => "bytes/s",
            Unit::Bytes => "bytes",
        }
    }
}

/// One figure of one round.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) workload: String,
    pub(super) unit: Unit,
    pub(super) value: f64,
    pub(super) cost: Cost,
}

/// How much each workload does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// A part of what a full run does.
    pub(super) factor: f64,
    /// Small and short, to see that the benchmark itself works.
    pub(super) is_quick: bool,
}

impl Scale {
    /// A part of a count, and no less than some.
    pub(super) fn of(self, count: u64, least: u64) -> u64 {
        ((count as f64 * self.factor) as u64).max(least)
    }

    /// How long something runs that runs for a time.
    pub(super) fn time(self, full: Duration) -> Duration {
        if self.is_quick { full / 20 } else { full }
    }
}

pub(super) struct Scene<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scale: Scale,
    /// A directory on the local disk, for what belongs to no peer.
    pub(super) aside: &'a Path,
    disk: &'a Disk,
    mounted: Box<dyn Mounted>,
    measures: Vec<Measure>,
}

/// What was counted when a workload began.
struct Start {
    daemon: Option<u32>,
    cpu: Option<Duration>,
    written: u64,
    requests: BTreeMap<String, u64>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        mounted: Box<dyn Mounted>,
        inputs: &'a Inputs,
        scale: Scale,
        aside: &'a Path,
        disk: &'a Disk,
    ) -> Scene<'a> {
        Scene { inputs, scale, aside, disk, mounted, measures: Vec::new() }
    }

    /// A path in the file system.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.mounted.point().join(name)
    }

    /// A directory on the peer's disk that is not in the peer.
    pub(super) fn below(&self) -> Option<PathBuf> {
        self.mounted.below()
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.mounted.sync()
    }

    pub(super) fn is_collecting(&self) -> Result<Option<bool>> {
        self.mounted.is_collecting()
    }

    pub(super) fn daemon(&self) -> Result<Option<u32>> {
        self.mounted.daemon()
    }

    pub(super) fn measures(self) -> Vec<Measure> {
        self.measures
    }

    /// Takes everything of the file system out of memory.
    pub(super) fn cool(&mut self) -> Result<()> {
        self.mounted.sync()?;
        self.mounted.remount()?;
        Program::new("sync").output()?;
        Ok(fs::write("/proc/sys/vm/drop_caches", "3")?)
    }

    /// Plays a workload whose figure is the time that it takes.
    pub(super) fn time(&mut self, workload: &str, given: u64, work: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        self.rate(workload, Unit::Seconds, given, |scene| {
            let start = Instant::now();
            work(scene)?;
            Ok(start.elapsed().as_secs_f64())
        })
    }

    /// Plays a workload that measures itself.
    pub(super) fn rate(
        &mut self,
        workload: &str,
        unit: Unit,
        bytes_given: u64,
        work: impl FnOnce(&Self) -> Result<f64>,
    ) -> Result<()> {
        let start = self.start()?;
        let value = work(self)?;
        let cost = self.cost(start, bytes_given)?;
        self.note(Measure { workload: workload.to_owned(), unit, value, cost });
        Ok(())
    }

    pub(super) fn note(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    fn start(&self) -> Result<Start> {
        let daemon = self.mounted.daemon()?;
        daemon.map(usage::reset_peak).transpose()?;
        Ok(Start {
            daemon,
            cpu: daemon.map(usage::cpu_time).transpose()?,
            written: self.disk.bytes_written()?,
            requests: self.mounted.requests()?.into_iter().collect(),
        })
    }

    fn cost(&self, start: Start, bytes_given: u64) -> Result<Cost> {
        let cpu = start.daemon.map(usage::cpu_time).transpose()?;
        let peak_bytes = start.daemon.map(usage::peak_bytes).transpose()?;
        let counted = self.mounted.requests()?.into_iter();
        let requests = counted.map(|(name, count)| {
            let before = start.requests.get(&name).copied().unwrap_or(0);
            (name, count - before)
        });
        let requests = requests.filter(|(_, count)| *count > 0).collect();
        self.mounted.sync()?;
        Ok(Cost {
            daemon_cpu: cpu.zip(start.cpu).map(|(now, before)| now - before),
            peak_bytes,
            bytes_given,
            bytes_written: self.disk.bytes_written()? - start.written,
            requests,
        })
    }
}
