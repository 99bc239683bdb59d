//! How the maintenance thread is woken.

use parking_lot::{Condvar, Mutex};
use std::time::Duration;

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
    /// There is something to do, or there soon will be.
    pub(crate) fn wake(&self) {
        self.state.lock().is_woken = true;
        self.changed.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Waits to be woken, but no longer than `limit`; false when the thread is to end.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if !state.is_woken && !state.is_closing {
            match limit {
                Some(limit) => drop(self.changed.wait_for(&mut state, limit)),
                None => self.changed.wait(&mut state),
            }
        }
        state.is_woken = false;
        !state.is_closing
    }
}
