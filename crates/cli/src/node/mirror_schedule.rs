//! The thread that has mirrors synced on time.
//!
//! Each sync is a process of its own, the same command that a user would type: a node never waits for a replica, and a sync may be
//! killed at any moment. One runs at a time.

use super::Node;
use crate::mirrors::{Definitions, Turn, Turns};
use crate::scrub::now;
use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the clock is looked at while a sync is to come: it may be set, and does not run on while the machine sleeps.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// This program, also after an update has put another one in its place.
const PROGRAM: &str = "/proc/self/exe";

/// Wakes when the next sync is due, and when the mirrors have changed.
pub(super) struct MirrorSchedule {
    store: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    has_changed: bool,
    is_ending: bool,
    /// The sync that runs.
    running: Option<OwnedFd>,
}

impl MirrorSchedule {
    /// That of a store.
    pub(super) fn of(store: &Path) -> Self {
        Self { store: store.to_owned(), state: Mutex::default(), changed: Condvar::new(), thread: Mutex::new(None) }
    }

    pub(super) fn start(node: &Arc<Node>) -> Result<()> {
        let schedule = node.mirror_schedule.clone();
        let thread = thread::Builder::new().name("mirror-schedule".into()).spawn(move || schedule.serve());
        *node.mirror_schedule.thread.lock() = Some(thread.context("cannot start a thread")?);
        Ok(())
    }

    /// A mirror was added, removed or set.
    pub(super) fn look_again(&self) {
        self.state.lock().has_changed = true;
        self.changed.notify_all();
    }

    /// Kills the sync that runs, and ends the thread.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.is_ending = true;
        if let Some(running) = &state.running
            && let Err(error) = pidfd_send_signal(running, Signal::KILL)
        {
            tracing::debug!(%error, "the sync that ran has ended by itself");
        }
        drop(state);
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the mirrors' schedule panicked");
        }
    }

    fn serve(&self) {
        loop {
            let next = self.next().unwrap_or_else(|error| {
                tracing::error!("{error:#}");
                None
            });
            match next {
                Some((mirror, due)) if due <= now() => self.take_turn(&mirror),
                Some((_, due)) => self.wait(Some(Duration::from_secs(due - now()).min(LOOK_INTERVAL))),
                None => self.wait(None),
            }
            let mut state = self.state.lock();
            state.has_changed = false;
            if state.is_ending {
                return;
            }
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

    fn wait(&self, time_max: Option<Duration>) {
        let mut state = self.state.lock();
        let waits = |state: &mut State| !state.has_changed && !state.is_ending;
        match time_max {
            Some(time_max) => drop(self.changed.wait_while_for(&mut state, waits, time_max)),
            None => self.changed.wait_while(&mut state, waits),
        }
    }

    /// Syncs a mirror, and remembers how it went, unless the node ends meanwhile.
    fn take_turn(&self, mirror: &str) {
        let problem = self.sync(mirror).err().map(|error| format!("{error:#}"));
        if self.state.lock().is_ending {
            return;
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
        if let Err(error) = remember() {
            tracing::error!("{error:#}");
            // Without a record it would be due at once, again and again.
            self.wait(Some(LOOK_INTERVAL));
        }
    }

    fn sync(&self, mirror: &str) -> Result<()> {
        let mut command = Command::new(PROGRAM);
        command.args(["mirror", "sync", "--store"]).arg(&self.store).arg("--").arg(mirror);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a sync")?;
        let pid = Pid::from_child(&child);
        {
            let mut state = self.state.lock();
            // It is not waited for yet, so the number is still its own.
            let running = pidfd_open(pid, PidfdFlags::empty());
            if state.is_ending || running.is_err() {
                child.kill().context("cannot stop a sync")?;
            }
            state.running = running.ok();
        }
        let output = child.wait_with_output();
        self.state.lock().running = None;
        let output = output.context("cannot wait for a sync")?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().last().map(|line| line.strip_prefix("pantala: ").unwrap_or(line));
        anyhow::bail!("{}", line.map_or_else(|| output.status.to_string(), str::to_owned))
    }
}
