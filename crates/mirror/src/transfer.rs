//! Bringing what is below some roots from a source to a target.
//!
//! Two threads: the caller's walks the source's tree ([`Descent`]), asks and reads; another one sends. Between them is a queue,
//! so that reading and writing overlap.
//!
//! Invariants:
//!
//! - What is on its way counts as being there: the queue keeps its order, so whatever is sent later arrives later.
//! - After a failure nothing more is read. What was read is still sent, and what the target has received is not sent again.

use crate::descent::{Descent, Step};
use crate::limits::{LEVEL_BYTES_MAX, PROGRESS_INTERVAL, QUEUE_BYTES_MAX};
use crate::pace::Pace;
use crate::queue::Queue;
use crate::{Error, Result, Source, Target};
use block::{Name, PackedBlock, Store};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// What a transfer has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Blocks that the target did not have.
    pub blocks: u64,
    /// Their bytes as they travelled: names, links, and bodies as stored.
    pub bytes: u64,
    /// Bytes of their links and of their bodies before compression.
    pub content_bytes: u64,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What was sent so far.
    pub sent: Sent,
    /// About which part of the whole that is, from 0 to 1.
    pub fraction: f64,
}

/// How a transfer is to behave.
#[derive(Default)]
pub struct TransferOptions<'a> {
    /// The most bytes per second.
    pub bytes_per_second_max: Option<u64>,
    /// Is told how far the transfer is, some times a second.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// What the target is known to have.
    pub base: Option<Base<'a>>,
}

/// A tree that the target is known to have, where it can be read without asking the other side. It saves questions.
pub struct Base<'a> {
    /// Where it can be read.
    pub store: &'a Store,
    /// Its roots.
    pub roots: Vec<Name>,
}

/// Sends what is below the roots, the roots included, and what the target lacks of it.
pub fn transfer(
    source: &dyn Source,
    target: &dyn Target,
    roots: Vec<Name>,
    options: &TransferOptions<'_>,
) -> Result<Sent> {
    let road = Road::new(target, options);
    thread::scope(|scope| {
        let base = options.base.as_ref();
        let descent = Descent::new(roots, base.map_or(&[], |base| &base.roots));
        let sender = scope.spawn(|| road.send_all());
        let walked = Walk { source, target, road: &road, base, descent, told: None }.run();
        // What was read is sent also when reading has failed.
        road.queue.close();
        let sent = sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (sent, walked) {
            // The walk ended because the queue is closed: the sender knows why.
            (Err(error), Err(Error::Abandoned)) | (Ok(()), Err(error)) => Err(error),
            (sent, walked) => walked.and(sent),
        }
    })?;
    Ok(road.sent())
}

/// The way from the thread that reads to the target.
struct Road<'a> {
    target: &'a dyn Target,
    queue: Queue<PackedBlock>,
    in_flight: Mutex<HashSet<Name>>,
    pace: Option<Mutex<Pace>>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    blocks: AtomicU64,
    bytes: AtomicU64,
    content_bytes: AtomicU64,
}

impl<'a> Road<'a> {
    fn new(target: &'a dyn Target, options: &TransferOptions<'a>) -> Self {
        Self {
            target,
            queue: Queue::new(QUEUE_BYTES_MAX),
            in_flight: Mutex::default(),
            pace: options.bytes_per_second_max.map(|bytes| Mutex::new(Pace::new(bytes))),
            progress: options.progress,
            blocks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            content_bytes: AtomicU64::new(0),
        }
    }

    fn sent(&self) -> Sent {
        Sent {
            blocks: self.blocks.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            content_bytes: self.content_bytes.load(Ordering::Relaxed),
        }
    }

    fn push(&self, block: PackedBlock) -> Result<()> {
        self.in_flight.lock().insert(block.name());
        let bytes = block.encoded_bytes();
        if self.queue.push(block, bytes) { Ok(()) } else { Err(Error::Abandoned) }
    }

    fn keep_if_not_in_flight(&self, names: &mut Vec<Name>) {
        let in_flight = self.in_flight.lock();
        names.retain(|name| !in_flight.contains(name));
    }

    /// The sending thread.
    fn send_all(&self) -> Result<()> {
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

/// The thread that walks the source's tree.
struct Walk<'a> {
    source: &'a dyn Source,
    target: &'a dyn Target,
    road: &'a Road<'a>,
    base: Option<&'a Base<'a>>,
    descent: Descent,
    told: Option<Instant>,
}

impl Walk<'_> {
    fn run(mut self) -> Result<()> {
        loop {
            match self.descent.next() {
                Step::Done => return Ok(()),
                Step::Compare(names) => self.compare(&names)?,
                Step::Ask(names) => self.ask(names)?,
                Step::Read(names) => self.read(&names)?,
                Step::Send(blocks) => blocks.into_iter().try_for_each(|block| self.road.push(block))?,
            }
            self.tell();
        }
    }

    fn compare(&mut self, names: &[Name]) -> Result<()> {
        let mut links = HashMap::new();
        if let Some(base) = self.base {
            let read = base.store.read(names, usize::MAX, &mut |block| {
                links.insert(block.name(), block.links().to_vec());
                Ok(())
            });
            if let Err(error) = read {
                // What is not known is asked.
                tracing::warn!(%error, "a part of the replica's state cannot be read; `pantala mirror verify` heals it");
            }
        }
        self.descent.compared(&links);
        Ok(())
    }

    fn ask(&mut self, mut names: Vec<Name>) -> Result<()> {
        // First what is on its way, then what is there: a block is in one of the two from when it is sent on.
        self.road.keep_if_not_in_flight(&mut names);
        let lacking = if names.is_empty() { names } else { self.target.lacking(&names)? };
        self.descent.answered(lacking);
        Ok(())
    }

    fn read(&mut self, names: &[Name]) -> Result<()> {
        let (source, road) = (self.source, self.road);
        source.read(names, LEVEL_BYTES_MAX, &mut |block| {
            if let Some(block) = self.descent.arrived(block) {
                road.push(block)?;
                self.tell();
            }
            Ok(())
        })?;
        self.descent.read();
        Ok(())
    }

    fn tell(&mut self) {
        let Some(progress) = self.road.progress else { return };
        if self.told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL) {
            self.told = Some(Instant::now());
            progress(Progress { sent: self.road.sent(), fraction: self.descent.fraction() });
        }
    }
}
