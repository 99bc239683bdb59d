//! Bringing what is below some roots from a source to one target, or to several at once.
//!
//! The caller's thread walks the source's tree ([`Descent`]), asks and reads; for each target another one sends ([`Road`]). Between them
//! are queues, so that reading and writing overlap. With several targets each block that any of them lacks is read and verified once.
//!
//! Invariants:
//!
//! - What is on its way counts as being there: a queue keeps its order, so whatever is sent later arrives later.
//! - After a failure nothing more is read for the target. What was read is still sent, and what the target has received is not sent again.
//! - The failure of one target does not keep the others from what they lack.

use crate::descent::{Descent, Step};
use crate::interest::Interest;
use crate::limits::{LEVEL_BYTES_MAX, PROGRESS_INTERVAL, TARGETS_MAX};
use crate::road::Road;
use crate::{Error, Result, Source, Target};
use block::{Name, PackedBlock, Store};
use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
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

impl Sent {
    pub(crate) fn add(&mut self, more: Self) {
        self.blocks += more.blocks;
        self.bytes += more.bytes;
        self.content_bytes += more.content_bytes;
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What was sent so far, to all targets together.
    pub sent: Sent,
    /// About which part of the whole that is, from 0 to 1.
    pub fraction: f64,
}

/// How a transfer is to behave.
#[derive(Default)]
pub struct TransferOptions<'a> {
    /// The most bytes per second, to each target.
    pub bytes_per_second_max: Option<u64>,
    /// Is told how far the transfer is, some times a second.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// What the target is known to have, if there is one alone.
    pub base: Option<Base<'a>>,
}

/// A tree that the target is known to have, where it can be read without asking the other side. It saves questions.
pub struct Base<'a> {
    /// Where it can be read.
    pub store: &'a Store,
    /// Its roots.
    pub roots: Vec<Name>,
}

/// One of the targets of a transfer.
pub struct Destination<'a> {
    /// Where blocks go.
    pub target: &'a dyn Target,
    /// What it is to have, with everything below.
    pub roots: Vec<Name>,
}

/// Sends what is below the roots, the roots included, and what the target lacks of it.
pub fn transfer(
    source: &dyn Source,
    target: &dyn Target,
    roots: Vec<Name>,
    options: &TransferOptions<'_>,
) -> Result<Sent> {
    let mut sent = transfer_to_all(source, &[Destination { target, roots }], options);
    sent.pop().unwrap_or(Ok(Sent::default()))
}

