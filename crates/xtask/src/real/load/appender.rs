//! Threads that append records, make them durable now and then, and remember how far they were told that they are.

use super::records;
use crate::real::chance::Chance;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// Records between two syncs, at most.
const UNSYNCED_MAX: usize = 12;

/// How an appender makes its records durable.
#[derive(Clone, Copy)]
enum Persist {
    Fsync,
    Fdatasync,
    /// Each write by itself: O_DSYNC.
    Write,
}

/// File and way of each appender; the first two share a file.
const APPENDERS: [(&str, Persist); 4] = [
    ("shared", Persist::Fsync),
    ("shared", Persist::Fdatasync),
    ("alone", Persist::Fdatasync),
    ("written through", Persist::Write),
];

/// What an appender knows of its file.
struct Progress {
    file: PathBuf,
    writer: u32,
    /// All that append to its file.
    writers: Vec<u32>,
    /// Records whose write has returned.
    written: AtomicU64,
    /// Records that were told to be durable.
    durable: AtomicU64,
}

pub(super) struct Appenders {
    progress: Vec<Arc<Progress>>,
    threads: Vec<JoinHandle<()>>,
}

impl Appenders {
    pub(super) fn begin(directory: &Path, chance: &mut Chance) -> Result<Appenders> {
        let mut appenders = Appenders { progress: Vec::new(), threads: Vec::new() };
        for (writer, (name, persist)) in (0..).zip(APPENDERS) {
            let flags = if matches!(persist, Persist::Write) { libc::O_DSYNC } else { 0 };
            let path = directory.join(name);
            let file = OpenOptions::new().create(true).append(true).custom_flags(flags).open(&path)?;
            let (written, durable) = Default::default();
            let writers =
                (0..).zip(APPENDERS).filter(|(_, (other, _))| *other == name).map(|(writer, _)| writer).collect();
            let progress = Arc::new(Progress { file: path, writer, writers, written, durable });
            appenders.progress.push(progress.clone());
            let mut chance = Chance::new(chance.next());
            appenders.threads.push(std::thread::spawn(move || progress.append(file, persist, &mut chance)));
        }
        Ok(appenders)
    }

    /// The file that two of them append to.
    pub(super) fn shared(&self) -> &Path {
        &self.progress[0].file
    }

    /// Fails unless a copy of the file that two of them append to holds only records, from the first on.
    pub(super) fn expect_records(&self, copy: &Path) -> Result<()> {
        self.progress[0].found(copy).map(drop)
    }

    /// Whether each was told of something durable.
    pub(super) fn have_begun(&self) -> bool {
        self.progress.iter().all(|progress| progress.durable.load(Ordering::SeqCst) > 0)
    }

    /// Records that were told to be durable.
    pub(super) fn acknowledged(&self) -> u64 {
        self.progress.iter().map(|progress| progress.durable.load(Ordering::SeqCst)).sum()
    }

    /// How many records of each have been written by now.
    pub(super) fn written(&self) -> Vec<u64> {
        self.progress.iter().map(|progress| progress.written.load(Ordering::SeqCst)).collect()
    }

    /// Waits until each has got an error: its file system is gone.
    pub(super) fn expect_ended(&self, time_max: Duration) -> Result<()> {
        let start = Instant::now();
        while !self.threads.iter().all(JoinHandle::is_finished) {
            if start.elapsed() > time_max {
                bail!("an appender hangs on a dead mount");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Every acknowledged record is there. Gives how many are there beyond.
    pub(super) fn expect_kept(&self) -> Result<u64> {
        let mut beyond = 0;
        for progress in &self.progress {
            let (durable, written) = (progress.durable.load(Ordering::SeqCst), progress.written.load(Ordering::SeqCst));
            let found = progress.found(&progress.file)?;
            // The last write may have been done although nobody could be told.
            if found < durable || found > written + 1 {
                bail!(
                    "{}: writer {} wrote {written} records, {durable} were synced, {found} are there",
                    progress.file.display(),
                    progress.writer
                );
            }
            beyond += found - durable;
        }
        Ok(beyond)
    }

    /// The files in a copy of their directory hold at least so many records of each.
    pub(super) fn expect_at_least(&self, copy: &Path, counts: &[u64]) -> Result<()> {
        for (progress, count) in self.progress.iter().zip(counts) {
            let name = progress.file.file_name().context("a file has a name")?;
            let found = progress.found(&copy.join(name))?;
            if found < *count {
                bail!("{}: {count} records of writer {} were there, {found} are", copy.display(), progress.writer);
            }
        }
        Ok(())
    }
}

impl Progress {
    /// Appends until that fails.
    fn append(&self, mut file: File, persist: Persist, chance: &mut Chance) {
        for number in 1.. {
            if file.write_all(&records::record(self.writer, number)).is_err() {
                return;
            }
            self.written.store(number, Ordering::SeqCst);
            let is_durable = match persist {
                Persist::Write => Ok(()),
                _ if chance.within(0..UNSYNCED_MAX) > 0 => continue,
                Persist::Fsync => file.sync_all(),
                Persist::Fdatasync => file.sync_data(),
            };
            if is_durable.is_err() {
                return;
            }
            self.durable.store(number, Ordering::SeqCst);
        }
    }

    /// How many of its records a file holds.
    fn found(&self, file: &Path) -> Result<u64> {
        let bytes = fs::read(file).with_context(|| format!("{}", file.display()))?;
        let counts = records::count(&bytes, &self.writers).with_context(|| format!("{}", file.display()))?;
        Ok(counts[&self.writer])
    }
}
