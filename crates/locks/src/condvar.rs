//! A condition variable of parking_lot's shape under shuttle.
//!
//! There is no time: a wait with a limit may end at once, or when it is notified.

use shuttle_parking_lot_impl::MutexGuard;
use std::time::{Duration, Instant};

/// A condition variable.
#[derive(Debug, Default)]
pub struct Condvar {
    /// How often it was notified.
    notified: shuttle::sync::Mutex<u64>,
    changed: shuttle::sync::Condvar,
}

/// How a wait with a limit has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether nobody had notified it.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Lets one that waits go on. Here, all of them: each looks again at what it waits for.
    pub fn notify_one(&self) -> bool {
        self.notify_all() > 0
    }

    /// Lets all that wait go on.
    pub fn notify_all(&self) -> usize {
        *self.notified.lock().expect("no panic") += 1;
        self.changed.notify_all();
        1
    }

    /// Waits until it is notified, with the lock given up meanwhile.
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        let mut notified = self.notified.lock().expect("no panic");
        let before = *notified;
        MutexGuard::unlocked(guard, move || {
            while *notified == before {
                notified = self.changed.wait(notified).expect("no panic");
            }
        });
    }

    /// Waits until it is notified, or not so long.
    pub fn wait_for<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, _limit: Duration) -> WaitTimeoutResult {
        let count = || *self.notified.lock().expect("no panic");
        let before = count();
        let after = MutexGuard::unlocked(guard, || {
            shuttle::thread::yield_now();
            count()
        });
        WaitTimeoutResult(after == before)
    }

    /// Waits until it is notified, or not so long.
    pub fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, _limit: Instant) -> WaitTimeoutResult {
        self.wait_for(guard, Duration::ZERO)
    }

    /// Waits until something does not hold any more, or not so long.
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut holds: impl FnMut(&mut T) -> bool,
        limit: Duration,
    ) -> WaitTimeoutResult {
        let result = self.wait_for(guard, limit);
        WaitTimeoutResult(result.timed_out() && holds(guard))
    }
}
