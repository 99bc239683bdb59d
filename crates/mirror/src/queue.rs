//! A queue between two threads, bounded in bytes.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// Items with the bytes that each takes.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    bytes_max: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue that takes items while it holds fewer bytes than these.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let state = Mutex::new(State { items: VecDeque::new(), bytes: 0, is_closed: false });
        Self { state, changed: Condvar::new(), bytes_max }
    }

    /// Appends an item, when there is room. False if the queue is closed.
    pub(crate) fn push(&self, item: T, bytes: usize) -> bool {
        let mut state = self.state.lock();
        while state.bytes >= self.bytes_max && !state.is_closed {
            self.changed.wait(&mut state);
        }
        if state.is_closed {
            return false;
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        self.changed.notify_all();
        true
    }

    /// The next item, when there is one; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some((item, bytes)) = state.items.pop_front() {
                state.bytes -= bytes;
                self.changed.notify_all();
                return Some(item);
            }
            if state.is_closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Takes no more items. Those that are in it can still be taken.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Takes no more items and drops those that are in it.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.items.clear();
        self.changed.notify_all();
    }
}
