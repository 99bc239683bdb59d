//! The header of a segment.
//!
//! It names the position that the segment follows on: where its predecessor ended. A segment is sealed by its successor's
//! header and by nothing else, so sealing is one write, and a torn tail is cut off by opening a new segment behind it.

use crate::checksum::Salt;
use crate::superblock::{FORMAT_VERSION, FORMAT_VERSION_WITH_GAPS, FORMAT_VERSION_WITH_MENDS, check_version};
use crate::{Position, Result, StoreId};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a segment's header. The first frame follows it.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;

/// What a header stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentKind {
    /// Frames that follow on those of the segment before.
    Frames,
    /// Nothing: what is left of segments that were retired.
    Gap,
    /// Frames behind damage that was accepted: the log before this segment is not whole.
    Mending,
}

impl SegmentKind {
    const ALL: [Self; 3] = [Self::Frames, Self::Gap, Self::Mending];

    fn magic(self) -> [u8; 8] {
        match self {
            Self::Frames => *b"PnSegmt\0",
            Self::Gap => *b"PnGap\0\0\0",
            Self::Mending => *b"PnMend\0\0",
        }
    }

    fn version(self) -> u32 {
        match self {
            Self::Frames => FORMAT_VERSION,
            Self::Gap => FORMAT_VERSION_WITH_GAPS,
            Self::Mending => FORMAT_VERSION_WITH_MENDS,
        }
    }
}

const CHECKED_BYTES: usize = SEGMENT_HEADER_BYTES - 4;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawSegmentHeader {
    magic: [u8; 8],
    version: U32,
    number: U32,
    store: [u8; StoreId::BYTES],
    follows: U64,
    durable: U64,
    reserved: [u8; 12],
    checksum: U32,
}

const _: () = assert!(size_of::<RawSegmentHeader>() == SEGMENT_HEADER_BYTES);

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The store that the segment belongs to.
    pub(crate) store: StoreId,
    /// The segment's number.
    pub(crate) number: u32,
    /// Where the predecessor ends; [`Position::START`] for the first segment.
    pub(crate) follows: Position,
    /// Everything below was durable when the segment was made.
    pub(crate) durable: Position,
    /// What it stands before.
    pub(crate) kind: SegmentKind,
}

impl SegmentHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut raw = RawSegmentHeader {
            magic: self.kind.magic(),
            version: self.kind.version().into(),
            number: self.number.into(),
            store: *self.store.as_bytes(),
            follows: self.follows.to_u64().into(),
            durable: self.durable.to_u64().into(),
            reserved: [0; 12],
            checksum: 0.into(),
        };
        raw.checksum = salt(self.store, self.number).checksum(&raw.as_bytes()[..CHECKED_BYTES]).into();
        bytes_of(&raw)
    }

    /// The header of the segment with this number; `None` if the bytes are none. `place` is for the message of
    /// [`crate::Error::NewerVersion`].
    pub(crate) fn decode(bytes: &[u8], number: u32, place: &str) -> Result<Option<Self>> {
        let Ok((raw, _)) = RawSegmentHeader::read_from_prefix(bytes) else {
            return Ok(None);
        };
        let store = StoreId::from_bytes(raw.store);
        let sum = salt(store, number).checksum(&bytes[..CHECKED_BYTES]);
        let kind = SegmentKind::ALL.into_iter().find(|kind| kind.magic() == raw.magic);
        let Some(kind) = kind.filter(|_| raw.checksum.get() == sum && raw.number.get() == number) else {
            return Ok(None);
        };
        check_version(raw.version.get(), place)?;
        Ok(Some(Self {
            store,
            number,
            follows: Position::from_u64(raw.follows.get()),
            durable: Position::from_u64(raw.durable.get()),
            kind,
        }))
    }

    /// Whether this is a gap.
    pub(crate) fn is_gap(&self) -> bool {
        self.kind == SegmentKind::Gap
    }

    /// Whether damage before this segment was accepted.
    pub(crate) fn is_mending(&self) -> bool {
        self.kind == SegmentKind::Mending
    }

    /// Where the segment's first frame begins.
    pub(crate) fn first_frame(number: u32) -> Position {
        Position::new(number, SEGMENT_HEADER_BYTES as u32)
    }
}

fn salt(store: StoreId, number: u32) -> Salt {
    Salt { store, position: Position::new(number, 0) }
}

fn bytes_of(raw: &RawSegmentHeader) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes.copy_from_slice(raw.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        let store = StoreId::from_bytes([3; 16]);
        SegmentHeader {
            store,
            number: 7,
            follows: Position::new(6, 640),
            durable: Position::new(5, 64),
            kind: SegmentKind::Frames,
        }
    }

    #[test]
    fn a_segment_header_decodes_to_what_was_encoded() {
        for kind in SegmentKind::ALL {
            let header = SegmentHeader { kind, ..header() };
            assert_eq!(SegmentHeader::decode(&header.encode(), 7, "").expect("this version"), Some(header));
        }
    }

    #[test]
    fn a_segment_under_another_number_is_not_taken() {
        assert_eq!(SegmentHeader::decode(&header().encode(), 8, "").expect("this version"), None);
    }

    #[test]
    fn every_flipped_byte_of_a_segment_header_is_noticed() {
        for position in 0..SEGMENT_HEADER_BYTES {
            let mut bytes = header().encode();
            bytes[position] ^= 1;
            assert_eq!(SegmentHeader::decode(&bytes, 7, "").expect("no version"), None, "byte {position}");
        }
    }
}
