//! A thread that does something on time, and looks again when what it goes by has changed.

use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the clock is looked at while there is something to come: it may be set, and does not run on while the machine sleeps.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    has_changed: bool,
    is_ending: bool,
}

impl Alarm {
    /// Starts the thread. `act` does what is due, and tells how long there is nothing more to do; `None` until something changes.
    pub(super) fn start(
        self: &Arc<Self>,
        name: &str,
        act: impl FnMut() -> Option<Duration> + Send + 'static,
    ) -> Result<()> {
        let alarm = self.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || alarm.serve(act));
        *self.thread.lock() = Some(thread.context("cannot start a thread")?);
        Ok(())
    }

    /// What it goes by has changed.
    pub(super) fn look_again(&self) {
        self.state.lock().has_changed = true;
        self.changed.notify_all();
    }

    /// Nothing begins any more.
    pub(super) fn stop(&self) {
        self.state.lock().is_ending = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state.lock().is_ending
    }

    /// Waits for what is under way, once it was stopped.
    pub(super) fn join(&self) {
        if let Some(thread) = self.thread.lock().take() {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("the thread {name} panicked");
            }
        }
    }

    fn serve(&self, mut act: impl FnMut() -> Option<Duration>) {
        while !self.is_stopped() {
            let rest = act();
            let mut state = self.state.lock();
            let waits = |state: &mut State| !state.has_changed && !state.is_ending;
            match rest {
                Some(rest) => drop(self.changed.wait_while_for(&mut state, waits, rest.min(LOOK_INTERVAL))),
                None => self.changed.wait_while(&mut state, waits),
            }
            state.has_changed = false;
        }
    }
}
