//! Telling a handler that its caller gave up.
//!
//! The kernel sends INTERRUPT when a signal reaches a process that waits for an answer, and then goes on waiting: only the
//! handler's answer ends the call. So a handler that waits for something (a lock, another node) must watch its
//! [`Interrupt`], or its caller cannot even be killed.
//!
//! Invariants:
//!
//! - A handler that never asks for its token costs nothing: no lock, no allocation.
//! - An INTERRUPT that comes before the handler asks for its token is remembered, and so is one whose token was let go of, in case
//!   the handler asks again. So none is ever lost by a race. The kernel's
//!   own remedy (answer `EAGAIN`, and it sends the INTERRUPT again) works neither over io_uring nor over a cloned device.
//! - What is remembered is bounded ([`REMEMBERED_MAX`]); request ids are never used twice on one connection, so an old one
//!   does no harm.

use crate::Errno;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many interrupts of requests without a token are remembered. Most belong to requests that were answered meanwhile.
const REMEMBERED_MAX: usize = 1024;

/// Every interrupt that a connection has to deliver.
#[derive(Debug, Default)]
pub(crate) struct Interrupts {
    state: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    waiting: HashMap<u64, Waiting>,
    remembered: VecDeque<u64>,
    /// The connection ended: everyone should give up.
    over: bool,
}

/// A token, and how many guards hold it.
#[derive(Debug, Default)]
struct Waiting {
    token: Arc<Token>,
    guards: usize,
}

impl Interrupts {
    /// The token of a request that is being handled.
    pub(crate) fn register(self: &Arc<Self>, unique: u64) -> Interrupt {
        let mut state = self.state.lock();
        let due = state.recall(unique) || state.over;
        let waiting = state.waiting.entry(unique).or_default();
        waiting.guards += 1;
        let token = waiting.token.clone();
        let callbacks = if due { token.set() } else { Vec::new() };
        drop(state);
        token.tell(callbacks);
        Interrupt { token, unique, registry: self.clone() }
    }

    /// The kernel says that the caller of this request gave up.
    pub(crate) fn raise(&self, unique: u64) {
        let mut state = self.state.lock();
        let Some(waiting) = state.waiting.get(&unique) else {
            state.remember(unique);
            return;
        };
        let token = waiting.token.clone();
        let callbacks = token.set();
        drop(state);
        token.tell(callbacks);
    }

    /// The connection ended: every handler that waits should give up, now and from now on.
    pub(crate) fn raise_all(&self) {
        let mut state = self.state.lock();
        state.over = true;
        let set = |waiting: &Waiting| (waiting.token.clone(), waiting.token.set());
        let tokens: Vec<_> = state.waiting.values().map(set).collect();
        drop(state);
        for (token, callbacks) in tokens {
            token.tell(callbacks);
        }
    }

    fn unregister(&self, unique: u64) {
        let mut state = self.state.lock();
        let Some(waiting) = state.waiting.get_mut(&unique) else {
            return;
        };
        waiting.guards -= 1;
        if waiting.guards == 0 {
            let is_set = waiting.token.state.lock().set;
            state.waiting.remove(&unique);
            if is_set {
                state.remember(unique);
            }
        }
    }
}

impl Registry {
    /// Whether this request was interrupted before it had a token.
    fn recall(&mut self, unique: u64) -> bool {
        let position = self.remembered.iter().position(|&known| known == unique);
        position.is_some_and(|position| self.remembered.remove(position).is_some())
    }

    fn remember(&mut self, unique: u64) {
        if self.remembered.len() == REMEMBERED_MAX {
            self.remembered.pop_front();
        }
        self.remembered.push_back(unique);
    }
}

#[derive(Default)]
struct Token {
    state: Mutex<TokenState>,
    changed: Condvar,
}

#[derive(Default)]
struct TokenState {
    set: bool,
    callbacks: Vec<Callback>,
}

type Callback = Box<dyn FnOnce() + Send>;

impl Token {
    /// Under the registry's lock, so that a guard that goes knows of it. Who is to be told then comes after that.
    fn set(&self) -> Vec<Callback> {
        let mut state = self.state.lock();
        state.set = true;
        std::mem::take(&mut state.callbacks)
    }

    fn tell(&self, callbacks: Vec<Callback>) {
        self.changed.notify_all();
        for callback in callbacks {
            callback();
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("set", &self.state.lock().set).finish_non_exhaustive()
    }
}

/// Says when the caller of a request gave up waiting. From [`Request::interrupt`](crate::Request::interrupt).
///
/// It is also set when the connection ends. Once set it stays set. A handler that gives up answers [`Errno::EINTR`].
#[derive(Debug)]
pub struct Interrupt {
    token: Arc<Token>,
    unique: u64,
    registry: Arc<Interrupts>,
}

impl Interrupt {
    /// Whether the caller gave up.
    pub fn is_set(&self) -> bool {
        self.token.state.lock().set
    }

    /// `EINTR` when the caller gave up: `interrupt.check()?` between the steps of a long handler.
    ///
    /// # Errors
    ///
    /// `EINTR` when the token is set.
    pub fn check(&self) -> Result<(), Errno> {
        if self.is_set() { Err(Errno::EINTR) } else { Ok(()) }
    }

    /// Waits until the caller gives up.
    pub fn wait(&self) {
        let mut state = self.token.state.lock();
        while !state.set {
            self.token.changed.wait(&mut state);
        }
    }

    /// Waits until the caller gives up, but not longer than this; tells whether it did.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.token.state.lock();
        while !state.set && !self.token.changed.wait_until(&mut state, deadline).timed_out() {}
        state.set
    }

