//! The thread that has mirrors synced on time.
//!
//! Each sync is a process of its own, the same command that a user would type: a node never waits for a replica, and a sync may be
//! killed at any moment. One runs at a time.

use super::Node;
use super::alarm::{Alarm, LOOK_INTERVAL};
use crate::clock::now;
use crate::mirrors::{Definitions, Turn, Turns};
use anyhow::{Context, Result};
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// This program, also after an update has put another one in its place.
const PROGRAM: &str = "/proc/self/exe";

/// Wakes when the next sync is due, and when the mirrors have changed.
pub(super) struct MirrorSchedule {
    store: PathBuf,
    alarm: Arc<Alarm>,
    /// The sync that runs.
    running: Mutex<Option<OwnedFd>>,
}

impl MirrorSchedule {
    /// That of a store.
    pub(super) fn of(store: &Path) -> Self {
        Self { store: store.to_owned(), alarm: Arc::default(), running: Mutex::default() }
    }

    pub(super) fn start(node: &Arc<Node>) -> Result<()> {
        let schedule = node.mirror_schedule.clone();
        node.mirror_schedule.alarm.start("mirror-schedule", move || schedule.act())
    }

    /// A mirror was added, removed or set.
    pub(super) fn look_again(&self) {
        self.alarm.look_again();
    }

    /// Kills the sync that runs, and ends the thread.
    pub(super) fn end(&self) {
        self.alarm.stop();
        if let Some(running) = &*self.running.lock()
            && let Err(error) = pidfd_send_signal(running, Signal::KILL)
        {
            tracing::debug!(%error, "the sync that ran has ended by itself");
        }
        self.alarm.join();
    }

    /// Syncs the mirror that is due, if one is; gives how long nothing is to be done.
    fn act(&self) -> Option<Duration> {
        let next = self.next().unwrap_or_else(|error| {
            tracing::error!("{error:#}");
            None
        });
        let (mirror, due) = next?;
        match due.checked_sub(now()) {
            Some(0) | None => Some(self.take_turn(&mirror)),
            Some(seconds) => Some(Duration::from_secs(seconds)),
        }
    }

    /// The mirror whose sync is due first, and when.
    fn next(&self) -> Result<Option<(String, u64)>> {
        let (definitions, turns) = (Definitions::read(&self.store)?, Turns::read(&self.store)?);
        let due = definitions.all().iter().filter_map(|(name, definition)| {
            let due = turns.due(name, definition, now())?;
            Some((name.clone(), due))
        });
        Ok(due.min_by_key(|(_, due)| *due))
    }

    /// Syncs a mirror, and remembers how it went, unless the node ends meanwhile. Gives how long to wait for the next.
    fn take_turn(&self, mirror: &str) -> Duration {
        let problem = self.sync(mirror).err().map(|error| format!("{error:#}"));
        if self.alarm.is_stopped() {
            return Duration::ZERO;
        }
        match &problem {
            None => tracing::info!(mirror, "synced on schedule"),
            Some(why) => tracing::warn!(mirror, "a sync on schedule failed, and will be tried again: {why}"),
        }
        let remember = || -> Result<()> {
            let mut turns = Turns::read(&self.store)?;
            turns.set(mirror, Turn { ended: now(), problem });
            turns.write(&self.store)
        };
        match remember() {
            Ok(()) => Duration::ZERO,
            Err(error) => {
                tracing::error!("{error:#}");
                // Without a record it would be due at once, again and again.
                LOOK_INTERVAL
            }
        }
    }

    fn sync(&self, mirror: &str) -> Result<()> {
        let mut command = Command::new(PROGRAM);
        command.args(["mirror", "sync", "--store"]).arg(&self.store).arg("--").arg(mirror);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a sync")?;
        let pid = Pid::from_child(&child);
        {
            let mut slot = self.running.lock();
            // It is not waited for yet, so the number is still its own.
            let running = pidfd_open(pid, PidfdFlags::empty());
            if self.alarm.is_stopped() || running.is_err() {
                child.kill().context("cannot stop a sync")?;
            }
            *slot = running.ok();
        }
        let output = child.wait_with_output();
        *self.running.lock() = None;
        let output = output.context("cannot wait for a sync")?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().last().map(|line| line.strip_prefix("pantala: ").unwrap_or(line));
        anyhow::bail!("{}", line.map_or_else(|| output.status.to_string(), str::to_owned))
    }
}
