//! The thread that makes checkpoints: when changes have waited long enough, when there are many, and when somebody wakes it.

use crate::limits::{CHECKPOINT_INTERVAL, DIRTY_BYTES_COMMIT, JOURNAL_BYTES_CHECKPOINT, OVERLAY_RECORDS_CHECKPOINT};
use crate::pool::Volumes;
use crate::shared::Shared;
use crate::{Result, Volume};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks without being woken.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Wakes the maintenance thread, and ends it.
#[derive(Default)]
pub(crate) struct Wake {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_woken: bool,
    is_closing: bool,
}

impl Wake {
    /// There may be work.
    pub(crate) fn wake(&self) {
        self.state.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Waits for work; false when the thread is to end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        if !state.is_woken && !state.is_closing {
            self.changed.wait_for(&mut state, LOOK_INTERVAL);
        }
        state.is_woken = false;
        !state.is_closing
    }
}

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>, volumes: Arc<Volumes>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("maintenance".into()).spawn(move || {
        while shared.wake.wait() {
            let open: Vec<_> = volumes.read().values().cloned().collect();
            for volume in open {
                if let Err(error) = maintain(&shared, &volume) {
                    tracing::error!(volume = %volume.id(), %error, "a checkpoint failed; it will be tried again");
                }
            }
        }
    })
}

fn maintain(shared: &Shared, volume: &Volume) -> Result<()> {
    if shared.budget.bytes() >= DIRTY_BYTES_COMMIT {
        volume.commit()?;
    }
    let records = volume.layers.overlay.records();
    let is_due = records > 0 && volume.last_checkpoint.lock().at.elapsed() >= CHECKPOINT_INTERVAL;
    let is_large = records >= OVERLAY_RECORDS_CHECKPOINT || volume.journal.lock().bytes >= JOURNAL_BYTES_CHECKPOINT;
    if is_due || is_large || volume.is_root_old() { volume.checkpoint() } else { Ok(()) }
}