    /// Calls this once when the caller gives up, at once if it did already.
    ///
    /// For a handler that waits on something of its own: the callback wakes it. It runs on the thread that received the
    /// interrupt, so it must be short and must not block; take care that a wake-up before the wait is not lost.
    pub fn on_set(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = self.token.state.lock();
        if state.set {
            drop(state);
            callback();
        } else {
            state.callbacks.push(Box::new(callback));
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.registry.unregister(self.unique);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn an_interrupt_reaches_its_request_only() {
        let interrupts = Arc::new(Interrupts::default());
        let (first, second) = (interrupts.register(2), interrupts.register(4));
        interrupts.raise(2);
        assert!(first.is_set() && !second.is_set());
        assert_eq!(first.check(), Err(Errno::EINTR));
    }

    #[test]
    fn an_interrupt_before_its_token_is_remembered() {
        let interrupts = Arc::new(Interrupts::default());
        interrupts.raise(6);
        let interrupt = interrupts.register(6);
        assert!(interrupt.is_set());
        assert!(interrupts.state.lock().remembered.is_empty());
    }

    #[test]
    fn a_handler_that_asks_again_hears_of_it_again() {
        let interrupts = Arc::new(Interrupts::default());
        let first = interrupts.register(6);
        interrupts.raise(6);
        drop(first);
        assert!(interrupts.register(6).is_set());
        assert!(interrupts.register(6).is_set());
        assert!(!interrupts.register(8).is_set());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let interrupts = Arc::new(Interrupts::default());
        (0..5_000).for_each(|unique| interrupts.raise(unique));
        assert_eq!(interrupts.state.lock().remembered.len(), REMEMBERED_MAX);
        assert!(interrupts.register(4_999).is_set());
        assert!(!interrupts.register(0).is_set());
    }

    #[test]
    fn after_the_end_every_token_is_set() {
        let interrupts = Arc::new(Interrupts::default());
        let before = interrupts.register(2);
        interrupts.raise_all();
        assert!(before.is_set() && interrupts.register(4).is_set());
    }

    #[test]
    fn a_token_leaves_the_registry_when_the_last_guard_drops() {
        let interrupts = Arc::new(Interrupts::default());
        let first = interrupts.register(8);
        let second = interrupts.register(8);
        drop(first);
        assert_eq!(interrupts.state.lock().waiting.len(), 1);
        drop(second);
        assert!(interrupts.state.lock().waiting.is_empty());
    }

    #[test]
    fn callbacks_run_once_also_when_they_come_late() {
        let interrupts = Arc::new(Interrupts::default());
        let interrupt = interrupts.register(10);
        let called = Arc::new(AtomicBool::new(false));
        let flag = called.clone();
        interrupt.on_set(move || assert!(!flag.swap(true, Ordering::Relaxed)));
        interrupts.raise(10);
        interrupts.raise_all();
        assert!(called.load(Ordering::Relaxed));
        let flag = called.clone();
        interrupt.on_set(move || assert!(flag.swap(false, Ordering::Relaxed)));
        assert!(!called.load(Ordering::Relaxed));
    }

    #[test]
    fn a_waiting_handler_is_woken_from_another_thread() {
        let interrupts = Arc::new(Interrupts::default());
        let interrupt = interrupts.register(12);
        assert!(!interrupt.wait_for(Duration::from_millis(1)));
        let raiser = interrupts.clone();
        let thread = std::thread::spawn(move || raiser.raise(12));
        interrupt.wait();
        assert!(interrupt.wait_for(Duration::ZERO));
        thread.join().expect("the raiser does not panic");
    }
}

#[cfg(all(test, feature = "shuttle"))]
mod schedules {
    use super::*;
    use parking_lot::shuttle::{check_random, thread};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const UNIQUE: u64 = 14;

    /// A wake-up that is lost would be a deadlock, which shuttle sees.
    #[test]
    fn an_interrupt_is_never_lost_and_its_callback_runs_once() {
        let run = || {
            let interrupts = Arc::new(Interrupts::default());
            let raiser = interrupts.clone();
            let raising = thread::spawn(move || raiser.raise(UNIQUE));
            let called = Arc::new(AtomicUsize::new(0));
            let handlers = [0, 1].map(|_| {
                let (interrupts, called) = (interrupts.clone(), called.clone());
                thread::spawn(move || {
                    let interrupt = interrupts.register(UNIQUE);
                    interrupt.on_set(move || {
                        called.fetch_add(1, Ordering::Relaxed);
                    });
                    interrupt.wait();
                })
            });
            let waiting = interrupts.register(UNIQUE);
            waiting.wait();
            assert_eq!(waiting.check(), Err(Errno::EINTR));
            raising.join().expect("the raiser does not panic");
            assert!(handlers.map(|handler| handler.join().is_ok()).iter().all(|is_done| *is_done), "no handler panics");
            assert_eq!(called.load(Ordering::Relaxed), 2);
            drop(waiting);
            assert!(interrupts.state.lock().waiting.is_empty());
        };
        check_random(run, 2000);
    }

    /// The end of the connection and an interrupt, at once.
    #[test]
    fn who_waits_at_the_end_gives_up() {
        let run = || {
            let interrupts = Arc::new(Interrupts::default());
            let ender = interrupts.clone();
            let ending = thread::spawn(move || ender.raise_all());
            let raiser = interrupts.clone();
            let raising = thread::spawn(move || raiser.raise(UNIQUE + 1));
            interrupts.register(UNIQUE).wait();
            [ending, raising].into_iter().for_each(|thread| thread.join().expect("nobody panics"));
            assert!(interrupts.register(UNIQUE + 2).is_set());
        };
        check_random(run, 2000);
    }
}
