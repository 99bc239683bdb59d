//! The thread that has snapshots made on time.

use super::Node;
use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};
use volume::Timestamp;

/// How often the clock is looked at while there is a schedule: it may be set, and does not run on while the machine sleeps.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Wakes when the next snapshot is due, and when a setting has changed.
#[derive(Default)]
pub(super) struct Scheduler {
    state: Mutex<State>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    has_changed: bool,
    is_ending: bool,
}

impl Scheduler {
    pub(super) fn start(node: &Arc<Node>) -> Result<()> {
        let (scheduler, weak) = (node.scheduler.clone(), Arc::downgrade(node));
        let thread = thread::Builder::new().name("schedule".into()).spawn(move || scheduler.serve(&weak));
        *node.scheduler.thread.lock() = Some(thread.context("cannot start a thread")?);
        Ok(())
    }

    /// A volume or its settings changed.
    pub(super) fn look_again(&self) {
        self.state.lock().has_changed = true;
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.state.lock().is_ending = true;
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the schedule's thread panicked");
        }
    }

    fn serve(&self, node: &Weak<Node>) {
        loop {
            let Some(node) = node.upgrade() else { return };
            let next = node.run_schedules();
            drop(node);
            let mut state = self.state.lock();
            let waits = |state: &mut State| !state.has_changed && !state.is_ending;
            match next {
                Some(next) => drop(self.changed.wait_while_for(&mut state, waits, time_until(next).min(LOOK_INTERVAL))),
                None => self.changed.wait_while(&mut state, waits),
            }
            state.has_changed = false;
            if state.is_ending {
                return;
            }
        }
    }
}

fn time_until(time: Timestamp) -> Duration {
    let now = Timestamp::from(SystemTime::now());
    // Just behind it, so that one look is enough.
    Duration::from_secs(time.seconds.saturating_sub(now.seconds).max(0) as u64 + 1)
}

impl Node {
    /// Has all volumes make what is due; gives when the next is.
    fn run_schedules(&self) -> Option<Timestamp> {
        let volumes = self.pool.list_volumes().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the list of volumes");
            Vec::new()
        });
        let run = |info: &volume::VolumeInfo| {
            let volume = self.pool.volume(info.id)?;
            volume.run_schedule().unwrap_or_else(|error| {
                tracing::error!(volume = info.name, %error, "a snapshot on schedule failed; it will be tried again");
                Some(Timestamp::from(SystemTime::now() + LOOK_INTERVAL))
            })
        };
        // All of them, not only up to the first that has a schedule.
        let next: Vec<_> = volumes.iter().filter_map(run).collect();
        next.into_iter().min()
    }
}
