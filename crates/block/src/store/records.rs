//! Reading records.

use super::{Damage, Store, verify};
use crate::frame::{Content, Fault, FrameHeader, Subject};
use crate::limits::{FRAME_BYTES_MAX, SCAN_WINDOW_BYTES};
use crate::scan::Scan;
use crate::segment_header::SegmentHeader;
use crate::{Block, Error, Position, Record, RecordKind, Result, StoredRecord};
use bytes::Bytes;

impl Store {
    /// The newest root of a stream. Durable after the next sync, as any record; a crash may take it back to the one before.
    pub fn latest_root(&self, stream: u64) -> Result<Option<StoredRecord>> {
        let read = |position| match self.read_root(position) {
            Err(error) if super::damage::is_damage(&error) => match self.copies.root(stream, position) {
                Some(copy) => {
                    tracing::error!(stream, %error, "a root is damaged; its copy is used");
                    Ok(copy)
                }
                None => Err(error),
            },
            read => read,
        };
        self.roots.newest(stream).map(read).transpose()
    }

    /// Where the newest root of a stream lies.
    pub fn latest_root_position(&self, stream: u64) -> Option<Position> {
        self.roots.newest(stream)
    }

    /// The streams that have a root, in order.
    pub fn streams(&self) -> Vec<u64> {
        self.roots.streams()
    }

    /// Shows the records from a position on, in the log's order, up to where the log ended when the call began. `from` is
    /// [`Position::START`], a record's position, or what [`Store::position`] gave. An error of `visit` ends it.
    pub fn records_from(&self, from: Position, visit: &mut dyn FnMut(StoredRecord) -> Result<()>) -> Result<()> {
        let head = self.log.settled();
        let mut position = if from == Position::START { self.after(0)? } else { from };
        while position < head {
            let number = position.segment();
            let end = if number == head.segment() { head.offset() } else { self.sealed_end(number)? };
            self.visit_records(self.scan(position, end)?, visit)?;
            position = if number == head.segment() { head } else { self.after(number)? };
        }
        Ok(())
    }

    /// As [`Store::records_from`], past damage: `lost` is told of each stretch that cannot be read, and of what it held as far as
    /// that can be told.
    pub fn records_past_damage(
        &self,
        from: Position,
        visit: &mut dyn FnMut(StoredRecord) -> Result<()>,
        lost: &mut dyn FnMut(Damage),
    ) -> Result<()> {
        let head = self.log.settled();
        for number in self.segments.written_from(from.segment()) {
            let first = SegmentHeader::first_frame(number);
            let begin = if number == from.segment() { from.max(first) } else { first };
            let end = if number == head.segment() { head.offset() } else { self.segment_end(number) };
            match self.scan(begin, end) {
                Ok(scan) => visit_past_damage(scan, end, visit, lost)?,
                Err(error) => lost(verify::unknown(begin, end.saturating_sub(begin.offset()), error.to_string())),
            }
        }
        self.missing_segments(from, head).into_iter().for_each(lost);
        Ok(())
    }

    /// Segments that should be there and are not: those that nothing follows on, or that follow on none that is there.
    fn missing_segments(&self, from: Position, head: Position) -> Vec<Damage> {
        let numbers = self.segments.written_from(from.segment());
        let lacks = |number: &u32| *number != head.segment() && self.sealed_end(*number).is_err();
        let behind = |number: u32| {
            let what = missing_successor(number).to_string();
            verify::unknown(Position::new(number + 1, 0), 0, what)
        };
        numbers.into_iter().filter(lacks).map(behind).collect()
    }

    fn read_root(&self, position: Position) -> Result<StoredRecord> {
        let mut scan = self.scan(position, position.offset() + FRAME_BYTES_MAX as u32)?;
        let header = scan.header()?.map_err(|fault| corrupt(position, fault))?;
        match read_record(&mut scan, &header)? {
            Some(stored) if stored.record.kind == RecordKind::Root => Ok(stored),
            _ => Err(Error::Corrupt {
                what: format!("segment {} at {}: a root is missing", position.segment(), position.offset()),
            }),
        }
    }

    fn visit_records(&self, mut scan: Scan, visit: &mut dyn FnMut(StoredRecord) -> Result<()>) -> Result<()> {
        while !scan.is_at_end() {
            let header = scan.header()?.map_err(|fault| corrupt(scan.position(), fault))?;
            if let Some(stored) = read_record(&mut scan, &header)? {
                visit(stored)?;
            }
            scan.skip(&header);
        }
        Ok(())
    }

    fn scan(&self, from: Position, end: u32) -> Result<Scan> {
        Ok(Scan::new(self.segments.open(from.segment())?, self.id(), from, end, SCAN_WINDOW_BYTES))
    }

    /// The first frame behind a segment.
    fn after(&self, number: u32) -> Result<Position> {
        let next = self.segments.written_behind(number).ok_or_else(|| missing_successor(number))?;
        Ok(SegmentHeader::first_frame(next))
    }

    /// Where a segment ends that is not the last.
    pub(crate) fn sealed_end(&self, number: u32) -> Result<u32> {
        let successor = self.segments.successor(number).ok_or_else(|| missing_successor(number))?;
        match self.segments.header(successor)? {
            Some(header) if header.follows.segment() == number => Ok(header.follows.offset()),
            _ => Err(missing_successor(number)),
        }
    }
}

fn visit_past_damage(
    mut scan: Scan,
    end: u32,
    visit: &mut dyn FnMut(StoredRecord) -> Result<()>,
    lost: &mut dyn FnMut(Damage),
) -> Result<()> {
    while !scan.is_at_end() {
        let position = scan.position();
        match scan.header() {
            Ok(Ok(header)) => {
                match read_record(&mut scan, &header) {
                    Ok(Some(stored)) => visit(stored)?,
                    Ok(None) => {}
                    Err(error) => {
                        let (bytes, what) = (header.frame_bytes(), error.to_string());
                        lost(Damage { position, bytes, subject: verify::subject(&header), what });
                    }
                }
                scan.skip(&header);
            }
            failed => {
                let what = failed.map_or_else(|error| error.to_string(), |_| Fault::Header.to_string());
                let next = verify::next_frame(&mut scan, end);
                lost(verify::unknown(position, next - position.offset(), what));
            }
        }
    }
    Ok(())
}

/// The record of the frame that a scan is at; `None` if it is a block.
fn read_record(scan: &mut Scan, header: &FrameHeader) -> Result<Option<StoredRecord>> {
    let Subject::Record { kind, stream, .. } = header.subject else {
        return Ok(None);
    };
    let position = scan.position();
    let payload = scan.payload(header)?.map(Bytes::copy_from_slice);
    let content = payload.and_then(|payload| Content::unpack(header, payload));
    let Block { links, body } = content.map_err(|fault| corrupt(position, fault))?.block;
    Ok(Some(StoredRecord { position, record: Record { kind, stream, links, body } }))
}

fn corrupt(position: Position, fault: Fault) -> Error {
    Error::Corrupt { what: format!("segment {} at {}: {fault}", position.segment(), position.offset()) }
}

fn missing_successor(number: u32) -> Error {
    Error::Corrupt { what: format!("the segment that follows on segment {number} is missing or damaged") }
}
