//! Frames: the units of the log. A header of 64 bytes, then links, then the body as stored, then zeros up to a multiple of 8.
//!
//! Invariants:
//! - A header that decodes describes a payload within the limits, and its parts add up.
//! - Links are never compressed: they can be read without the body.
//! - A stored body is never longer than the body.

mod codec;
mod draft;
mod fault;
mod header;

pub(crate) use codec::Codec;
pub(crate) use draft::Draft;
pub(crate) use fault::Fault;
pub(crate) use header::{FrameHeader, Subject, frame_bytes};

use crate::Name;
use bytes::Bytes;
use zerocopy::FromBytes;

/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 64;

/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGNMENT_BYTES: usize = 8;

/// What a frame carries.
#[derive(Debug)]
pub(crate) struct Content {
    /// The links.
    pub(crate) links: Vec<Name>,
    /// The body, uncompressed.
    pub(crate) body: Bytes,
}

impl Content {
    /// Unpacks a payload that belongs to a header. The payload's checksum is verified first.
    pub(crate) fn unpack(header: &FrameHeader, payload: Bytes) -> Result<Self, Fault> {
        header.verify(&payload)?;
        let links_bytes = header.link_count as usize * Name::BYTES;
        let links = <[Name]>::ref_from_bytes(&payload[..links_bytes]).map_err(|_| Fault::Payload)?.to_vec();
        let body = header.codec.decompress(payload.slice(links_bytes..), header.body_bytes as usize)?;
        Ok(Self { links, body })
    }
}

#[cfg(test)]
mod tests;
