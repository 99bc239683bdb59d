//! Garbage collection: finding the blocks that nothing needs any more, and giving their space back.
//!
//! A [`Collection`] goes through three stages, in steps that are short, beside the writers:
//!
//! 1. **Mark** (`mark`): the layer above stands still for a moment and shows what it needs ([`Live`]). From there the collection
//!    follows links, and marks what it comes to (`marks`). Blocks without links are not read: the index says that they have none.
//! 2. **Sweep** (`sweep`): one pass over the index, in the order of names. What is not marked goes from the index. What stays is
//!    summed up for each segment.
//! 3. **Compact** (`compact`): segments that are mostly dead are rewritten. What the index still knows of a segment is appended
//!    at the head, as it is stored; when the copies are durable and in the index, the segment is retired from the log.
//!
//! A purge ([`Thrift::Purge`]) is a collection after which nothing dead is left of what lay before its beginning, in no segment: marks are
//! exact, and every segment is rewritten that has anything that is not needed. Before it, the layer above goes on in a new segment
//! ([`Store::begin_segment`]) and writes its records anew there: segments with records that are needed are no victims.
//!
//! Invariants:
//!
//! - **What is alive is marked before the sweep begins.** A block that is needed at the end of the marking could be reached from
//!   what the layer above showed, or was put since (`start` is where the log ended then). In the first case the collection has
//!   come to it. In the second it lies behind `start`, or the put found it and marked it (`barrier`).
//! - **Whoever was told that a block is there can rely on it**: the barrier gives no such answer for a block that the sweep removes.
//! - **A block with links that is in the index has everything below it there.** A sweep removes parents and children in the order
//!   of their names, and a crash may end it in between. So before the first removal the index takes note of `start`, and until
//!   the sweep has ended, blocks with links below that place are not relied on.
//! - **A place in the index holds its block.** A segment is retired when the index, durably, has no place in it.
//! - The log's chain is never cut: a gap says what was retired (`segments/gaps`). Positions are never used again.
//! - Segments that recovery may need are no victims: that of the index's watermark and those behind it, those of the newest roots,
//!   those from the oldest journal that is alive on.
//! - Memory does not grow with the store beyond a bound: see [`crate::limits`].
//!
//! An error, or dropping a [`Collection`], ends it at any step; so does a crash. What is not marked then stays, what was retired
//! stays retired, and the next collection begins anew.

mod barrier;
mod bloom;
mod compact;
mod live;
mod mark;
mod marks;
mod places;
mod policy;
mod progress;
mod sweep;

pub(crate) use barrier::Barrier;
pub use live::{Alive, Live};
pub use policy::Thrift;
pub use progress::{CollectionProgress, CollectionStage};

use crate::{Position, RecordKind, Result, Store, StoredRecord};
use compact::Compact;
use mark::Mark;
use marks::Marks;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sweep::Sweep;

/// A store's side of garbage collection.
#[derive(Default)]
pub(crate) struct Garbage {
    pub(crate) barrier: Barrier,
    /// Held by the collection that is under way.
    turn: Mutex<()>,
    /// How many there are who must not be surprised by the beginning of a collection.
    holds: Arc<Mutex<usize>>,
    /// Collections since the store was opened: each has another salt.
    begun: AtomicU64,
    progress: Mutex<CollectionProgress>,
}

/// Keeps a collection from beginning, until it is dropped. See [`Store::hold`].
pub struct Hold(Arc<Mutex<usize>>);

/// A collection that is under way. Dropping it ends it.
pub struct Collection<'a> {
    store: &'a Store,
    _turn: MutexGuard<'a, ()>,
    marks: Arc<Marks>,
    alive: Alive,
    thrift: Thrift,
    stage: Stage,
}

enum Stage {
    Mark(Mark),
    Sweep(Sweep),
    Compact(Compact),
    Done,
}

