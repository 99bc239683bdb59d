//! The header of a frame, byte by byte as in `docs/format.md`.

use super::codec::Codec;
use super::{FRAME_ALIGNMENT_BYTES, FRAME_HEADER_BYTES, Fault};
use crate::checksum::{Salt, checksum};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::pieces::PieceHashes;
use crate::{BODY_BYTES_MAX, LINKS_MAX, Name, Position, RecordKind};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(super) const MAGIC: [u8; 4] = *b"PnFr";
const VERSION: u8 = 1;

const KIND_BLOCK: u8 = 1;
const KIND_INTENT: u8 = 2;
const KIND_ROOT: u8 = 3;

/// Bytes of a header that its checksum covers: all before it.
pub(super) const CHECKED_BYTES: usize = FRAME_HEADER_BYTES - 4;

/// The header on disk.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RawHeader {
    pub(super) magic: [u8; 4],
    pub(super) version: u8,
    pub(super) kind: u8,
    pub(super) codec: u8,
    pub(super) flags: u8,
    pub(super) payload_bytes: U32,
    pub(super) body_bytes: U32,
    pub(super) link_count: U32,
    pub(super) payload_checksum: U32,
    pub(super) subject: [u8; 32],
    pub(super) reserved: U32,
    pub(super) header_checksum: U32,
}

/// The subject of a record's frame.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawRecord {
    stream: U64,
    durable: U64,
    reserved: [u8; 16],
}

const _: () = assert!(size_of::<RawHeader>() == FRAME_HEADER_BYTES);
const _: () = assert!(size_of::<RawRecord>() == Name::BYTES);

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The block with this name.
    Block(Name),
    /// A record.
    Record {
        /// What it says.
        kind: RecordKind,
        /// Whose it is.
        stream: u64,
        /// Everything below was durable when the record was written.
        durable: Position,
    },
}

/// A frame's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// What the frame is about.
    pub(crate) subject: Subject,
    /// How the body is stored.
    pub(crate) codec: Codec,
    /// Length of links and stored body, with the hashes of its pieces.
    pub(crate) payload_bytes: u32,
    /// Length of the body, uncompressed.
    pub(crate) body_bytes: u32,
    /// Number of links.
    pub(crate) link_count: u32,
    /// CRC-32C of the payload.
    pub(crate) payload_checksum: u32,
}

impl FrameHeader {
    /// The header's bytes for a place in the log.
    pub(crate) fn encode(&self, salt: Salt) -> [u8; FRAME_HEADER_BYTES] {
        let (kind, subject) = encode_subject(&self.subject);
        let mut raw = RawHeader {
            magic: MAGIC,
            version: VERSION,
            kind,
            codec: self.codec.number(),
            flags: 0,
            payload_bytes: self.payload_bytes.into(),
            body_bytes: self.body_bytes.into(),
            link_count: self.link_count.into(),
            payload_checksum: self.payload_checksum.into(),
            subject,
            reserved: 0.into(),
            header_checksum: 0.into(),
        };
        raw.header_checksum = salt.checksum(&raw.as_bytes()[..CHECKED_BYTES]).into();
        bytes_of(&raw)
    }

    /// The header in the first bytes of a slice, if it was written for this place in the log.
    pub(crate) fn decode(bytes: &[u8], salt: Salt) -> Result<Self, Fault> {
        let (raw, _) = RawHeader::read_from_prefix(bytes).map_err(|_| Fault::Header)?;
        if raw.magic != MAGIC || raw.header_checksum.get() != salt.checksum(&bytes[..CHECKED_BYTES]) {
            return Err(Fault::Header);
        }
        if raw.version != VERSION {
            return Err(Fault::Unsupported("version"));
        }
        if raw.flags != 0 || raw.reserved.get() != 0 {
            return Err(Fault::Unsupported("flag"));
        }
        let header = Self {
            subject: decode_subject(raw.kind, &raw.subject)?,
            codec: Codec::from_number(raw.codec)?,
            payload_bytes: raw.payload_bytes.get(),
            body_bytes: raw.body_bytes.get(),
            link_count: raw.link_count.get(),
            payload_checksum: raw.payload_checksum.get(),
        };
        header.adds_up().then_some(header).ok_or(Fault::Unsupported("length"))
    }

    /// Whether the payload is the one that the header was written for.
    pub(crate) fn verify(&self, payload: &[u8]) -> Result<(), Fault> {
        if payload.len() != self.payload_bytes as usize || checksum(&[payload]) != self.payload_checksum {
            return Err(Fault::Payload);
        }
        Ok(())
    }

    /// Length of the whole frame in the log.
    pub(crate) fn frame_bytes(&self) -> u32 {
        frame_bytes(self.payload_bytes)
    }

    /// Whether lengths and numbers fit one another and are within the limits.
    pub(crate) fn adds_up(&self) -> bool {
        let links_bytes = self.link_count as usize * Name::BYTES;
        let payload_bytes = self.payload_bytes as usize;
        let body_bytes = self.body_bytes as usize;
        let within = self.link_count as usize <= LINKS_MAX
            && body_bytes <= BODY_BYTES_MAX
            && (links_bytes..=PAYLOAD_BYTES_MAX).contains(&payload_bytes);
        within
            && match self.codec {
                Codec::Raw => payload_bytes - links_bytes == body_bytes,
                Codec::Lz4 => payload_bytes - links_bytes < body_bytes,
                Codec::RawWithHashes => {
                    let is_data = matches!(self.subject, Subject::Block(_)) && self.link_count == 0;
                    let hashes_bytes = PieceHashes::bytes_of(body_bytes);
                    is_data && hashes_bytes > 0 && payload_bytes == body_bytes + hashes_bytes
                }
            }
    }
}

/// Length of a frame with a payload of some length.
pub(crate) fn frame_bytes(payload_bytes: u32) -> u32 {
    (FRAME_HEADER_BYTES as u32 + payload_bytes).next_multiple_of(FRAME_ALIGNMENT_BYTES as u32)
}

fn encode_subject(subject: &Subject) -> (u8, [u8; 32]) {
    match *subject {
        Subject::Block(name) => (KIND_BLOCK, *name.as_bytes()),
        Subject::Record { kind, stream, durable } => {
            let kind = match kind {
                RecordKind::Intent => KIND_INTENT,
                RecordKind::Root => KIND_ROOT,
            };
            let raw = RawRecord { stream: stream.into(), durable: durable.to_u64().into(), reserved: [0; 16] };
            (kind, bytes_of(&raw))
        }
    }
}

fn decode_subject(kind: u8, bytes: &[u8; 32]) -> Result<Subject, Fault> {
    let kind = match kind {
        KIND_BLOCK => return Ok(Subject::Block(Name::from_bytes(*bytes))),
        KIND_INTENT => RecordKind::Intent,
        KIND_ROOT => RecordKind::Root,
        _ => return Err(Fault::Unsupported("kind")),
    };
    let raw = RawRecord::read_from_bytes(bytes).map_err(|_| Fault::Header)?;
    if raw.reserved != [0; 16] {
        return Err(Fault::Unsupported("record field"));
    }
    Ok(Subject::Record { kind, stream: raw.stream.get(), durable: Position::from_u64(raw.durable.get()) })
}

fn bytes_of<const BYTES: usize>(raw: &(impl IntoBytes + Immutable)) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes.copy_from_slice(raw.as_bytes());
    bytes
}
