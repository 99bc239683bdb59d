//! The thread that collects garbage, and when it does.
//!
//! It sleeps until enough was written or freed since the last collection, or until somebody orders one. It works in short steps
//! and rests between them, unless space is short or somebody waits.

use crate::limits::{
    FREE_PARTS_SHORT, GARBAGE_BYTES_MIN, GARBAGE_LIVE_PARTS, GARBAGE_REST, GARBAGE_RETRY_INTERVAL,
    HISTORY_HALVINGS_MAX, ROOM_GARBAGE_BYTES_MIN, ROOM_WAIT_MAX,
};
use crate::live::Living;
use crate::purge::{self, Purged};
use crate::shared::Shared;
use crate::{Error, Result, Timestamp, room};
use block::{Collection, CollectionProgress, Store, Thrift};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When garbage is collected, and what came of it.
#[derive(Default)]
pub(crate) struct Collector {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_closing: bool,
    /// Whether there is enough to collect.
    is_due: bool,
    /// Collections that were ordered and that have ended, counted together with those nobody ordered.
    ordered: u64,
    finished: u64,
    last: Option<FinishedCollection>,
    has_thread: bool,
    /// What was written and freed by others when the last collection began, in bytes.
    churn: u64,
    failed_at: Option<Instant>,
    /// A purge that was ordered, and how the last one ended.
    purge: Option<Arc<purge::Order>>,
    purged: Option<Purged>,
}

/// A collection that has ended.
#[derive(Clone, Debug)]
pub struct FinishedCollection {
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it did.
    pub progress: CollectionProgress,
    /// Why it ended early, if it did.
    pub error: Option<String>,
}

/// How collecting garbage goes.
#[derive(Clone, Debug)]
pub struct GarbageStatus {
    /// The collection that is under way, or the last one since the store was opened.
    pub progress: CollectionProgress,
    /// Whether a transfer to a replica keeps collections from beginning.
    pub is_held: bool,
    /// Collections that have ended since the pool was opened.
    pub finished: u64,
    /// The last of them.
    pub last: Option<FinishedCollection>,
    /// Whether a purge is under way, or waits for its turn.
    pub is_purge_due: bool,
    /// The last purge since the pool was opened.
    pub purged: Option<Purged>,
}

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>, living: Living) -> std::io::Result<JoinHandle<()>> {
    shared.collector.state.lock().has_thread = true;
    std::thread::Builder::new().name("garbage".into()).spawn(move || {
        while shared.collector.wait() {
            shared.collector.run(&shared, &living);
        }
    })
}

impl Collector {
    /// Has garbage collected; returns how many collections will have ended when that is done.
    pub(crate) fn order(&self) -> u64 {
        let mut state = self.state.lock();
        // One that is under way may have passed what is garbage since.
        state.ordered = state.finished + 1 + state.is_running() as u64;
        self.changed.notify_all();
        state.ordered
    }

    /// Has the store purged, as [`Collector::order`]. A purge that fails is tried again.
    pub(crate) fn order_purge(&self, order: purge::Order) -> u64 {
        {
            let mut state = self.state.lock();
            let before = state.purge.take().unwrap_or_default();
            state.purge = Some(Arc::new(order.with(&before)));
        }
        self.order()
    }

    /// Whether a purge is under way, or waits for its turn.
    pub(crate) fn has_purge(&self) -> bool {
        self.state.lock().purge.is_some()
    }

    /// Waits until so many collections have ended, but no longer than `limit`; whether they have.
    pub(crate) fn wait_for(&self, finished: u64, limit: Duration) -> bool {
        let mut state = self.state.lock();
        let is_waiting = |state: &mut State| state.finished < finished && !state.is_closing;
        self.changed.wait_while_for(&mut state, is_waiting, limit);
        state.finished >= finished
    }

    /// Begins a collection if enough was written or freed since the last.
    pub(crate) fn consider(&self, shared: &Shared) {
        let enough = match is_short(&shared.store) {
            true => GARBAGE_BYTES_MIN / 4,
            false => GARBAGE_BYTES_MIN.max(shared.store.statistics().stored_bytes / GARBAGE_LIVE_PARTS),
        };
        let churn = churn(shared);
        let is_held = shared.store.is_held();
        let mut state = self.state.lock();
        let has_rested = state.failed_at.is_none_or(|failed| failed.elapsed() >= GARBAGE_RETRY_INTERVAL);
        let is_purge_due = state.purge.is_some() && !is_held;
        if has_rested && (is_purge_due || churn.saturating_sub(state.churn) >= enough) {
            state.is_due = true;
            self.changed.notify_all();
        }
    }

    /// How it goes.
    pub(crate) fn status(&self, store: &Store) -> GarbageStatus {
        let state = self.state.lock();
        let (finished, last) = (state.finished, state.last.clone());
        let (is_purge_due, purged) = (state.purge.is_some(), state.purged.clone());
        let (progress, is_held) = (store.collection_progress(), store.is_held());
        GarbageStatus { progress, is_held, finished, last, is_purge_due, purged }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Waits for something to do; false when the thread is to end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_closing && !state.is_running() {
            self.changed.wait(&mut state);
        }
        !state.is_closing
    }

