//! A frame before it has a place: hashed, compressed and summed up outside any lock.

use super::codec::Codec;
use super::header::frame_bytes;
use super::{FRAME_ALIGNMENT_BYTES, FrameHeader, Subject};
use crate::checksum::{Salt, checksum};
use crate::limits::FRAME_BYTES_MAX;
use crate::pieces::PieceHashes;
use crate::{BODY_BYTES_MAX, Block, Compression, DiskFile, Error, LINKS_MAX, Name, Position, Record, Result};
use std::borrow::Cow;
use std::io::{self, IoSlice};
use zerocopy::IntoBytes;

const PADDING: [u8; FRAME_ALIGNMENT_BYTES] = [0; FRAME_ALIGNMENT_BYTES];

const _: () = assert!(FRAME_BYTES_MAX < u32::MAX as usize);

/// A frame that only lacks its position.
pub(crate) struct Draft<'a> {
    header: FrameHeader,
    links: &'a [Name],
    body: Cow<'a, [u8]>,
    /// What stands behind the body.
    hashes: Option<PieceHashes>,
}

impl<'a> Draft<'a> {
    /// A frame for a block. The hashes of its pieces, if it has such, go with a body that is stored raw.
    pub(crate) fn block(
        name: Name,
        block: &'a Block,
        hashes: Option<PieceHashes>,
        compression: Compression,
    ) -> Result<Self> {
        Self::new(Subject::Block(name), &block.links, &block.body, hashes, compression)
    }

    /// A frame for a record.
    pub(crate) fn record(record: &'a Record, compression: Compression) -> Result<Self> {
        let subject = Subject::Record { kind: record.kind, stream: record.stream, durable: Position::START };
        Self::new(subject, &record.links, &record.body, None, compression)
    }

    /// A frame for a block that is packed already.
    pub(crate) fn packed(header: FrameHeader, links: &'a [Name], stored: &'a [u8]) -> Self {
        Self { header, links, body: Cow::Borrowed(stored), hashes: None }
    }

    fn new(
        subject: Subject,
        links: &'a [Name],
        body: &'a [u8],
        hashes: Option<PieceHashes>,
        compression: Compression,
    ) -> Result<Self> {
        check_limits(links, body)?;
        let (codec, stored) = Codec::compress(body, compression);
        let (codec, hashes) = match (codec, hashes) {
            (Codec::Raw, Some(hashes)) => (Codec::RawWithHashes, Some(hashes)),
            _ => (codec, None),
        };
        let payload = [links.as_bytes(), &stored, bytes_of(&hashes)];
        let header = FrameHeader {
            subject,
            codec,
            payload_bytes: payload.iter().map(|part| part.len()).sum::<usize>() as u32,
            body_bytes: body.len() as u32,
            link_count: links.len() as u32,
            payload_checksum: checksum(&payload),
        };
        Ok(Self { header, links, body: stored, hashes })
    }

    /// The header, but for what is known only when the frame is written.
    pub(crate) fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Length of the frame in the log.
    pub(crate) fn frame_bytes(&self) -> u32 {
        frame_bytes(self.header.payload_bytes)
    }

    /// Writes the frame to its place. `durable` is the position below which everything is durable now.
    pub(crate) fn write(&self, file: &dyn DiskFile, salt: Salt, durable: Position) -> io::Result<()> {
        let header = self.header_at(durable).encode(salt);
        let padding = (self.frame_bytes() as usize - header.len()) - self.header.payload_bytes as usize;
        let slices = [
            IoSlice::new(&header),
            IoSlice::new(self.links.as_bytes()),
            IoSlice::new(&self.body),
            IoSlice::new(bytes_of(&self.hashes)),
            IoSlice::new(&PADDING[..padding]),
        ];
        file.write_at(&slices, salt.position.offset() as u64)
    }

    fn header_at(&self, durable: Position) -> FrameHeader {
        match self.header.subject {
            Subject::Block(_) => self.header,
            Subject::Record { kind, stream, .. } => {
                FrameHeader { subject: Subject::Record { kind, stream, durable }, ..self.header }
            }
        }
    }
}

fn bytes_of(hashes: &Option<PieceHashes>) -> &[u8] {
    hashes.as_ref().map_or(&[], PieceHashes::as_bytes)
}

fn check_limits(links: &[Name], body: &[u8]) -> Result<()> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::TooLarge { what: "the body of a block in bytes", limit: BODY_BYTES_MAX as u64 });
    }
    if links.len() > LINKS_MAX {
        return Err(Error::TooLarge { what: "the number of links of a block", limit: LINKS_MAX as u64 });
    }
    Ok(())
}
