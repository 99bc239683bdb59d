//! Threads for requests that wait: for a disk, for another machine.
//!
//! The threads that take requests from the kernel must not wait, or what needs no waiting is held up behind them. A handler says
//! that it is about to wait ([`Request::may_wait`](crate::Request::may_wait)); its request then comes here and is handled again.
//!
//! Invariants:
//!
//! - A thread is started only when a request waits and no other thread is free, so a file system that never waits has none.
//! - No request queues here: one for which there is no thread is handled where it was taken. So there are never more
//!   requests under way than threads, and nothing waits behind a wait that is longer than its own.
//! - Threads end with the last one that takes requests, after what they were given.

use crate::Features;
use crate::dispatch::Dispatcher;
use crate::workers::Workers;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

/// A request that waits: it is handled by this dispatcher, and answered.
pub(crate) type Job = Box<dyn FnOnce(&mut Dispatcher) + Send>;

/// The threads of a session for requests that wait.
pub(crate) struct WaitingThreads {
    workers: Arc<Workers>,
    features: Features,
    threads_max: usize,
    state: Mutex<State>,
    given: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that no job is meant for.
    free: usize,
    /// Threads that may give jobs.
    takers: usize,
}

impl WaitingThreads {
    pub(crate) fn new(workers: Arc<Workers>, features: Features, threads_max: usize) -> Arc<Self> {
        Arc::new(Self { workers, features, threads_max, state: Mutex::default(), given: Condvar::default() })
    }

    /// The way in for a thread that takes requests.
    pub(crate) fn entrance(self: &Arc<Self>) -> Entrance {
        self.state.lock().takers += 1;
        Entrance { threads: self.clone(), dispatcher: self.dispatcher() }
    }

    fn dispatcher(&self) -> Dispatcher {
        self.workers.waiting_dispatcher(self.features)
    }

    /// Takes the job, or gives it back when there is no thread for it.
    fn take(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if state.free == 0 && !self.start_thread(&mut state) {
            return Err(job);
        }
        state.free -= 1;
        state.jobs.push_back(job);
        drop(state);
        self.given.notify_one();
        Ok(())
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> bool {
        if state.threads >= self.threads_max {
            return false;
        }
        let threads = self.clone();
        let started = self.workers.spawn(format!("fuse-wait-{}", state.threads), move || {
            threads.work();
            Ok(())
        });
        if let Err(error) = started {
            tracing::warn!(%error, "a request that waits holds up others");
            return false;
        }
        state.threads += 1;
        state.free += 1;
        true
    }

    fn work(&self) {
        let mut dispatcher = self.dispatcher();
        while let Some(job) = self.next() {
            job(&mut dispatcher);
            self.state.lock().free += 1;
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.takers == 0 {
                return None;
            }
            self.given.wait(&mut state);
        }
    }
}

/// Where a thread that takes requests hands over those that wait.
pub(crate) struct Entrance {
    threads: Arc<WaitingThreads>,
    dispatcher: Dispatcher,
}

impl Entrance {
    /// Has the job done: by another thread if there is one for it, else here and now.
    pub(crate) fn hand_over(&mut self, job: Job) {
        if let Err(job) = self.threads.take(job) {
            job(&mut self.dispatcher);
        }
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let mut state = self.threads.state.lock();
        state.takers -= 1;
        if state.takers == 0 {
            self.threads.given.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filesystem;
    use std::sync::mpsc::channel;

    struct Nothing;

    impl Filesystem for Nothing {}

    fn threads(threads_max: usize) -> (Arc<Workers>, Arc<WaitingThreads>) {
        let workers = Workers::new(Arc::new(Nothing), || {});
        (workers.clone(), WaitingThreads::new(workers, Features::NONE, threads_max))
    }

    #[test]
    fn a_job_without_a_thread_is_done_by_who_brings_it() {
        let (_workers, threads) = threads(1);
        let mut entrance = threads.entrance();
        let (go, gone) = channel::<()>();
        let (tell, told) = channel();
        entrance.hand_over(Box::new(move |_| gone.recv().expect("the test goes on")));
        let here = std::thread::current().id();
        entrance.hand_over(Box::new(move |_| tell.send(std::thread::current().id()).expect("the test listens")));
        assert_eq!(told.recv().expect("done"), here);
        go.send(()).expect("the first job waits");
    }

    #[test]
    fn threads_end_with_the_last_entrance_after_what_they_were_given() {
        let (workers, threads) = threads(2);
        let (mut first, second) = (threads.entrance(), threads.entrance());
        let (tell, told) = channel();
        first.hand_over(Box::new(move |_| tell.send(()).expect("the test listens")));
        drop((first, second));
        workers.wait().expect("no thread failed");
        told.recv().expect("done before the end");
    }
}
