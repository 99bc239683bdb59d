//! The walk along the log from the index's watermark to the log's end.

use super::{Progress, Unindexed};
use crate::frame::{Fault, FrameHeader, Subject};
use crate::limits::{RECOVERY_WINDOW_BYTES, REREAD_BYTES_MAX, UNINDEXED_ENTRIES_MAX};
use crate::recent::Entry;
use crate::scan::Scan;
use crate::segment_file::SegmentFile;
use crate::segment_header::SegmentHeader;
use crate::segments::Segments;
use crate::store::next_frame;
use crate::{Error, Index, IndexState, IndexUpdate, Location, Name, Position, RecordKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The headers of segments; `None` where a segment has no valid one.
pub(super) type Headers = BTreeMap<u32, Option<SegmentHeader>>;

/// A walk along the log.
pub(super) struct Walk<'a> {
    segments: &'a Segments,
    index: &'a dyn Index,
    progress: Progress<'a>,
    headers: Headers,
    visited: BTreeSet<u32>,
    position: Position,
    committed: Position,
    uncommitted_bytes: u64,
    /// The block at whose payload the walk stopped.
    stopped_at: Option<FrameHeader>,
    damaged_blocks: BTreeMap<Name, String>,
    /// Whether segments were retired that the walk came past: what it finds may lack what it links to.
    has_gaps: bool,
    update: IndexUpdate,
    bytes_done: u64,
    bytes_total: u64,
}

impl<'a> Walk<'a> {
    /// A walk that begins at the watermark of an index.
    pub(super) fn new(
        segments: &'a Segments,
        index: &'a dyn Index,
        indexed: IndexState,
        progress: Progress<'a>,
    ) -> Result<Self> {
        let position = indexed.watermark;
        let headers = headers_from(segments, position.segment())?;
        let written = headers.iter().filter(|(_, header)| !is_gap(header)).map(|(number, _)| *number);
        let bytes_total = written.map(|number| segments.length(number)).sum::<Result<u64>>()?;
        let update = IndexUpdate { totals: indexed.totals, whole_from: indexed.whole_from, ..IndexUpdate::default() };
        let (visited, bytes_done, committed, uncommitted_bytes, has_gaps) = (BTreeSet::new(), 0, position, 0, false);
        Ok(Self {
            segments,
            index,
            progress,
            headers,
            visited,
            position,
            committed,
            uncommitted_bytes,
            stopped_at: None,
            damaged_blocks: BTreeMap::new(),
            has_gaps,
            update,
            bytes_done,
            bytes_total,
        })
    }

    /// Walks to the log's end and returns why it ends there.
    pub(super) fn run(&mut self) -> Result<Fault> {
        let mending = self.headers.values().flatten().rfind(|header| header.is_mending()).map(|header| header.number);
        if let Some(mending) = mending.filter(|mending| *mending > self.position.segment()) {
            self.pass_damage(mending)?;
        }
        check_start(self.segments, &self.headers, self.position)?;
        loop {
            let number = self.position.segment();
            self.visited.insert(number);
            let successor = self.successor(number);
            if self.headers.get(&number).is_some_and(is_gap) {
                self.has_gaps = true;
                successor.ok_or_else(|| nothing_behind_gap(number))?;
            } else if number > 0 {
                if let Some(fault) = self.read_segment(number, successor)? {
                    return Ok(fault);
                }
                self.settle()?;
            }
            let Some(successor) = successor else {
                return Ok(Fault::Header);
            };
            self.position = SegmentHeader::first_frame(successor.number);
        }
    }

    /// Goes to the beginning of a segment past damage that was accepted, and takes what is whole before it.
    fn pass_damage(&mut self, mending: u32) -> Result<()> {
        // Something may be missing, as behind a gap.
        self.has_gaps = true;
        self.visited.extend(self.headers.range(..mending).map(|(number, _)| *number));
        let from = self.position;
        for number in self.segments.written_from(from.segment()).into_iter().filter(|number| *number < mending) {
            let first = SegmentHeader::first_frame(number);
            let begin = if number == from.segment() { from.max(first) } else { first };
            let Ok(file) = self.segments.open(number) else { continue };
            let Ok(end) = end_of(&file, self.successor(number)) else { continue };
            let mut scan = Scan::new(file, self.segments.store(), begin, end, RECOVERY_WINDOW_BYTES);
            while !scan.is_at_end() {
                let Ok(Ok(header)) = scan.header() else {
                    next_frame(&mut scan, end);
                    continue;
                };
                let is_whole = matches!(scan.payload(&header), Ok(Ok(_)));
                self.position = scan.position();
                scan.skip(&header);
                if is_whole {
                    self.take(&header, scan.position())?;
                }
            }
        }
        self.position = SegmentHeader::first_frame(mending);
        self.commit()
    }