/// Sends to each target, of which there are at most 64, what it lacks of what is below its roots, the roots included. Gives how it
/// went, in the order of the targets.
pub fn transfer_to_all(
    source: &dyn Source,
    destinations: &[Destination<'_>],
    options: &TransferOptions<'_>,
) -> Vec<Result<Sent>> {
    assert!(destinations.len() <= TARGETS_MAX, "a transfer has at most {TARGETS_MAX} targets");
    let targets = destinations.iter().map(|destination| destination.target);
    let roads: Vec<Road<'_>> = targets.map(|target| Road::new(target, options.bytes_per_second_max)).collect();
    let is_one = destinations.len() == 1;
    let base = options.base.as_ref().filter(|_| is_one);
    let mut seen = HashSet::new();
    let roots = destinations.iter().flat_map(|destination| &destination.roots).copied();
    let roots = roots.filter(|root| seen.insert(*root)).collect();
    let mut walk = Walk {
        source,
        roads: &roads,
        failures: vec![None; roads.len()],
        base,
        descent: Descent::new(roots, base.map_or(&[], |base| &base.roots)),
        interest: (!is_one).then(|| Interest::new(destinations.iter().map(|destination| &destination.roots[..]))),
        progress: options.progress,
        told: None,
    };
    let (walked, sent) = thread::scope(|scope| {
        let senders: Vec<_> = roads.iter().map(|road| scope.spawn(|| road.send_all())).collect();
        let walked = walk.run();
        // What was read is sent also when reading has failed.
        roads.iter().for_each(Road::close);
        let join = |sender: ScopedJoinHandle<'_, _>| sender.join().unwrap_or_else(|panic| resume_unwind(panic));
        (walked, senders.into_iter().map(join).collect::<Vec<Result<()>>>())
    });
    let outcomes = sent.into_iter().zip(walk.failures).zip(&roads);
    outcomes.map(|((sent, failure), road)| outcome(sent, failure, &walked).map(|()| road.sent())).collect()
}

/// How it went with a target. Where nothing could be sent any more, the thread that sends knows why.
fn outcome(sent: Result<()>, failure: Option<Error>, walked: &Result<()>) -> Result<()> {
    match failure {
        None | Some(Error::Abandoned) => sent?,
        Some(error) => return Err(error),
    }
    walked.clone()
}

/// The thread that walks the source's tree.
struct Walk<'a> {
    source: &'a dyn Source,
    roads: &'a [Road<'a>],
    /// Why nothing more is read for a target.
    failures: Vec<Option<Error>>,
    base: Option<&'a Base<'a>>,
    descent: Descent,
    /// Which target wants what, if there are several.
    interest: Option<Interest>,
    progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    told: Option<Instant>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<()> {
        while self.is_any_left() {
            match self.descent.next() {
                Step::Done => break,
                Step::Compare(names) => self.compare(&names),
                Step::Ask(names) => self.ask(names),
                Step::Read(names) => self.read(&names)?,
                Step::Send(blocks) => blocks.into_iter().for_each(|block| self.send(block)),
            }
            self.tell();
        }
        Ok(())
    }

    fn is_any_left(&self) -> bool {
        self.failures.iter().any(Option::is_none)
    }

    fn compare(&mut self, names: &[Name]) {
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
    }

    fn ask(&mut self, mut names: Vec<Name>) {
        let mut lacking = HashSet::<Name>::new();
        for (number, answer) in self.answers(&names).into_iter().enumerate() {
            match answer {
                Ok(answer) => {
                    lacking.extend(&answer);
                    let interest = self.interest.iter_mut();
                    interest.for_each(|interest| answer.iter().for_each(|name| interest.lacks(number, *name)));
                }
                Err(error) => self.failures[number] = Some(error),
            }
        }
        names.retain(|name| lacking.contains(name));
        self.descent.answered(names);
    }

    /// Which of the names each target lacks.
    fn answers(&mut self, names: &[Name]) -> Vec<Result<Vec<Name>>> {
        let Some(interest) = &mut self.interest else {
            return self.roads.iter().map(|road| road.lacking(names.to_vec())).collect();
        };
        let mut questions = vec![Vec::new(); self.roads.len()];
        for name in names {
            let askers = interest.ask(name);
            let asked = questions.iter_mut().zip(&self.failures).enumerate();
            let asked = asked.filter(|(number, (_, failure))| askers.has(*number) && failure.is_none());
            asked.for_each(|(_, (question, _))| question.push(*name));
        }
        thread::scope(|scope| {
            let asked = self.roads.iter().zip(questions).zip(&self.failures);
            let asked: Vec<_> = asked
                .map(|((road, question), failure)| {
                    scope.spawn(move || failure.clone().map_or_else(|| road.lacking(question), Err))
                })
                .collect();
            asked.into_iter().map(|asked| asked.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }

    fn read(&mut self, names: &[Name]) -> Result<()> {
        let read = self.source.read(names, LEVEL_BYTES_MAX, &mut |block| {
            self.interest.iter_mut().for_each(|interest| interest.read(&block));
            if let Some(block) = self.descent.arrived(block) {
                self.send(block);
                self.tell();
            }
            if self.is_any_left() { Ok(()) } else { Err(Error::Abandoned) }
        });
        // Where no target is left, each has a reason of its own.
        if self.is_any_left() {
            read?;
            self.descent.read();
        }
        Ok(())
    }

    fn send(&mut self, block: PackedBlock) {
        let (roads, failures) = (self.roads, &mut self.failures);
        let mut send_to = |number: usize, block| {
            if failures[number].is_none() && !roads[number].push(block) {
                failures[number] = Some(Error::Abandoned);
            }
        };
        match &mut self.interest {
            None => send_to(0, block),
            Some(interest) => {
                let targets = interest.send(&block.name());
                let numbers = (0..roads.len()).filter(|number| targets.has(*number));
                numbers.for_each(|number| send_to(number, block.clone()));
            }
        }
    }

    fn tell(&mut self) {
        let Some(progress) = self.progress else { return };
        if self.told.is_none_or(|told| told.elapsed() >= PROGRESS_INTERVAL) {
            self.told = Some(Instant::now());
            let mut sent = Sent::default();
            self.roads.iter().for_each(|road| sent.add(road.sent()));
            progress(Progress { sent, fraction: self.descent.fraction() });
        }
    }
}
