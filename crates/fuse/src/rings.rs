//! The threads that serve over io_uring.
//!
//! They start in two steps. First every thread prepares its ring: only if all succeed does the kernel hear that we speak
//! io_uring. Then, after the first exchange, they register their entries; the kernel holds all requests back until the last
//! queue is there.

use crate::device::Device;
use crate::handshake::Choice;
use crate::transport::cpu::{self, Share};
use crate::transport::ring::Ring;
use crate::waiting::WaitingThreads;
use crate::workers::Workers;
use crate::{Error, Result};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The smallest payload buffer that the kernel takes, in bytes.
const PAYLOAD_SIZE_MIN: usize = 8192;

/// Threads with rings that are ready. Dropping it before [`start`](Rings::start) ends them.
pub(crate) struct Rings {
    threads: Vec<Thread>,
    queues: usize,
}

struct Thread {
    /// The second step may begin.
    go: Sender<()>,
    /// How each of the two steps went.
    reports: Receiver<io::Result<()>>,
}

impl Rings {
    /// The first step.
    pub(crate) fn prepare(
        workers: &Arc<Workers>,
        device: &Arc<Device>,
        choice: &Choice,
        waiting: &Arc<WaitingThreads>,
        depth: usize,
    ) -> Result<Self> {
        let shares =
            cpu::shares(depth.max(1)).map_err(|error| Error::Uring(format!("cannot list the CPUs: {error}")))?;
        let queues = shares.iter().map(|share| share.queues.len()).sum();
        let threads = shares.into_iter().enumerate();
        let spawned = threads.map(|(index, share)| spawn(workers, index, share, (device, choice, waiting)));
        let rings = Self { threads: spawned.collect::<Result<_>>()?, queues };
        rings.reports().map_err(|error| Error::Uring(format!("cannot set up io_uring: {error}")))?;
        Ok(rings)
    }

    /// The second step.
    pub(crate) fn start(&self) -> Result<()> {
        for thread in &self.threads {
            // A thread that is gone says so in its report.
            let _ = thread.go.send(());
        }
        self.reports().map_err(|error| Error::Uring(format!("the kernel refused a queue: {error}")))
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn queue_count(&self) -> usize {
        self.queues
    }

    /// Waits for every thread; the first failure, if there is one.
    fn reports(&self) -> io::Result<()> {
        let lost = |_| Err(io::Error::other("a thread ended"));
        let reports: Vec<_> = self.threads.iter().map(|thread| thread.reports.recv().unwrap_or_else(lost)).collect();
        reports.into_iter().collect()
    }
}

fn spawn(
    workers: &Arc<Workers>,
    index: usize,
    share: Share,
    (device, choice, waiting): (&Arc<Device>, &Choice, &Arc<WaitingThreads>),
) -> Result<Thread> {
    let (go, gone) = channel();
    let (report, reports) = channel();
    let mut dispatcher = workers.dispatcher(choice);
    let mut entrance = waiting.entrance();
    let device = device.clone();
    let payload_size = choice.max_write.max(PAYLOAD_SIZE_MIN);
    workers.spawn(format!("fuse-ring-{index}"), move || {
        let Some(mut ring) = reported(&report, Ring::new(&share, &device, payload_size)) else {
            return Ok(());
        };
        if gone.recv().is_err() || reported(&report, ring.register()).is_none() {
            return Ok(());
        }
        let served = ring.serve(&mut dispatcher, &mut entrance);
        dispatcher.connection_ended();
        served.map_err(|source| Error::Transport { what: "waiting for io_uring", source })
    })?;
    Ok(Thread { go, reports })
}

/// Passes on whether a step worked, and what it made if it did.
fn reported<T>(report: &Sender<io::Result<()>>, step: io::Result<T>) -> Option<T> {
    let (result, made) = match step {
        Ok(made) => (Ok(()), Some(made)),
        Err(error) => (Err(error), None),
    };
    // Nobody listens only when the mount was given up, and then the next wait ends this thread.
    let _ = report.send(result);
    made
}