    /// Goes on behind damage, to the end of all that can be read, and gives what it comes over.
    pub(super) fn beyond(&mut self, damage: String) -> Unindexed {
        let mut beyond = Unindexed { damage: Some(damage), ..self.uncommitted() };
        let from = self.position;
        for number in self.segments.written_from(from.segment()) {
            let first = SegmentHeader::first_frame(number);
            let begin = if number == from.segment() { from.max(first) } else { first };
            let Ok(file) = self.segments.open(number) else { continue };
            let Ok(end) = end_of(&file, self.successor(number)) else { continue };
            let mut scan = Scan::new(file, self.segments.store(), begin, end, RECOVERY_WINDOW_BYTES);
            let mut behind = begin;
            while !scan.is_at_end() {
                match scan.header() {
                    Ok(Ok(header)) => {
                        beyond.take(scan.position(), &header);
                        scan.skip(&header);
                        behind = scan.position();
                    }
                    _ => drop(next_frame(&mut scan, end)),
                }
            }
            self.position = behind.max(self.position);
        }
        beyond
    }

    /// What the walk came over since the last commit.
    fn uncommitted(&mut self) -> Unindexed {
        let entries = std::mem::take(&mut self.update.entries).into_iter();
        Unindexed {
            damage: None,
            entries: entries.map(|(name, location)| (name, Entry { location, is_copy: false })).collect(),
            roots: std::mem::take(&mut self.update.roots),
            damaged_blocks: std::mem::take(&mut self.damaged_blocks),
        }
    }

    /// The headers that the walk found.
    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Where the walk is.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Bytes of frames below.
    pub(super) fn log_bytes(&self) -> u64 {
        self.update.totals.log_bytes
    }

    /// Segments that the walk did not come through.
    pub(super) fn strangers(&self) -> Vec<u32> {
        self.headers.keys().filter(|number| !self.visited.contains(number)).copied().collect()
    }

    /// Makes durable what the walk came over since the last commit. What is not soon read again goes into the index; the rest is
    /// given to be kept in memory.
    pub(super) fn finish(&mut self) -> Result<Unindexed> {
        self.settle()?;
        Ok(self.uncommitted())
    }

    /// Makes durable what the walk came over, which must be done before it leaves a segment, and moves it to the index if it is much.
    fn settle(&mut self) -> Result<()> {
        if self.uncommitted_bytes > REREAD_BYTES_MAX || self.has_gaps {
            self.commit()
        } else if self.position != self.committed {
            self.sync()?;
            (self.progress)(self.bytes_done, self.bytes_total);
            Ok(())
        } else {
            Ok(())
        }
    }

    /// Makes durable what the walk came over since the last commit, and moves it to the index.
    pub(super) fn commit(&mut self) -> Result<()> {
        if self.position == self.committed {
            return Ok(());
        }
        self.sync()?;
        self.update.watermark = self.position;
        if self.has_gaps {
            self.update.whole_from = self.position;
        }
        self.index.apply(&self.update)?;
        self.update.entries.clear();
        self.update.roots.clear();
        self.committed = self.position;
        self.uncommitted_bytes = 0;
        (self.progress)(self.bytes_done, self.bytes_total);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.segments.open(self.position.segment())?.sync()
    }

    /// The segment that names this one as its predecessor. Of several, the newest: it was made when the others had been given
    /// up.
    fn successor(&self, number: u32) -> Option<SegmentHeader> {
        let mut valid = self.headers.range(number + 1..).filter_map(|(_, header)| *header);
        valid.rfind(|header| header.follows.segment() == number)
    }

