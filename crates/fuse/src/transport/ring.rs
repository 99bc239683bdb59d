//! Requests over io_uring.
//!
//! A thread serves the queue of its CPU (and some of CPUs that this process may not use). Each entry goes round: the kernel
//! completes it with a request, the thread writes the answer into the same buffers and submits it, which also waits for the
//! next request.
//!
//! A request that has to wait takes its entry with it to another thread, and the entry comes back with the answer
//! ([`returns`](super::returns)).
//!
//! An answer is submitted before the next request is looked at, so a slow handler never holds back an answer that is ready.

use super::cpu::Share;
use super::entry::RingEntry;
use super::pinning::Pinning;
use super::returns::{Answered, Returns};
use crate::device::Device;
use crate::dispatch::{Answer, Dispatcher};
use crate::waiting::{Entrance, Job};
use crate::wire::OutHeader;
use io_uring::squeue::Entry128;
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode};
use rustix::fd::{AsFd, AsRawFd};
use std::io;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// Marks the completion that says that entries came back.
const RETURNED: u64 = u64::MAX;

/// One thread's io_uring and entries.
pub(crate) struct Ring {
    /// Dropped before the entries: the kernel must not use their memory when it is unmapped.
    ring: IoUring<Entry128>,
    /// `None` while another thread has it.
    entries: Vec<Option<RingEntry>>,
    returns: Arc<Returns>,
    /// How many entries still go round.
    live: usize,
    /// Requests that came while the entries were registered.
    early: Vec<cqueue::Entry>,
    /// `None` if the thread has no CPU of its own.
    pinning: Option<Pinning>,
}

impl Ring {
    /// Prepares everything on the thread that will serve: pins it, makes the ring, maps the buffers.
    pub(crate) fn new(share: &Share, device: &Device, payload_size: usize) -> io::Result<Self> {
        let pinning = share.cpu.map(Pinning::new).transpose()?;
        let queues = share.queues.iter().flat_map(|queue| std::iter::repeat_n(*queue, queue.depth));
        let entries = queues.map(|queue| RingEntry::new(queue, payload_size).map(Some));
        let entries: Vec<_> = entries.collect::<io::Result<_>>()?;
        let ring = IoUring::builder()
            .dontfork()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .build((entries.len() + 1).next_power_of_two() as u32)?;
        ring.submitter().register_files(&[device.as_fd().as_raw_fd()])?;
        let returns = Arc::new(Returns::new()?);
        Ok(Self { ring, live: entries.len(), entries, returns, early: Vec::new(), pinning })
    }

    /// Gives all entries to the kernel. With the last queue of all threads, requests begin to come.
    pub(crate) fn register(&mut self) -> io::Result<()> {
        self.watch_returns()?;
        for (index, entry) in self.entries.iter().flatten().enumerate() {
            push(&mut self.ring, &entry.register(index as u64))?;
        }
        self.ring.submit()?;
        // The kernel refuses an entry at once.
        self.early = self.ring.completion().collect();
        match self.early.iter().find(|completion| completion.result() < 0) {
            Some(refused) => Err(io::Error::from_raw_os_error(-refused.result())),
            None => Ok(()),
        }
    }

    /// Answers requests until the connection ends.
    pub(crate) fn serve(&mut self, dispatcher: &mut Dispatcher, waiting: &mut Entrance) -> io::Result<()> {
        while self.live > 0 {
            while let Some(completion) = self.next_completion() {
                self.complete(&completion, dispatcher, waiting)?;
                if !self.ring.completion().is_empty() {
                    self.ring.submit()?;
                }
            }
            if self.live > 0 {
                self.submit_and_wait()?;
            }
        }
        Ok(())
    }

    fn submit_and_wait(&mut self) -> io::Result<()> {
        let waited = self.ring.submit_and_wait(1);
        if let Some(pinning) = &mut self.pinning {
            pinning.waited();
        }
        match waited {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.early.pop().or_else(|| self.ring.completion().next())
    }

    fn complete(
        &mut self,
        completion: &cqueue::Entry,
        dispatcher: &mut Dispatcher,
        waiting: &mut Entrance,
    ) -> io::Result<()> {
        if completion.user_data() == RETURNED {
            return self.take_returns();
        }
        if completion.result() < 0 {
            self.live -= 1;
            return self.retire(-completion.result());
        }
        let index = completion.user_data();
        let Some(mut entry) = self.entries.get_mut(index as usize).and_then(Option::take) else {
            return Ok(());
        };
        match answer(&mut entry, dispatcher) {
            Some(commit_id) => self.commit(Answered { index, entry, commit_id })?,
            None => waiting.hand_over(later(index, entry, self.returns.clone())),
        }
        Ok(())
    }

    /// Hands in an answer.
    fn commit(&mut self, answered: Answered) -> io::Result<()> {
        let Answered { index, entry, commit_id } = answered;
        let submission = entry.commit(index, commit_id);
        self.entries[index as usize] = Some(entry);
        push(&mut self.ring, &submission)
    }

    /// Asks to be told when entries come back.
    fn watch_returns(&mut self) -> io::Result<()> {
        let poll = opcode::PollAdd::new(Fd(self.returns.event()), libc::POLLIN as u32);
        push(&mut self.ring, &poll.build().user_data(RETURNED).into())
    }

    /// Hands in the answers that other threads gave.
    fn take_returns(&mut self) -> io::Result<()> {
        let mut answered = Vec::new();
        self.returns.take(&mut answered);
        answered.into_iter().try_for_each(|answered| self.commit(answered))?;
        self.watch_returns()
    }

    /// The kernel gave an entry up. That is how a connection ends; anything else costs us the entry.
    fn retire(&self, error: i32) -> io::Result<()> {
        if matches!(error, libc::ENOTCONN | libc::ECONNABORTED | libc::ENODEV | libc::ECANCELED) {
            return Ok(());
        }
        let error = io::Error::from_raw_os_error(error);
        tracing::error!(%error, live = self.live, "the kernel refused a ring entry");
        if self.live == 0 { Err(error) } else { Ok(()) }
    }
}

fn push(ring: &mut IoUring<Entry128>, submission: &Entry128) -> io::Result<()> {
    // SAFETY: the buffers that the submission names belong to an entry, which outlives the ring.
    let pushed = unsafe { ring.submission().push(submission) };
    // There is room for all entries, and each is submitted once at a time.
    pushed.map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Answers the request in an entry on another thread.
fn later(index: u64, mut entry: RingEntry, returns: Arc<Returns>) -> Job {
    Box::new(move |dispatcher| {
        let commit_id = answer(&mut entry, dispatcher).expect("a waiting dispatcher puts nothing off");
        returns.put(Answered { index, entry, commit_id });
    })
}

/// Answers the request in an entry; returns the number under which the answer is handed in, or `None` if it has to wait.
fn answer(entry: &mut RingEntry, dispatcher: &mut Dispatcher) -> Option<u64> {
    let (header, payload) = entry.buffers();
    let request = header.header;
    let input_length = header.entry.payload_size as usize;
    let answer = dispatcher.dispatch(&request, &header.arguments, payload, input_length);
    let (length, error) = match answer {
        Answer::None => (0, 0),
        Answer::Body(length) => (length, 0),
        Answer::Error(error) => (0, -error.number()),
        Answer::Later => return None,
    };
    let len = (size_of::<OutHeader>() + length) as u32;
    let reply = OutHeader { len, error, unique: request.unique };
    header.as_mut_bytes()[..size_of::<OutHeader>()].copy_from_slice(reply.as_bytes());
    header.entry.payload_size = length as u32;
    Some(header.entry.commit_id)
}
