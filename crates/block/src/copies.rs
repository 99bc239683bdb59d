//! Second copies of what everything else hangs on: the newest root record of each stream, and blocks that the layer above names.
//!
//! They lie in the file `copies`, outside of the segments, frame by frame as in the log, each behind its position there. So each frame
//! verifies itself. The file is written anew, aside, whenever one of them has changed and is durable in the log.
//!
//! Invariants:
//! - A copy is written after its original is durable: it also proves that the log was durable up to there.
//! - A copy that cannot be written keeps nobody from syncing. Then the one before stays, and is older than the log says.

use crate::checksum::Salt;
use crate::frame::{Content, FRAME_HEADER_BYTES, FrameHeader, Subject};
use crate::limits::COPIES_BYTES_MAX;
use crate::{Block, Disk, Name, Position, Record, RecordKind, StoreId, StoredRecord};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

/// The file.
pub(crate) const COPIES_FILE: &str = "copies";

/// The file while it is written.
const COPIES_FILE_NEW: &str = "copies.new";

/// The position and the length before each frame.
const ENTRY_HEADER_BYTES: usize = 12;

/// The copies of one store.
pub(crate) struct Copies {
    disk: Arc<dyn Disk>,
    store: StoreId,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The frames, as they are in the file.
    frames: BTreeMap<Position, Bytes>,
    roots: BTreeMap<u64, Position>,
    blocks: BTreeMap<Name, Position>,
    /// Whether writing failed the last time.
    is_stale: bool,
}

impl Copies {
    /// Those of a store. What is damaged of them is left out.
    pub(crate) fn read(disk: Arc<dyn Disk>, store: StoreId) -> Self {
        let mut state = State::default();
        let mut bytes = Bytes::from(read_file(&*disk).unwrap_or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!(%error, "the copies of the roots cannot be read");
            }
            Vec::new()
        }));
        while let Some((position, frame, rest)) = split_entry(&bytes) {
            state.add(store, position, frame);
            bytes = rest;
        }
        Self { disk, store, state: Mutex::new(state) }
    }

    /// Up to where the log was durable, as the copies prove.
    pub(crate) fn durable(&self) -> Position {
        let state = self.state.lock();
        let end = |(position, frame): (&Position, &Bytes)| position.after((frame.len() as u32).next_multiple_of(8));
        state.frames.iter().next_back().map_or(Position::START, end)
    }

    /// The root record that lies at a position of the log.
    pub(crate) fn root(&self, stream: u64, position: Position) -> Option<StoredRecord> {
        let state = self.state.lock();
        if state.roots.get(&stream) != Some(&position) {
            return None;
        }
        let (_, Content { block: Block { links, body }, .. }) =
            unpack(self.store, position, state.frames.get(&position)?)?;
        Some(StoredRecord { position, record: Record { kind: RecordKind::Root, stream, links, body } })
    }

    /// The roots of which there is a copy.
    pub(crate) fn roots(&self) -> Vec<(u64, Position)> {
        self.state.lock().roots.iter().map(|(stream, position)| (*stream, *position)).collect()
    }

    /// A block.
    pub(crate) fn block(&self, name: &Name) -> Option<Block> {
        let state = self.state.lock();
        let position = state.blocks.get(name)?;
        unpack(self.store, *position, state.frames.get(position)?).map(|(_, content)| content.block)
    }

    /// Whether these and no others lie where they are in the log.
    pub(crate) fn is_current(&self, wanted: &[Position]) -> bool {
        let state = self.state.lock();
        !state.is_stale && state.frames.len() == wanted.len() && state.frames.keys().eq(wanted)
    }

    /// Brings the file to these frames, in the order of their positions; `read` gets one that is not in it. One that cannot be read, or
    /// is more than there is room for, is left out.
    pub(crate) fn write(&self, wanted: &[Position], read: impl Fn(Position) -> Option<Bytes>) {
        let mut state = self.state.lock();
        let mut next = State::default();
        let mut bytes = 0;
        for position in wanted {
            let known = state.frames.get(position).cloned();
            let Some(frame) = known.or_else(|| read(*position)) else { continue };
            bytes += ENTRY_HEADER_BYTES + frame.len();
            if bytes <= COPIES_BYTES_MAX {
                next.add(self.store, *position, frame);
            }
        }
        match write_file(&*self.disk, &next.frames) {
            Ok(()) => *state = next,
            Err(error) => {
                tracing::warn!(%error, "the copies of the roots cannot be written; those before stay");
                state.is_stale = true;
            }
        }
    }
}

impl State {
    fn add(&mut self, store: StoreId, position: Position, frame: Bytes) {
        let Some((header, content)) = unpack(store, position, &frame) else { return };
        match header.subject {
            Subject::Block(name) if content.verify(&name).is_ok() => {
                self.blocks.insert(name, position);
            }
            Subject::Record { kind: RecordKind::Root, stream, .. } => {
                self.roots.insert(stream, position);
            }
            _ => return,
        }
        self.frames.insert(position, frame);
    }
}

fn unpack(store: StoreId, position: Position, frame: &Bytes) -> Option<(FrameHeader, Content)> {
    let header = FrameHeader::decode(frame, Salt { store, position }).ok()?;
    let payload = frame.slice(FRAME_HEADER_BYTES..);
    let content = Content::unpack(&header, payload).ok()?;
    Some((header, content))
}

/// The first entry of some bytes: the position, the frame without the zeros behind it, and what follows.
fn split_entry(bytes: &Bytes) -> Option<(Position, Bytes, Bytes)> {
    let (header, _) = bytes.split_first_chunk::<ENTRY_HEADER_BYTES>()?;
    let (position, length) = header.split_first_chunk::<8>()?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let end =
        ENTRY_HEADER_BYTES.checked_add(length).filter(|end| *end <= bytes.len() && length >= FRAME_HEADER_BYTES)?;
    let position = Position::from_u64(u64::from_le_bytes(*position));
    Some((position, bytes.slice(ENTRY_HEADER_BYTES..end), bytes.slice(end..)))
}

fn read_file(disk: &dyn Disk) -> io::Result<Vec<u8>> {
    let file = disk.open(COPIES_FILE)?;
    let mut bytes = vec![0; file.length()?.min(COPIES_BYTES_MAX as u64) as usize];
    let length = file.read_at(&mut bytes, 0)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Written aside and renamed, so that the file is whole: the one before, or this one.
fn write_file(disk: &dyn Disk, frames: &BTreeMap<Position, Bytes>) -> io::Result<()> {
    let mut bytes = Vec::new();
    for (position, frame) in frames {
        bytes.extend_from_slice(&position.to_u64().to_le_bytes());
        bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        bytes.extend_from_slice(frame);
    }
    match disk.remove(COPIES_FILE_NEW) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(COPIES_FILE_NEW, bytes.len() as u64)?;
    file.write_at(&[IoSlice::new(&bytes)], 0)?;
    file.sync()?;
    disk.rename(COPIES_FILE_NEW, COPIES_FILE)?;
    disk.sync_folder("")
}
