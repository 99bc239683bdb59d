//! Requests over io_uring.
//!
//! A thread serves the queue of its CPU (and some of CPUs that this process may not use). Each entry goes round: the kernel
//! completes it with a request, the thread writes the answer into the same buffers and submits it, which also waits for the
//! next request.
//!
//! An answer is submitted before the next request is looked at, so a slow handler never holds back an answer that is ready.

use super::cpu::{self, Share};
use super::entry::RingEntry;
use crate::device::Device;
use crate::dispatch::{Answer, Dispatcher};
use crate::wire::OutHeader;
use io_uring::squeue::Entry128;
use io_uring::{IoUring, cqueue};
use rustix::fd::{AsFd, AsRawFd};
use std::io;
use zerocopy::IntoBytes;

/// One thread's io_uring and entries.
pub(crate) struct Ring {
    /// Dropped before the entries: the kernel must not use their memory when it is unmapped.
    ring: IoUring<Entry128>,
    entries: Vec<RingEntry>,
    /// How many entries still go round.
    live: usize,
    /// Requests that came while the entries were registered.
    early: Vec<cqueue::Entry>,
}

impl Ring {
    /// Prepares everything on the thread that will serve: pins it, makes the ring, maps the buffers.
    pub(crate) fn new(share: &Share, device: &Device, payload_size: usize) -> io::Result<Self> {
        if let Some(cpu) = share.cpu {
            cpu::pin(cpu)?;
        }
        let queues = share.queues.iter().flat_map(|queue| std::iter::repeat_n(*queue, queue.depth));
        let entries: Vec<_> = queues.map(|queue| RingEntry::new(queue, payload_size)).collect::<io::Result<_>>()?;
        let ring = IoUring::builder()
            .dontfork()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .build(entries.len().next_power_of_two() as u32)?;
        ring.submitter().register_files(&[device.as_fd().as_raw_fd()])?;
        Ok(Self { ring, live: entries.len(), entries, early: Vec::new() })
    }

    /// Gives all entries to the kernel. With the last queue of all threads, requests begin to come.
    pub(crate) fn register(&mut self) -> io::Result<()> {
        for (index, entry) in self.entries.iter().enumerate() {
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
    pub(crate) fn serve(&mut self, dispatcher: &mut Dispatcher) -> io::Result<()> {
        while self.live > 0 {
            while let Some(completion) = self.next_completion() {
                self.complete(&completion, dispatcher)?;
            }
            if self.live > 0 {
                self.submit_and_wait()?;
            }
        }
        Ok(())
    }

    fn submit_and_wait(&mut self) -> io::Result<()> {
        match self.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.early.pop().or_else(|| self.ring.completion().next())
    }

    fn complete(&mut self, completion: &cqueue::Entry, dispatcher: &mut Dispatcher) -> io::Result<()> {
        if completion.result() < 0 {
            self.live -= 1;
            return self.retire(-completion.result());
        }
        let index = completion.user_data();
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return Ok(());
        };
        let commit_id = answer(entry, dispatcher);
        let submission = entry.commit(index, commit_id);
        push(&mut self.ring, &submission)?;
        if !self.ring.completion().is_empty() {
            self.ring.submit()?;
        }
        Ok(())
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

/// Answers the request in an entry; returns the number under which the answer is handed in.
fn answer(entry: &mut RingEntry, dispatcher: &mut Dispatcher) -> u64 {
    let (header, payload) = entry.buffers();
    let request = header.header;
    let input_length = header.entry.payload_size as usize;
    let answer = dispatcher.dispatch(&request, &header.arguments, payload, input_length);
    let (length, error) = match answer {
        Answer::None => (0, 0),
        Answer::Body(length) => (length, 0),
        Answer::Error(error) => (0, -error.number()),
    };
    let len = (size_of::<OutHeader>() + length) as u32;
    let reply = OutHeader { len, error, unique: request.unique };
    header.as_mut_bytes()[..size_of::<OutHeader>()].copy_from_slice(reply.as_bytes());
    header.entry.payload_size = length as u32;
    header.entry.commit_id
}
