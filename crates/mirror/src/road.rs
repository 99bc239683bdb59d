//! The way from the thread that reads to a target, with a thread that sends.

use crate::limits::QUEUE_BYTES_MAX;
use crate::pace::Pace;
use crate::queue::Queue;
use crate::transfer::Sent;
use crate::{Result, Target};
use block::{Name, PackedBlock};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) struct Road<'a> {
    target: &'a dyn Target,
    queue: Queue<PackedBlock>,
    in_flight: Mutex<HashSet<Name>>,
    pace: Option<Mutex<Pace>>,
    blocks: AtomicU64,
    bytes: AtomicU64,
    content_bytes: AtomicU64,
}

impl<'a> Road<'a> {
    pub(crate) fn new(target: &'a dyn Target, bytes_per_second_max: Option<u64>) -> Self {
        Self {
            target,
            queue: Queue::new(QUEUE_BYTES_MAX),
            in_flight: Mutex::default(),
            pace: bytes_per_second_max.map(|bytes| Mutex::new(Pace::new(bytes))),
            blocks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            content_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        Sent {
            blocks: self.blocks.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            content_bytes: self.content_bytes.load(Ordering::Relaxed),
        }
    }

    /// Sends a block some time. False if nothing is sent any more.
    pub(crate) fn push(&self, block: PackedBlock) -> bool {
        self.in_flight.lock().insert(block.name());
        let bytes = block.encoded_bytes();
        self.queue.push(block, bytes)
    }

    /// Those of the names that the target neither has nor will have by what is on its way.
    pub(crate) fn lacking(&self, mut names: Vec<Name>) -> Result<Vec<Name>> {
        // First what is on its way, then what is there: a block is in one of the two from when it is sent on.
        let in_flight = self.in_flight.lock();
        names.retain(|name| !in_flight.contains(name));
        drop(in_flight);
        if names.is_empty() { Ok(names) } else { self.target.lacking(&names) }
    }

    /// Nothing comes any more. What is on its way is still sent.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// The sending thread.
    pub(crate) fn send_all(&self) -> Result<()> {
        while let Some(block) = self.queue.pop() {
            if let Err(error) = self.send(&block) {
                self.queue.abandon();
                return Err(error);
            }
        }
        Ok(())
    }

    fn send(&self, block: &PackedBlock) -> Result<()> {
        let bytes = block.encoded_bytes() as u64;
        if let Some(pace) = &self.pace {
            pace.lock().wait(bytes);
        }
        if self.target.put(block)? {
            self.blocks.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            let content = block.body_bytes() + block.links().len() * Name::BYTES;
            self.content_bytes.fetch_add(content as u64, Ordering::Relaxed);
        }
        self.in_flight.lock().remove(&block.name());
        Ok(())
    }
}
