//! The threads of a session, and its end.
//!
//! Invariant: the session has ended exactly when the last [`Running`] is dropped. Then the file system's `destroy` runs,
//! once and only if its `init` succeeded, and those who wait are woken.

use crate::device::Device;
use crate::dispatch::{Connection, Dispatcher};
use crate::handshake::Choice;
use crate::idle_latency::IdleLatency;
use crate::transport::device::Traffic;
use crate::waiting::WaitingThreads;
use crate::{Error, Features, Filesystem, Result, transport};
use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// What all threads of a session share.
pub(crate) struct Workers {
    connection: Arc<Connection>,
    /// The CPUs that the session's threads may use: one that is started by a pinned thread would stay on that one's CPU.
    cpus: Option<CpuSet>,
    state: Mutex<State>,
    ended: Condvar,
    /// Cuts the connection when a thread fails: its requests would wait for ever.
    abort: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    initialised: bool,
    ended: bool,
    error: Option<Error>,
}

impl Workers {
    pub(crate) fn new(filesystem: Arc<dyn Filesystem>, abort: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            connection: Arc::new(Connection::new(filesystem)),
            cpus: sched_getaffinity(None).ok(),
            state: Mutex::default(),
            ended: Condvar::default(),
            abort: Box::new(abort),
        })
    }

    /// Holds the session open.
    pub(crate) fn enter(self: &Arc<Self>) -> Running {
        self.state.lock().running += 1;
        Running { workers: self.clone() }
    }

    /// The file system's `init` succeeded, so `destroy` is due at the end.
    pub(crate) fn initialised(&self) {
        self.state.lock().initialised = true;
    }

    /// Something that answers requests, for the calling thread.
    pub(crate) fn dispatcher(&self, choice: &Choice) -> Dispatcher {
        Dispatcher::new(self.connection.clone(), choice.features)
    }

    /// Something that handles requests again which wait, for the calling thread.
    pub(crate) fn waiting_dispatcher(&self, features: Features) -> Dispatcher {
        Dispatcher::waiting(self.connection.clone(), features)
    }

    /// Tells the kernel that files need no open.
    pub(crate) fn tell_no_open(&self, mountpoint: &Path) {
        self.connection.tell_no_open(mountpoint);
    }

    /// How many requests of each kind came, by name.
    pub(crate) fn requests(&self) -> Vec<(&'static str, u64)> {
        self.connection.requests()
    }

    /// Has idle CPUs wake up fast while requests are frequent, if that is possible.
    pub(crate) fn watch_idle_latency(&self) -> Option<IdleLatency> {
        let connection = self.connection.clone();
        let requests = move || connection.requests().iter().map(|(_, count)| count).sum();
        IdleLatency::start(self.connection.pace(), requests)
    }

    /// Starts a thread that answers what one descriptor brings.
    pub(crate) fn spawn_device(
        self: &Arc<Self>,
        index: usize,
        device: Arc<Device>,
        choice: &Choice,
        waiting: &Arc<WaitingThreads>,
        traffic: Traffic,
    ) -> Result<()> {
        let mut dispatcher = self.dispatcher(choice);
        let mut entrance = waiting.entrance();
        let max_write = choice.max_write;
        self.spawn(format!("fuse-device-{index}"), move || {
            let result = transport::device::serve(&device, &mut dispatcher, &mut entrance, max_write, traffic);
            dispatcher.connection_ended();
            result.map_err(|source| Error::Transport { what: "reading /dev/fuse", source })
        })
    }

    /// Starts a thread. When it returns an error, the connection is cut.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let running = self.enter();
        let cpus = self.cpus;
        let spawned = thread::Builder::new().name(name).spawn(move || {
            if let Some(error) = cpus.and_then(|cpus| sched_setaffinity(None, &cpus).err()) {
                tracing::debug!(%error, "a thread stays on the CPU of who started it");
            }
            if let Err(error) = work() {
                running.fail(error);
            }
        });
        spawned.map(drop).map_err(|source| Error::Transport { what: "starting a thread", source })
    }

    /// Whether the session has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Waits for the end.
    pub(crate) fn wait(&self) -> Result<()> {
        let mut state = self.state.lock();
        while !state.ended {
            self.ended.wait(&mut state);
        }
        state.error.take().map_or(Ok(()), Err)
    }

    fn fail(&self, error: Error) {
        tracing::error!(%error, "a thread that serves requests failed");
        self.state.lock().error.get_or_insert(error);
        (self.abort)();
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.running -= 1;
        if state.running > 0 {
            return;
        }
        let initialised = state.initialised;
        drop(state);
        if initialised {
            self.connection.destroy();
        }
        self.state.lock().ended = true;
        self.ended.notify_all();
    }
}

/// Holds a session open while it lives.
pub(crate) struct Running {
    workers: Arc<Workers>,
}

impl Running {
    fn fail(&self, error: Error) {
        self.workers.fail(error);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.workers.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capabilities;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Counting {
        destroyed: AtomicUsize,
    }

    impl Filesystem for Counting {
        fn init(&self, _: &Capabilities) -> std::result::Result<(), crate::Errno> {
            Ok(())
        }

        fn destroy(&self) {
            self.destroyed.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_session_ends_with_its_last_thread() {
        let filesystem = Arc::new(Counting::default());
        let workers = Workers::new(filesystem.clone(), || {});
        workers.initialised();
        let (first, second) = (workers.enter(), workers.enter());
        drop(first);
        assert!(!workers.has_ended());
        drop(second);
        workers.wait().expect("no thread failed");
        assert_eq!(filesystem.destroyed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failing_thread_cuts_the_connection_and_is_reported_once() {
        let aborted = Arc::new(AtomicUsize::new(0));
        let counter = aborted.clone();
        let workers = Workers::new(Arc::new(Counting::default()), move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        workers.spawn("fails".into(), || Err(Error::NoDevice)).expect("a thread");
        assert!(matches!(workers.wait(), Err(Error::NoDevice)));
        assert!(workers.wait().is_ok());
        assert_eq!(aborted.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_thread_that_a_pinned_one_starts_may_run_on_all_cpus() {
        let workers = Workers::new(Arc::new(Counting::default()), || {});
        let all = sched_getaffinity(None).expect("the kernel tells");
        let (tell, told) = std::sync::mpsc::channel();
        let starter = workers.clone();
        let pinned = thread::spawn(move || {
            let first = (0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).expect("a CPU");
            let mut own = CpuSet::new();
            own.set(first);
            sched_setaffinity(None, &own).expect("pinned");
            starter.spawn("started".into(), move || {
                tell.send(sched_getaffinity(None).expect("the kernel tells")).expect("the test listens");
                Ok(())
            })
        });
        pinned.join().expect("no panic").expect("a thread");
        assert_eq!(told.recv().expect("told"), all);
    }
}
