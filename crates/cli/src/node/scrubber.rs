//! The thread that scrubs: when somebody asks, when it is time, and after a restart where it was.

use super::Node;
use crate::clock::now;
use crate::failure;
use crate::scrub::{Pace, Pulse, Running, ScrubRecord, ScrubStatus, UnderWay};
use anyhow::{Context, Result, bail};
use parking_lot::{Condvar, Mutex};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the position is written down.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);

/// How often the clock is looked at, which may be set.
const SCHEDULE_INTERVAL: Duration = Duration::from_secs(600);

/// What a scrub reads per second that nobody asked for.
const SCHEDULED_RATE: u64 = 100 << 20;

/// How long somebody waits for something to change.
const WATCH_TIME_MAX: Duration = Duration::from_secs(1);

/// Scrubs one store.
pub(super) struct Scrubber {
    /// Where its record is written.
    home: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    record: ScrubRecord,
    /// How far the one is that runs.
    pulse: Option<Pulse>,
    /// Goes up whenever another scrub takes the place of the one under way.
    generation: u64,
    /// Why the last one stopped half-way.
    problem: Option<String>,
    is_ending: bool,
}

impl Scrubber {
    /// That of a store. A record that cannot be read is no reason not to serve: it is said, and begun anew.
    ///
    /// Where nothing is written in the store, the record goes on in the node's own directory, `home`.
    pub(super) fn of(store: &Path, home: &Path) -> Self {
        let (record, problem) = match ScrubRecord::read(store, now()) {
            Ok(record) => (record, None),
            Err(error) => (ScrubRecord::new(now()), Some(failure::line(&error))),
        };
        let state = State { record, pulse: None, generation: 0, problem, is_ending: false };
        Self { home: home.to_owned(), state: Mutex::new(state), changed: Condvar::new(), thread: Mutex::new(None) }
    }

    /// Starts the thread. Blocks that an earlier scrub found damaged are known as such from the start.
    pub(super) fn start(node: &Arc<Node>) -> Result<()> {
        let scrubber = node.scrubber.clone();
        for (name, what) in scrubber.state.lock().record.damaged_blocks() {
            node.pool.store().note_damaged(&name, what);
        }
        let weak = Arc::downgrade(node);
        let thread = thread::Builder::new().name("scrub".into()).spawn({
            let scrubber = scrubber.clone();
            move || scrubber.serve(&weak)
        });
        *scrubber.thread.lock() = Some(thread.context("cannot start a thread")?);
        Ok(())
    }

