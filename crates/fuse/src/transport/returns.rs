//! The way back of ring entries whose requests were answered on other threads.
//!
//! Only a ring's own thread may submit to it. Who has answered puts the entry here, and wakes that thread by an eventfd that its
//! ring polls.

use super::entry::RingEntry;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use std::io;
use zerocopy::IntoBytes;

/// An entry whose answer is in its buffers.
pub(super) struct Answered {
    pub(super) index: u64,
    pub(super) entry: RingEntry,
    pub(super) commit_id: u64,
}

/// Answered entries on their way back to a ring's thread.
pub(super) struct Returns {
    answered: Mutex<Vec<Answered>>,
    event: OwnedFd,
}

impl Returns {
    pub(super) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { answered: Mutex::default(), event })
    }

    /// What becomes readable when something was put here.
    pub(super) fn event(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Gives an entry back.
    pub(super) fn put(&self, answered: Answered) {
        let mut all = self.answered.lock();
        all.push(answered);
        let is_first = all.len() == 1;
        drop(all);
        // Those that come before the thread has taken the first are taken with it.
        if is_first && let Err(error) = rustix::io::write(&self.event, 1_u64.as_bytes()) {
            tracing::error!(%error, "cannot wake a ring's thread");
        }
    }

    /// Takes all that are there, and makes the event unreadable until the next one comes.
    pub(super) fn take(&self, taken: &mut Vec<Answered>) {
        // Emptied before the list: what comes in between is taken now, and wakes the thread once more for nothing.
        if let Err(error) = rustix::io::read(&self.event, &mut [0; 8]) {
            tracing::debug!(%error, "a ring's thread was woken for nothing");
        }
        taken.append(&mut self.answered.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu::Queue;
    use super::*;

    fn put(returns: &Returns, index: u64) {
        let entry = RingEntry::new(Queue { number: 0, depth: 1 }, 8192).expect("memory");
        returns.put(Answered { index, entry, commit_id: 0 });
    }

    #[test]
    fn one_wake_serves_all_that_came_and_the_next_wakes_again() {
        let returns = Returns::new().expect("an eventfd");
        let mut taken = Vec::new();
        (0..3).for_each(|index| put(&returns, index));
        returns.take(&mut taken);
        assert_eq!(taken.iter().map(|answered| answered.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(rustix::io::read(&returns.event, &mut [0; 8]).is_err(), "nothing is left to wake for");
        put(&returns, 3);
        rustix::io::read(&returns.event, &mut [0; 8]).expect("woken again");
    }
}