impl Store {
    /// Begins a collection; `None` if one is under way, or somebody holds them off. It does nothing by itself: see
    /// [`Collection::step`].
    pub fn begin_collection(&self, live: &dyn Live, thrift: Thrift) -> Result<Option<Collection<'_>>> {
        // What a damaged log keeps alive cannot be told.
        if self.closed.is_some() {
            return Ok(None);
        }
        let Some(turn) = self.garbage.turn.try_lock() else { return Ok(None) };
        let holds = self.garbage.holds.lock();
        if *holds > 0 {
            return Ok(None);
        }
        self.report(|progress| *progress = CollectionProgress::begun());
        let (mut marks, mut roots) = (None, Vec::new());
        let alive = live.survey(&mut || marks = Some(self.begin_marking(thrift)), &mut |name| roots.push(name));
        drop(holds);
        let marks = marks.unwrap_or_else(|| self.begin_marking(thrift));
        let stage = Stage::Mark(Mark::from_roots(roots));
        let mut collection = Collection { store: self, _turn: turn, marks, alive, thrift, stage };
        collection.add_records()?;
        Ok(Some(collection))
    }

    /// Holds collections off, for as long as blocks are put or relied on that no record leads to yet and that a survey would not
    /// show. Taken before any lock of the layer above. A collection that is under way goes on: what is put or found there beside
    /// it stays.
    pub fn hold(&self) -> Hold {
        *self.garbage.holds.lock() += 1;
        Hold(self.garbage.holds.clone())
    }

    /// Whether somebody holds collections off.
    pub fn is_held(&self) -> bool {
        *self.garbage.holds.lock() > 0
    }

    /// How the collection that is under way goes, or how the last one went, since the store was opened.
    pub fn collection_progress(&self) -> CollectionProgress {
        *self.garbage.progress.lock()
    }

    fn report(&self, change: impl FnOnce(&mut CollectionProgress)) {
        change(&mut self.garbage.progress.lock());
    }

    fn begin_marking(&self, thrift: Thrift) -> Arc<Marks> {
        let number = self.garbage.begun.fetch_add(1, Ordering::Relaxed);
        let blocks = self.statistics().blocks;
        self.garbage.barrier.begin_marking(|| {
            let start = self.position();
            let salt = bloom::mix(start.to_u64() ^ number << 56);
            Arc::new(match thrift {
                Thrift::Purge => Marks::exact(start, blocks, salt),
                _ => Marks::new(start, blocks, salt),
            })
        })
    }
}

impl Collection<'_> {
    /// Does a short piece of work; false when nothing is left to do. After an error the collection is over.
    pub fn step(&mut self) -> Result<bool> {
        let segments_end = self.segments_end();
        let next = match &mut self.stage {
            Stage::Mark(mark) => match mark.step(self.store, &self.marks)? {
                true => None,
                false => Some(Stage::Sweep(Sweep::begin(self.store, self.marks.start)?)),
            },
            Stage::Sweep(sweep) => match sweep.step(self.store, &self.marks, &self.alive)? {
                true => None,
                false => {
                    let compact = Compact::begin(self.store, segments_end, sweep, &self.alive, self.thrift)?;
                    Some(Stage::Compact(compact))
                }
            },
            Stage::Compact(compact) => match compact.step(self.store)? {
                true => None,
                false => Some(Stage::Done),
            },
            Stage::Done => return Ok(false),
        };
        if let Some(stage) = next {
            self.stage = stage;
            self.store.report(|progress| progress.stage = self.stage.name());
        }
        Ok(!matches!(self.stage, Stage::Done))
    }

    /// Whether every dead block that lay before its beginning is found. With very many blocks, some pass for alive.
    pub fn is_exact(&self) -> bool {
        self.marks.are_exact()
    }

    /// Marks what the records that are alive link to.
    fn add_records(&mut self) -> Result<()> {
        let Stage::Mark(mark) = &mut self.stage else { return Ok(()) };
        for stream in self.alive.streams.keys() {
            if let Some(root) = self.store.latest_root(*stream)? {
                mark.add_roots(root.record.links);
            }
        }
        let Some(replay_from) = self.alive.replay_from() else { return Ok(()) };
        self.store.records_from(replay_from, &mut |StoredRecord { position, record }| {
            if record.kind == RecordKind::Intent && self.alive.needs_intent(record.stream, position) {
                mark.add_roots(record.links);
            }
            Ok(())
        })
    }

    /// Segments from here on are no victims.
    fn segments_end(&self) -> u32 {
        let needed = [self.marks.start, self.store.indexed.watermark()];
        let needed = needed.into_iter().chain(self.alive.replay_from());
        needed.map(Position::segment).min().unwrap_or(0)
    }
}

impl Drop for Collection<'_> {
    fn drop(&mut self) {
        self.store.garbage.barrier.end();
        self.store.report(|progress| progress.is_running = false);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
    }
}

impl Stage {
    fn name(&self) -> CollectionStage {
        match self {
            Self::Mark(_) => CollectionStage::Mark,
            Self::Sweep(_) => CollectionStage::Sweep,
            Self::Compact(_) => CollectionStage::Compact,
            Self::Done => CollectionStage::Done,
        }
    }
}