    /// Writes down where the scrub is and ends the thread.
    pub(super) fn end(&self) {
        self.state.lock().is_ending = true;
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the scrub's thread panicked");
        }
    }

    /// How it is.
    pub(super) fn status(&self) -> ScrubStatus {
        self.state.lock().status()
    }

    /// How it is, when it has ended or a moment has passed.
    pub(super) fn watch(&self) -> ScrubStatus {
        let mut state = self.state.lock();
        let is_over = |state: &mut State| state.record.under_way.as_ref().is_none_or(|under_way| under_way.is_paused);
        self.changed.wait_while_for(&mut state, |state| !is_over(state), WATCH_TIME_MAX);
        state.status()
    }

    /// Begins one, or goes on with the one that waits.
    pub(super) fn begin(&self, limit_rate: Option<u64>) -> Result<()> {
        self.order(|state| {
            match &mut state.record.under_way {
                Some(under_way) => {
                    under_way.is_paused = false;
                    under_way.limit_rate = limit_rate;
                }
                None => state.replace(Some(UnderWay::new(now(), limit_rate))),
            }
            state.problem = None;
            Ok(())
        })
    }

    /// Goes on with the one that waits.
    pub(super) fn resume(&self, limit_rate: Option<u64>) -> Result<()> {
        self.order(|state| {
            let under_way = state.record.under_way.as_mut().context("no scrub waits; `pantala scrub` begins one")?;
            under_way.is_paused = false;
            under_way.limit_rate = limit_rate.or(under_way.limit_rate);
            state.problem = None;
            Ok(())
        })
    }

    /// Lets the one under way wait.
    pub(super) fn pause(&self) -> Result<()> {
        self.order(|state| match &mut state.record.under_way {
            Some(under_way) => {
                under_way.is_paused = true;
                Ok(())
            }
            None => bail!("no scrub is under way; `pantala scrub` begins one"),
        })
    }

    /// Gives up the one under way.
    pub(super) fn cancel(&self) -> Result<()> {
        self.order(|state| {
            if state.record.under_way.is_none() {
                bail!("no scrub is under way");
            }
            state.replace(None);
            Ok(())
        })
    }

    /// Sets how often one begins by itself.
    pub(super) fn schedule(&self, every_seconds: Option<u64>) -> Result<()> {
        self.order(|state| {
            state.record.every_seconds = every_seconds;
            Ok(())
        })
    }

    fn order(&self, change: impl FnOnce(&mut State) -> Result<()>) -> Result<()> {
        let mut state = self.state.lock();
        change(&mut state)?;
        state.record.write(&self.home)?;
        self.changed.notify_all();
        Ok(())
    }

    fn serve(&self, node: &Weak<Node>) {
        self.save(&mut self.state.lock());
        while self.wait_for_work() {
            self.run(node);
        }
    }

    /// Waits until there is something to scrub; false when the node ends.
    fn wait_for_work(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.is_ending {
                return false;
            }
            if state.may_go_on() {
                return true;
            }
            let wait = match state.record.due().filter(|_| state.record.under_way.is_none()) {
                Some(due) if due <= now() => {
                    tracing::info!("it is time to scrub");
                    state.replace(Some(UnderWay::new(now(), Some(SCHEDULED_RATE))));
                    continue;
                }
                Some(due) => Duration::from_secs(due - now()).min(SCHEDULE_INTERVAL),
                None => SCHEDULE_INTERVAL,
            };
            self.changed.wait_for(&mut state, wait);
        }
    }

    /// Runs the scrub under way until it has ended or somebody gives an order.
    fn run(&self, node: &Weak<Node>) {
        let (running, generation) = self.state.lock().begin();
        let Some(mut running) = running else { return };
        let (mut pace, mut saved) = (Pace::new(), Instant::now());
        loop {
            let Some(limit_rate) = self.state.lock().limit_rate(generation) else { break };
            let Some(node) = node.upgrade() else { break };
            let stepped = running.step(&node.pool, limit_rate);
            drop(node);
            let mut state = self.state.lock();
            if state.generation != generation {
                break;
            }
            match stepped {
                Ok(bytes) => {
                    let until = pace.count(bytes, limit_rate);
                    let is_over = state.note(&running);
                    if is_over || saved.elapsed() >= SAVE_INTERVAL {
                        self.save(&mut state);
                        saved = Instant::now();
                    }
                    if is_over {
                        break;
                    }
                    self.wait_until(&mut state, until);
                }
                Err(error) => {
                    state.stop_because(&anyhow::Error::new(error).context("the scrub cannot go on"));
                    break;
                }
            }
        }
        let mut state = self.state.lock();
        state.pulse = None;
        self.save(&mut state);
        self.changed.notify_all();
    }

    fn wait_until(&self, state: &mut parking_lot::MutexGuard<'_, State>, until: Instant) {
        while state.may_go_on() && !state.is_ending && Instant::now() < until {
            self.changed.wait_until(state, until);
        }
    }

    fn save(&self, state: &mut State) {
        if let Err(error) = state.record.write(&self.home) {
            tracing::error!("{error:#}");
        }
    }
}

impl State {
    fn status(&self) -> ScrubStatus {
        ScrubStatus::of(&self.record, self.pulse.as_ref(), self.problem.clone())
    }

    fn may_go_on(&self) -> bool {
        self.record.under_way.as_ref().is_some_and(|under_way| !under_way.is_paused)
    }

    /// Puts another scrub, or none, in the place of the one under way.
    fn replace(&mut self, under_way: Option<UnderWay>) {
        self.record.under_way = under_way;
        self.generation += 1;
    }

    fn begin(&mut self) -> (Option<Running>, u64) {
        let running = self.record.under_way.as_ref().map(Running::new);
        self.pulse = running.as_ref().map(Running::pulse);
        (running, self.generation)
    }

    /// The limit of a scrub; `None` if it is not to go on.
    fn limit_rate(&self, generation: u64) -> Option<Option<u64>> {
        let may_go_on = generation == self.generation && !self.is_ending && self.may_go_on();
        self.record.under_way.as_ref().filter(|_| may_go_on).map(|under_way| under_way.limit_rate)
    }

    /// Takes note of how far the scrub under way is; true if it has ended.
    fn note(&mut self, running: &Running) -> bool {
        self.pulse = Some(running.pulse());
        let Some(under_way) = &mut self.record.under_way else { return true };
        running.note(under_way);
        let Some(report) = running.report(under_way) else { return false };
        tracing::info!(bytes = report.bytes, findings = report.findings.len(), "scrubbed");
        self.record.last = Some(report);
        self.replace(None);
        true
    }

    /// The scrub under way waits, because of an error.
    fn stop_because(&mut self, error: &anyhow::Error) {
        let line = failure::line(error);
        tracing::error!("{line}");
        self.problem = Some(line);
        if let Some(under_way) = &mut self.record.under_way {
            under_way.is_paused = true;
        }
    }
}
