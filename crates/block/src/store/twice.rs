//! Keeping twice what everything else hangs on: see `copies`.

use super::Store;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader};
use crate::{Name, Position};
use bytes::Bytes;

impl Store {
    /// Keeps some blocks twice from the next sync on, instead of those named before: the few through which all others are found.
    pub fn keep_twice(&self, names: Vec<Name>) {
        let mut twice = self.twice.lock();
        *twice = (twice.0 + 1, names);
    }

    /// Brings the copies to what is durable, if a root or a block of which there is one has changed.
    pub fn refresh_copies(&self) {
        let now = (self.roots.changes(), self.twice.lock().0);
        if *self.copied.lock() == now || self.closed.is_some() {
            return;
        }
        let named = self.twice.lock().1.clone();
        let durable = self.log.durable().position;
        let roots = self.roots.streams().into_iter().filter_map(|stream| self.roots.newest(stream));
        let blocks = named.iter().filter_map(|name| self.locate(name).ok().flatten()).map(|location| location.position);
        let mut wanted: Vec<Position> = roots.chain(blocks).collect();
        let is_all_durable = wanted.iter().all(|position| *position < durable);
        wanted.retain(|position| *position < durable);
        wanted.sort_unstable();
        wanted.dedup();
        if !self.copies.is_current(&wanted) {
            self.copies.write(&wanted, |position| self.frame_at(position));
        }
        if is_all_durable {
            *self.copied.lock() = now;
        }
    }

    /// A frame as it lies in the log, without the zeros behind it.
    fn frame_at(&self, position: Position) -> Option<Bytes> {
        let header: FrameHeader = self.segments.read_header_at(position).ok()?;
        let file = self.segments.open(position.segment()).ok()?;
        let bytes = FRAME_HEADER_BYTES + header.payload_bytes as usize;
        let frame = file.read(position.offset() as u64, bytes).ok()?;
        (frame.len() == bytes).then(|| frame.into())
    }
}
