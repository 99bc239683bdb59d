//! Frames: the units of the log. A header of 64 bytes, then links, then the body as stored, then zeros up to a multiple of 8.
//!
//! Behind a long body that is stored raw stand the hashes of its pieces, so that a part of it can be read and verified alone.
//!
//! Invariants:
//! - A header that decodes describes a payload within the limits, and its parts add up.
//! - Links are never compressed: they can be read without the body.
//! - A stored body is never longer than the body, but for the hashes of its pieces.

mod codec;
mod draft;
mod fault;
mod header;

pub(crate) use codec::Codec;
pub(crate) use draft::Draft;
pub(crate) use fault::Fault;
pub(crate) use header::{FrameHeader, Subject, frame_bytes};

use crate::pieces::PieceHashes;
use crate::{Block, Name};
use bytes::Bytes;
use zerocopy::FromBytes;

/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 64;

/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGNMENT_BYTES: usize = 8;

/// What a frame carries.
#[derive(Debug)]
pub(crate) struct Content {
    /// Links and body, uncompressed.
    pub(crate) block: Block,
    /// The hashes that stand behind the body, not yet compared with it.
    stored_hashes: Option<Bytes>,
}

impl Content {
    /// Unpacks a payload that belongs to a header. The payload's checksum is verified first.
    pub(crate) fn unpack(header: &FrameHeader, payload: Bytes) -> Result<Self, Fault> {
        header.verify(&payload)?;
        let links_bytes = header.link_count as usize * Name::BYTES;
        let links = <[Name]>::ref_from_bytes(&payload[..links_bytes]).map_err(|_| Fault::Payload)?.to_vec();
        let (stored, body_bytes) = (payload.slice(links_bytes..), header.body_bytes as usize);
        let body = header.codec.decompress(stored.clone(), body_bytes)?;
        let stored_hashes = (header.codec == Codec::RawWithHashes).then(|| stored.slice(body_bytes..));
        Ok(Self { block: Block { links, body }, stored_hashes })
    }

    /// Compares the block with its name, and gives the hashes of its pieces if it has several and no links.
    pub(crate) fn verify(&self, name: &Name) -> Result<Option<PieceHashes>, Fault> {
        let (found, hashes) = PieceHashes::with_name(&self.block);
        if found == *name { Ok(hashes) } else { Err(Fault::Name) }
    }

    /// As [`Content::verify`], and compares the hashes behind the body with it, on which no reader relies.
    pub(crate) fn verify_all(&self, name: &Name) -> Result<(), Fault> {
        let hashes = self.verify(name)?;
        let is_stored = |stored: &Bytes| hashes.is_some_and(|hashes| hashes.as_bytes() == stored);
        if self.stored_hashes.as_ref().is_none_or(is_stored) { Ok(()) } else { Err(Fault::Pieces) }
    }
}

#[cfg(test)]
mod tests;
