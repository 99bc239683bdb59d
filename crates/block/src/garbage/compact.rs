//! Compaction: segments that are mostly dead are written anew without what is dead, and retired.

use super::Alive;
use super::policy::{Candidate, Thrift, choose};
use super::sweep::Sweep;
use crate::frame::{Draft, FrameHeader, Subject};
use crate::layout;
use crate::limits::{COMPACT_STEP_BYTES, RECOVERY_WINDOW_BYTES};
use crate::recent::Entry;
use crate::recovery::entry;
use crate::scan::Scan;
use crate::segment_header::SegmentHeader;
use crate::{Blocks, Name, Result, Store};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

/// A compaction that is under way.
pub(super) struct Compact {
    victims: VecDeque<Candidate>,
    rewrite: Option<Rewrite>,
    thrift: Thrift,
    /// Whether damage of the log was accepted: then a segment without anything alive may still hold what is damaged, which stays.
    is_mended: bool,
}

/// One segment on its way to the head.
struct Rewrite {
    victim: Candidate,
    scan: Scan,
}

/// What became of a piece of a segment.
enum Rewritten {
    /// There is more of it.
    Partly,
    /// All that is needed of it is at the head too.
    Wholly,
    /// It cannot be read to its end.
    Damaged,
}

impl Compact {
    /// Chooses the segments below `segments_end` that are worth it. The newest roots are durable afterwards, and everything that
    /// the sweep left is in the index.
    pub(super) fn begin(
        store: &Store,
        segments_end: u32,
        sweep: &Sweep,
        alive: &Alive,
        thrift: Thrift,
    ) -> Result<Self> {
        let roots = alive.streams.keys().filter_map(|stream| store.roots.newest(*stream));
        let kept: BTreeSet<u32> = roots.map(|position| position.segment()).collect();
        store.sync()?;
        store.flush_index()?;
        let numbers = store.segments.written_below(segments_end);
        let candidate = |number: u32| {
            let live_bytes = sweep.live_bytes.get(&number).copied().unwrap_or(0);
            let is_all_alive = thrift == Thrift::Purge && store.is_all_alive(number, live_bytes)?;
            Ok(Candidate { number, bytes: store.segments.length(number)?, live_bytes, is_all_alive })
        };
        let candidates = numbers.into_iter().filter(|number| !kept.contains(number)).map(candidate);
        let victims: VecDeque<_> = choose(candidates.collect::<Result<_>>()?, thrift).into();
        store.report(|progress| progress.victims = victims.len() as u64);
        Ok(Self { victims, rewrite: None, thrift, is_mended: layout::has_mends(&*store.disk)? })
    }

    /// Goes on; false when no victim is left.
    pub(super) fn step(&mut self, store: &Store) -> Result<bool> {
        let Some(rewrite) = &mut self.rewrite else {
            return self.next_victim(store);
        };
        match rewrite.step(store)? {
            Rewritten::Partly => return Ok(true),
            Rewritten::Wholly => {
                if !store.sabotaged.retire_too_early.load(Ordering::Relaxed) {
                    store.sync()?;
                    store.flush_index()?;
                }
                store.retire(&rewrite.victim)?;
            }
            Rewritten::Damaged => store.report(|progress| progress.damaged += 1),
        }
        self.rewrite = None;
        Ok(true)
    }

    fn next_victim(&mut self, store: &Store) -> Result<bool> {
        let Some(victim) = self.victims.pop_front() else {
            return Ok(false);
        };
        match victim.live_bytes {
            _ if self.is_mended && !store.may_be_rewritten(victim.number)? => {
                let stays = (self.thrift == Thrift::Purge) as u64;
                store.report(|progress| progress.damaged += stays);
            }
            0 if !self.is_mended => store.retire(&victim)?,
            _ => self.rewrite = Some(Rewrite::begin(store, victim)?),
        }
        Ok(true)
    }
}

impl Rewrite {
    fn begin(store: &Store, victim: Candidate) -> Result<Self> {
        let end = store.sealed_end(victim.number)?;
        let file = store.segments.open(victim.number)?;
        let from = SegmentHeader::first_frame(victim.number);
        let scan = Scan::new(file, store.id(), from, end, RECOVERY_WINDOW_BYTES);
        Ok(Self { victim, scan })
    }

    fn step(&mut self, store: &Store) -> Result<Rewritten> {
        let mut bytes = 0;
        while !self.scan.is_at_end() && bytes < COMPACT_STEP_BYTES {
            let Ok(header) = self.scan.header()? else {
                return Ok(self.damaged());
            };
            if let Subject::Block(name) = header.subject
                && self.is_needed(store, &name)?
            {
                let Ok(payload) = self.scan.payload(&header)? else {
                    return Ok(self.damaged());
                };
                store.append_copy(name, header, payload)?;
            }
            bytes += header.frame_bytes() as u64;
            self.scan.skip(&header);
        }
        Ok(if self.scan.is_at_end() { Rewritten::Wholly } else { Rewritten::Partly })
    }

    /// Whether this frame is the one that the index has for a block.
    fn is_needed(&self, store: &Store, name: &Name) -> Result<bool> {
        Ok(store.locate(name)?.is_some_and(|location| location.position == self.scan.position()))
    }

    fn damaged(&self) -> Rewritten {
        tracing::warn!(place = %self.scan.position(), "the segment is damaged here, so its space cannot be given back");
        Rewritten::Damaged
    }
}

impl Store {
    /// Appends a frame's block once more, as it is stored.
    fn append_copy(&self, name: Name, header: FrameHeader, payload: &[u8]) -> Result<()> {
        let draft = Draft::packed(header, &[], payload);
        let written = |position| self.recent.insert(name, Entry { is_copy: true, ..entry(position, draft.header()) });
        self.keep_index_close()?;
        self.log.append(&draft, written)?;
        self.report(|progress| progress.copied_bytes += draft.frame_bytes() as u64);
        Ok(())
    }

    /// Whether a segment has nothing but frames that are needed: nothing between them, and nothing that a crash left behind them.
    fn is_all_alive(&self, number: u32, live_bytes: u64) -> Result<bool> {
        let Ok(end) = self.sealed_end(number) else { return Ok(false) };
        let frames_bytes = end.saturating_sub(SegmentHeader::first_frame(number).offset());
        if live_bytes != frames_bytes as u64 {
            return Ok(false);
        }
        let (file, mut offset) = (self.segments.open(number)?, end as u64);
        loop {
            let rest = file.read(offset, RECOVERY_WINDOW_BYTES)?;
            if rest.is_empty() {
                return Ok(true);
            }
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += rest.len() as u64;
        }
    }

    /// Whether it is known where a segment ends, and it is not the note that damage was accepted.
    fn may_be_rewritten(&self, number: u32) -> Result<bool> {
        let header = self.segments.header(number)?;
        Ok(header.is_some_and(|header| !header.is_mending()) && self.sealed_end(number).is_ok())
    }

    /// Takes a segment out of the log of which nothing is needed, durably, any more.
    fn retire(&self, victim: &Candidate) -> Result<()> {
        self.segments.retire(victim.number)?;
        self.report(|progress| {
            progress.retired += 1;
            progress.retired_bytes += victim.bytes;
        });
        Ok(())
    }
}