    fn run(&self, shared: &Shared, living: &Living) {
        let started = Instant::now();
        let purge = self.state.lock().purge.clone();
        let collected = match &purge {
            Some(order) => self.purge(shared, living, order),
            None => self.collect(shared, living),
        };
        let error = collected.and_then(|()| shared.ledger.prune(shared)).err();
        if let Some(error) = &error {
            tracing::error!(%error, "a garbage collection ended early");
        }
        let mut state = self.state.lock();
        state.is_due = false;
        state.churn += shared.store.collection_progress().copied_bytes;
        state.finished += 1;
        state.failed_at = error.is_some().then(Instant::now);
        state.last = Some(FinishedCollection {
            ended: shared.environment.now(),
            took: started.elapsed(),
            progress: shared.store.collection_progress(),
            error: error.map(|error| error.to_string()),
        });
        self.changed.notify_all();
    }

    /// Collects; where there is still no room, old history goes, and at last more is written for what is freed.
    fn collect(&self, shared: &Shared, living: &Living) -> Result<()> {
        let mut thrift = if is_short(&shared.store) { Thrift::SpaceIsShort } else { Thrift::Usual };
        for _ in 0..HISTORY_HALVINGS_MAX {
            self.collect_once(shared, living, thrift)?;
            shared.store.fill_reserve();
            if !room::is_tight(shared) || thrift == Thrift::SpaceIsOut {
                break;
            }
            thrift = if halve_histories(living)? { Thrift::SpaceIsShort } else { Thrift::SpaceIsOut };
        }
        Ok(())
    }

    fn purge(&self, shared: &Shared, living: &Living, order: &Arc<purge::Order>) -> Result<()> {
        let mut step = |collection: &mut Collection<'_>| {
            let goes_on = shared.store.with_reserve(|| collection.step())?;
            if self.state.lock().is_closing {
                return Err(Error::Busy("the pool goes down; the next start removes from the store what was erased"));
            }
            Ok(goes_on)
        };
        let purged = purge::purge(shared, living, order, &mut step)?;
        let mut state = self.state.lock();
        // What was ordered meanwhile is not in it.
        state.purge.take_if(|now| Arc::ptr_eq(now, order));
        state.purged = Some(purged);
        Ok(())
    }

    fn collect_once(&self, shared: &Shared, living: &Living, thrift: Thrift) -> Result<()> {
        for volume in living.open_volumes() {
            // A full disk may have no space for a checkpoint until something was collected.
            if let Err(error) = volume.checkpoint_changes() {
                tracing::warn!(%error, "a collection begins without a checkpoint");
            }
        }
        shared.ledger.let_go(shared, &living.open_volumes());
        self.state.lock().churn = churn(shared);
        let Some(mut collection) = shared.store.begin_collection(living, thrift)? else { return Ok(()) };
        loop {
            let began = Instant::now();
            let goes_on = shared.store.with_reserve(|| collection.step())?;
            if !goes_on || !self.rest(began.elapsed() * GARBAGE_REST, thrift) {
                return Ok(());
            }
        }
    }

    /// Waits for a collection; false if hardly anything was written or freed since the last one, so that there is no use in it.
    pub(crate) fn make_space(&self, shared: &Shared) -> bool {
        let churn = churn(shared);
        let is_worth_it = {
            let state = self.state.lock();
            let since = churn.saturating_sub(state.churn);
            state.has_thread && (state.is_running() || since >= ROOM_GARBAGE_BYTES_MIN)
        };
        is_worth_it && self.wait_for(self.order(), ROOM_WAIT_MAX)
    }

    /// Rests between two steps; false when the thread is to end.
    fn rest(&self, duration: Duration, thrift: Thrift) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + duration;
        while thrift == Thrift::Usual && !state.is_closing && state.ordered <= state.finished {
            if self.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        !state.is_closing
    }
}

impl State {
    /// Whether a collection is under way, or is about to be.
    fn is_running(&self) -> bool {
        self.is_due || self.ordered > self.finished
    }
}

/// Makes room of old history; false if no volume has any.
fn halve_histories(living: &Living) -> Result<bool> {
    let mut has_any = false;
    for volume in living.open_volumes().iter().filter(|volume| !volume.is_replica()) {
        has_any |= volume.halve_history()?;
    }
    Ok(has_any)
}

/// Bytes that were written to the log, and bytes of content that went.
fn churn(shared: &Shared) -> u64 {
    shared.store.statistics().log_bytes + shared.freed_bytes.load(Ordering::Relaxed)
}

/// Whether little of the disk is free. Where that cannot be told, it is taken for no.
fn is_short(store: &Store) -> bool {
    store.space().is_ok_and(|space| space.free_bytes < space.total_bytes / FREE_PARTS_SHORT)
}
