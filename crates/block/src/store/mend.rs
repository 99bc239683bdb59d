//! Going on behind the damage of a log.
//!
//! A mending segment follows on the last place of the log that can be read, and its header says that what lies before it is
//! damaged and was accepted. From the next opening on, what is whole before it is taken as it comes (`recovery/walk.rs`), and what
//! lies behind it is a log as any other. No byte that was there is changed or removed.

use super::{Damage, Store};
use crate::layout;
use crate::limits::{SCAN_WINDOW_BYTES, SEGMENT_BYTES_MIN};
use crate::segment_header::{SegmentHeader, SegmentKind};
use crate::{Position, Result};

impl Store {
    /// Lets the log go on behind all damage in it, from the next opening on: what lies in the damaged places is given up. That also
    /// holds for places below the index's watermark, which only an index that is made anew comes past.
    ///
    /// A crash at any moment leaves the log damaged, or mended. This store takes no writes even then.
    pub fn mend(&self) -> Result<()> {
        layout::allow_mends(&*self.disk, self.id())?;
        // Frames that the mended log will count as durable.
        for number in self.segments.written_from(0) {
            match self.segments.open(number) {
                Ok(file) => file.sync()?,
                Err(error) => tracing::warn!(%error, "a segment cannot be opened, and is given up"),
            }
        }
        let header = SegmentHeader {
            store: self.id(),
            number: self.unused_number(),
            follows: self.last_place(),
            durable: Position::START,
            kind: SegmentKind::Mending,
        };
        let bytes = self.log.segment_bytes();
        let (file, _) = self.with_reserve(|| self.segments.create(&header, bytes, SEGMENT_BYTES_MIN.min(bytes)))?;
        file.sync()?;
        self.segments.sync_names()
    }

    /// Stretches of the log that cannot be read, from where the index does not reach on.
    pub fn damages_behind_index(&self) -> Result<Vec<Damage>> {
        let mut damages = Vec::new();
        let mut next = Some(self.indexed.watermark());
        while let Some(from) = next {
            next = self.verify(from, SCAN_WINDOW_BYTES as u64, &mut |damage| damages.push(damage))?.next;
        }
        Ok(damages)
    }

    /// A number above each that anything knows of, also of segments that are lost.
    fn unused_number(&self) -> u32 {
        let there = self.segments.numbers_from(0).last().copied().unwrap_or(0);
        let known = [self.indexed.watermark(), self.copies.durable(), self.log.head().position];
        known.into_iter().map(Position::segment).fold(there, u32::max) + 1
    }

    /// The end of what can be read in the last segment.
    fn last_place(&self) -> Position {
        let head = self.log.head().position;
        let last = self.segments.written_from(0).last().copied().unwrap_or(0);
        if head.segment() == last { head } else { SegmentHeader::first_frame(last) }
    }
}