    fn read_segment(&mut self, number: u32, successor: Option<SegmentHeader>) -> Result<Option<Fault>> {
        let file = self.segments.open(number)?;
        let end = end_of(&file, successor)?;
        check_reaches(&file, self.position.offset(), end)?;
        let mut scan = Scan::new(file, self.segments.store(), self.position, end, RECOVERY_WINDOW_BYTES);
        while !scan.is_at_end() {
            let header = match scan.header()? {
                Ok(header) => header,
                Err(fault) => return Ok(Some(fault)),
            };
            if let Err(fault) = scan.payload(&header)? {
                self.stopped_at = Some(header);
                return Ok(Some(fault));
            }
            scan.skip(&header);
            self.take(&header, scan.position())?;
        }
        Ok(None)
    }

    /// Goes on behind the frame at which the walk stopped, if it is a block of which only the content is damaged. The log must be known
    /// to go on there.
    pub(super) fn pass_damaged_block(&mut self, what: &str) -> Result<bool> {
        let Some(header) = self.stopped_at.take() else { return Ok(false) };
        let Subject::Block(name) = header.subject else { return Ok(false) };
        let next = Position::new(self.position.segment(), self.position.offset() + header.frame_bytes());
        self.take(&header, next)?;
        self.damaged_blocks.insert(name, what.to_owned());
        Ok(true)
    }

    fn take(&mut self, header: &FrameHeader, next: Position) -> Result<()> {
        let position = std::mem::replace(&mut self.position, next);
        self.bytes_done += header.frame_bytes() as u64;
        self.uncommitted_bytes += header.frame_bytes() as u64;
        self.update.totals.log_bytes += header.frame_bytes() as u64;
        match header.subject {
            Subject::Block(name) => {
                // What was damaged was written anew.
                self.damaged_blocks.remove(&name);
                let entry = entry(position, header);
                entry.add_to(&mut self.update.totals);
                self.update.entries.push((name, entry.location));
            }
            Subject::Record { kind: RecordKind::Root, stream, .. } => self.update.roots.push((stream, position)),
            Subject::Record { kind: RecordKind::Intent, .. } => {}
        }
        if self.update.entries.len() >= UNINDEXED_ENTRIES_MAX { self.commit() } else { Ok(()) }
    }
}

impl Unindexed {
    fn take(&mut self, position: Position, header: &FrameHeader) {
        match header.subject {
            Subject::Block(name) => self.entries.push((name, entry(position, header))),
            Subject::Record { kind: RecordKind::Root, stream, .. } => self.roots.push((stream, position)),
            Subject::Record { kind: RecordKind::Intent, .. } => {}
        }
    }
}

/// What the index says of a frame.
pub(crate) fn entry(position: Position, header: &FrameHeader) -> Entry {
    let has_links = header.link_count > 0;
    let data_bytes = if has_links { 0 } else { header.body_bytes };
    let location = Location { position, payload_bytes: header.payload_bytes, data_bytes, has_links };
    Entry { location, is_copy: false }
}

/// Whether a segment has a header that says that it is none any more.
fn is_gap(header: &Option<SegmentHeader>) -> bool {
    header.is_some_and(|header| header.is_gap())
}

fn nothing_behind_gap(number: u32) -> Error {
    Error::Corrupt { what: format!("what follows on the segments up to {number}, which were retired, is missing") }
}

fn headers_from(segments: &Segments, number: u32) -> Result<Headers> {
    segments.numbers_from(number).into_iter().map(|number| Ok((number, segments.header(number)?))).collect()
}

/// The index has seen the log durable up to its watermark, so the segment there must be whole.
fn check_start(segments: &Segments, headers: &Headers, watermark: Position) -> Result<()> {
    let number = watermark.segment();
    if number == 0 || headers.get(&number).is_some_and(|header| header.is_some()) {
        return Ok(());
    }
    segments.open(number)?;
    Err(Error::Corrupt {
        what: format!("segment {number} has no valid header, but the index knows the log up to {watermark}"),
    })
}

fn end_of(file: &Arc<SegmentFile>, successor: Option<SegmentHeader>) -> Result<u32> {
    match successor {
        Some(successor) => Ok(successor.follows.offset()),
        None => Ok(file.length()?.min(u32::MAX as u64) as u32),
    }
}

fn check_reaches(file: &SegmentFile, offset: u32, end: u32) -> Result<()> {
    if offset <= end {
        return Ok(());
    }
    Err(Error::Corrupt { what: format!("{} ends at {end}, but was durable up to {offset}", file.path) })
}
