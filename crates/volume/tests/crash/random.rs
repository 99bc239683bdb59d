//! Seeded workloads, with the power going after every operation of the disk.

use crate::crash::{Known, Remains, Tally, crash};
use crate::kept::KeptModel;
use crate::model::Model;
use crate::number;
use crate::place::{Clock, open_pool_with};
use crate::workload::Workload;
use block::MemoryIndex;
use sim::{Random, SimDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use volume::{Inode, Pool, PoolError, VolumeId};

/// Crash points tried unless `CRASH_POINTS` or `CRASH_SECONDS` say otherwise.
const POINTS_DEFAULT: u64 = 20_000;

/// Steps of a workload.
const STEPS: usize = 70;

/// Longest file, in bytes: a few chunks.
const FILE_BYTES: u64 = 40 << 10;

/// How much history the first volume keeps.
pub(crate) const RETENTIONS: [&str; 3] = ["none", "forever:all", "50s:all,forever:100s"];

/// Workloads run side by side.
const THREADS: usize = 2;

#[test]
fn a_crash_at_any_operation_of_the_disk_leaves_a_prefix_with_everything_synced() {
    let started = Instant::now();
    let seconds = number("CRASH_SECONDS").map(Duration::from_secs);
    let points = number("CRASH_POINTS").unwrap_or(if seconds.is_some() { u64::MAX } else { POINTS_DEFAULT });
    let first_seed = number("CRASH_SEED").unwrap_or(0);
    let (tally, next_seed, failed) = (Tally::default(), AtomicU64::new(first_seed), AtomicBool::new(false));
    let is_enough = || {
        let is_time_up = seconds.is_some_and(|seconds| started.elapsed() >= seconds);
        is_time_up || tally.points.load(Ordering::Relaxed) >= points || failed.load(Ordering::Relaxed)
    };
    let work = || {
        while !is_enough() {
            let seed = next_seed.fetch_add(1, Ordering::Relaxed);
            let _named = NamesSeed(seed);
            if let Err(why) = Run::new(seed, &SimDisk::new()).crash_everywhere(&tally) {
                failed.store(true, Ordering::Relaxed);
                panic!("seed {seed}: {why}");
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
    let seeds = next_seed.load(Ordering::Relaxed) - first_seed;
    println!("{seeds} workloads from seed {first_seed}: {tally:?}");
    // Each workload by itself sees to it that segments are retired (`collecting`): this holds whatever the seeds are.
    assert!(tally.retired.load(Ordering::Relaxed) >= seeds, "{tally:?}");
    let happened = [&tally.rolled_back, &tally.cloned, &tally.received, &tally.roles];
    assert!(seeds < 20 || happened.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{tally:?}");
}

/// Says which seed it was when a check panics.
struct NamesSeed(u64);

impl Drop for NamesSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the workload of seed {}; again with CRASH_SEED={} CRASH_POINTS=1", self.0, self.0);
        }
    }
}

/// One volume that is worked on.
pub(crate) struct Worked {
    pub(crate) workload: Workload,
    pub(crate) known: Known,
    /// The models of states that became snapshots.
    pub(crate) models: Vec<Model>,
    pub(crate) is_replica: bool,
    pub(crate) was_replica: bool,
}

impl Worked {
    pub(crate) fn new(volume: VolumeId, seed: u64) -> Self {
        let workload = Workload::new(Inode::ROOT, seed, FILE_BYTES);
        let known = Known {
            volume,
            states: vec![Arc::new(workload.model.dump())],
            durable: 0,
            kept: vec![KeptModel::default()],
        };
        Self { workload, known, models: Vec::new(), is_replica: false, was_replica: false }
    }

    pub(crate) fn step(&mut self, pool: &Pool) -> Result<(), PoolError> {
        let volume = pool.volume(self.known.volume).expect("it is open");
        self.workload.step(&volume)?;
        self.known.states.push(Arc::new(self.workload.model.dump()));
        Ok(())
    }

    pub(crate) fn synced(&mut self) {
        self.known.durable = self.known.states.len() - 1;
    }
}

/// A workload on two volumes of a pool.
pub(crate) struct Run {
    pub(crate) random: Random,
    pub(crate) disk: SimDisk,
    pub(crate) index: MemoryIndex,
    pub(crate) clock: Arc<Clock>,
    /// Those that must be there.
    pub(crate) volumes: Vec<Worked>,
    /// Names given so far.
    pub(crate) names: u64,
    /// What is broken once the pool is there.
    breaks: Box<dyn Fn(&SimDisk)>,
}

impl Run {
    pub(crate) fn new(seed: u64, disk: &SimDisk) -> Self {
        let (disk, index) = (disk.clone(), MemoryIndex::default());
        let (random, clock) = (Random::new(seed), Clock::of_pool(seed % 4 == 3));
        Self { random, disk, index, clock, volumes: Vec::new(), names: 0, breaks: Box::new(|_| {}) }
    }

    /// The same, with something broken once the pool is there.
    pub(crate) fn with_break(self, breaks: impl Fn(&SimDisk) + 'static) -> Self {
        Self { breaks: Box::new(breaks), ..self }
    }

    /// Runs the workload, and lets the power go at every operation of the disk.
    pub(crate) fn crash_everywhere(mut self, tally: &Tally) -> Result<(), String> {
        self.disk.keep_images();
        let mut pool = self.begin().map_err(|error| error.to_string())?;
        // Nobody was told yet that the pool is there.
        self.crash_at_images(&MemoryIndex::default(), &[], tally)?;
        (self.breaks)(&self.disk);
        self.volumes = vec![Worked::new(VolumeId::FIRST, self.random.number())];
        let retention = RETENTIONS[self.random.below(RETENTIONS.len() as u64) as usize];
        pool.set_volume("main", &[("retention".into(), retention.into())]).map_err(|error| error.to_string())?;
        for _ in 0..STEPS {
            let index = self.index.snapshot();
            let number = self.a_writable();
            self.volumes[number].step(&pool).map_err(|error| error.to_string())?;
            self.crash_at_images(&index, &self.known(), tally)?;
            if self.random.below(10) == 0 {
                self.step_snapshots(&pool, number, &index, tally)?;
            }
            let known = self.known();
            let synced = self.make_durable(&pool, number).map_err(|error| error.to_string())?;
            self.crash_at_images(&index, &known, tally)?;
            self.volumes.iter_mut().zip(synced).filter(|(_, synced)| *synced).for_each(|(volume, _)| volume.synced());
            if self.random.below(10) == 0 {
                self.collect_beside(&pool, tally, true)?;
            }
            if self.random.below(6) == 0 {
                pool = self.step_lineage(pool, tally)?;
            }
        }
        self.retire(&pool, tally)
    }

    fn begin(&self) -> Result<Pool, PoolError> {
        open_pool_with(&self.disk, self.index.clone(), true, &self.clock)
    }

    pub(crate) fn known(&self) -> Vec<Known> {
        self.volumes.iter().map(|volume| volume.known.clone()).collect()
    }

    /// A volume that takes changes.
    pub(crate) fn a_writable(&mut self) -> usize {
        let numbers = (0..self.volumes.len()).filter(|number| !self.volumes[*number].is_replica).collect::<Vec<_>>();
        numbers[self.random.below(numbers.len() as u64) as usize]
    }

    /// Does something to a volume's snapshots. What changes them makes everything before it durable.
    fn step_snapshots(&mut self, pool: &Pool, number: usize, index: &MemoryIndex, tally: &Tally) -> Result<(), String> {
        let Worked { workload, known, models, .. } = &mut self.volumes[number];
        let volume = pool.volume(known.volume).expect("it is open");
        let before = known.kept[0].clone();
        let after = before.step(&mut workload.random, &volume, &workload.model.dump());
        let has_changed = after.snapshots != before.snapshots;
        models.push(workload.model.clone());
        known.kept = vec![before, after.clone()];
        self.crash_at_images(index, &self.known(), tally)?;
        let volume = &mut self.volumes[number];
        volume.known.kept = vec![after];
        if has_changed {
            volume.synced();
        }
        Ok(())
    }

    /// Makes some of it durable, or none. Says of each volume whether it is.
    fn make_durable(&mut self, pool: &Pool, number: usize) -> Result<Vec<bool>, PoolError> {
        let volume = pool.volume(self.volumes[number].known.volume).expect("it is open");
        let only_this = (0..self.volumes.len()).map(|other| other == number).collect();
        let all = vec![true; self.volumes.len()];
        let none = vec![false; self.volumes.len()];
        match self.random.below(16) {
            0..=2 => volume.sync().map(|()| only_this).map_err(PoolError::from),
            3 | 4 => volume.checkpoint().map(|()| only_this).map_err(PoolError::from),
            5 => pool.sync().map(|()| all),
            6 => pool.checkpoint().map(|()| all),
            7 => Ok(pool.store().flush_index().map(|()| none)?),
            _ => Ok(none),
        }
    }

    pub(crate) fn crash_at_images(
        &mut self,
        index: &MemoryIndex,
        known: &[Known],
        tally: &Tally,
    ) -> Result<(), String> {
        for image in self.disk.take_images() {
            let index = if self.random.percent(50) { index.snapshot() } else { MemoryIndex::default() };
            let remains = match self.random.below(8) {
                0 => Remains::Durable,
                1 => Remains::All,
                _ => Remains::Some(self.random.number()),
            };
            crash(&image, remains, &index, known, tally)?;
        }
        Ok(())
    }
}
