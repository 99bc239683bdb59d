//! Reading a segment's frames one after another.

use crate::checksum::Salt;
use crate::frame::{FRAME_HEADER_BYTES, Fault, FrameHeader};
use crate::segment_file::SegmentFile;
use crate::{Position, Result, StoreId};
use std::sync::Arc;

/// What lies at a place: the thing looked for, or why it is not there. The disk's own errors stand apart.
pub(crate) type Found<T> = Result<std::result::Result<T, Fault>>;

/// A walk along the frames of one segment, up to an end that is known beforehand.
pub(crate) struct Scan {
    file: Arc<SegmentFile>,
    store: StoreId,
    offset: u32,
    end: u32,
    window: Window,
}

impl Scan {
    /// A walk from the frame at `from` to the offset `end`, which reads `window_bytes` at once.
    pub(crate) fn new(file: Arc<SegmentFile>, store: StoreId, from: Position, end: u32, window_bytes: usize) -> Self {
        Self { file, store, offset: from.offset(), end, window: Window::new(window_bytes) }
    }

    /// Where the walk is.
    pub(crate) fn position(&self) -> Position {
        Position::new(self.file.number, self.offset)
    }

    /// Whether the walk has reached its end.
    pub(crate) fn is_at_end(&self) -> bool {
        self.offset >= self.end
    }

    /// The header of the frame that the walk is at.
    pub(crate) fn header(&mut self) -> Found<FrameHeader> {
        let salt = Salt { store: self.store, position: self.position() };
        let bytes = self.window.read(&self.file, self.offset, FRAME_HEADER_BYTES)?;
        Ok(FrameHeader::decode(bytes, salt).and_then(|header| self.fit(header)))
    }

    /// The payload of the frame that the walk is at, verified.
    pub(crate) fn payload(&mut self, header: &FrameHeader) -> Found<&[u8]> {
        let offset = self.offset + FRAME_HEADER_BYTES as u32;
        let bytes = self.window.read(&self.file, offset, header.payload_bytes as usize)?;
        Ok(header.verify(bytes).map(|()| bytes))
    }

    /// Goes on to the next frame.
    pub(crate) fn skip(&mut self, header: &FrameHeader) {
        self.offset += header.frame_bytes();
    }

    /// Goes on by a number of bytes.
    pub(crate) fn skip_bytes(&mut self, bytes: u32) {
        self.offset += bytes;
    }

    fn fit(&self, header: FrameHeader) -> std::result::Result<FrameHeader, Fault> {
        let fits = header.frame_bytes() <= self.end.saturating_sub(self.offset);
        fits.then_some(header).ok_or(Fault::Overrun)
    }
}

/// A part of a file in memory.
pub(crate) struct Window {
    bytes: Vec<u8>,
    offset: u32,
    bytes_min: usize,
}

impl Window {
    /// An empty window that reads at least so much at once.
    pub(crate) fn new(bytes_min: usize) -> Self {
        Self { bytes: Vec::new(), offset: 0, bytes_min }
    }

    /// Bytes of a file; fewer than asked for only at its end.
    pub(crate) fn read(&mut self, file: &SegmentFile, offset: u32, bytes: usize) -> Result<&[u8]> {
        if self.rest(offset).is_none_or(|rest| rest.len() < bytes) {
            file.read_into(&mut self.bytes, offset as u64, bytes.max(self.bytes_min))?;
            self.offset = offset;
        }
        let rest = self.rest(offset).unwrap_or_default();
        Ok(&rest[..bytes.min(rest.len())])
    }

    fn rest(&self, offset: u32) -> Option<&[u8]> {
        self.bytes.get(offset.checked_sub(self.offset)? as usize..)
    }
}
