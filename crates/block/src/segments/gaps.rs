//! Gaps: what is left of segments that were retired.
//!
//! A segment's end is stated in its successor alone, so a segment cannot just go. A gap takes its place: a file of 64 bytes that
//! says on what the segment followed. One gap stands for all retired segments between two that are there: it follows on the end
//! of the last segment before them, and the first one behind them follows on it. So the chain from the first segment to the head
//! is always whole, and a segment that is missing without a gap was lost.
//!
//! A gap's name says which segments it stands for. A crash may leave files of these: they are no part of the log, and go when the
//! store is opened.

use super::{Kind, SEGMENTS_FOLDER, Segments, gap_name};
use crate::layout;
use crate::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind};
use crate::{Error, Position, Result};
use std::io::{self, ErrorKind, IoSlice};

/// A gap while it is written.
const GAP_FILE_NEW: &str = "gap.new";

impl Segments {
    /// Takes a segment out of the log: neither recovery nor the index needs anything of it. It is not the last one.
    pub(crate) fn retire(&self, number: u32) -> Result<()> {
        let neighbours = self.with_gaps_around(number);
        let (Some((earliest, kind)), Some((last, _))) = (neighbours.first().copied(), neighbours.last().copied())
        else {
            return Ok(());
        };
        let header = self.header(earliest)?;
        let follows = header.ok_or_else(|| self.no_header(earliest))?.follows;
        let first = match kind {
            Kind::Written => earliest,
            Kind::Gap { first } => first,
        };
        layout::allow_gaps(&*self.disk, self.store)?;
        self.write_gap(first, last, follows)?;
        self.replace(&neighbours, first, last);
        self.finish_retiring();
        Ok(())
    }

    /// Removes the files of what gaps stand for. One that cannot be removed is no harm.
    pub(crate) fn finish_retiring(&self) {
        for name in std::mem::take(&mut *self.retired.lock()) {
            if let Err(error) = self.disk.remove(&name) {
                tracing::warn!(%error, place = %self.disk.place(), name, "a retired segment cannot be removed");
            }
        }
    }

    /// The segment, with the gaps right before and behind it, in order.
    fn with_gaps_around(&self, number: u32) -> Vec<(u32, Kind)> {
        let numbers = self.numbers.read();
        let copy = |(number, kind): (&u32, &Kind)| (*number, *kind);
        let is_gap = |entry: &(u32, Kind)| entry.1.is_gap();
        let mut around: Vec<_> = numbers.range(..number).rev().map(copy).take_while(is_gap).collect();
        around.reverse();
        around.extend(numbers.range(number..=number).map(copy));
        around.extend(numbers.range(number + 1..).map(copy).take_while(is_gap));
        around
    }

    /// Makes a gap, durably.
    fn write_gap(&self, first: u32, last: u32, follows: Position) -> Result<()> {
        let (store, durable) = (self.store, Position::START);
        let header = SegmentHeader { store, number: last, follows, durable, kind: SegmentKind::Gap }.encode();
        let (new, name) = (format!("{SEGMENTS_FOLDER}/{GAP_FILE_NEW}"), gap_name(first, last));
        let write = || -> io::Result<()> {
            match self.disk.remove(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = self.disk.create(&new, SEGMENT_HEADER_BYTES as u64)?;
            file.write_at(&[IoSlice::new(&header)], 0)?;
            file.sync()?;
            self.disk.rename(&new, &name)?;
            self.disk.sync_folder(SEGMENTS_FOLDER)
        };
        write().map_err(|source| Error::disk("write", &format!("{}/{name}", self.disk.place()), source))
    }

    /// A durable gap stands for some segments and gaps now.
    fn replace(&self, retired: &[(u32, Kind)], first: u32, last: u32) {
        let mut numbers = self.numbers.write();
        for (number, kind) in retired {
            numbers.remove(number);
            self.files.remove(number);
            self.retired.lock().push(kind.file_name(*number));
        }
        numbers.insert(last, Kind::Gap { first });
    }

    /// A gap's header, or `None` if it has no valid one.
    pub(super) fn read_gap(&self, first: u32, last: u32) -> Result<Option<SegmentHeader>> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let name = gap_name(first, last);
        let read = self.disk.open(&name).and_then(|file| file.read_at(&mut bytes, 0));
        let length = read.map_err(|source| Error::disk("read", &format!("{}/{name}", self.disk.place()), source))?;
        let header = SegmentHeader::decode(&bytes[..length], last, &self.disk.place())?;
        Ok(header.filter(|header| header.is_gap() && header.follows.segment() < first))
    }

    fn no_header(&self, number: u32) -> Error {
        Error::Corrupt { what: format!("segment {number} in {} has no valid header", self.folder()) }
    }
}
