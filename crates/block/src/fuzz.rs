//! Entry points for fuzzers. Checksums are made right first, so that the code behind them is reached.

use crate::checksum::{Salt, checksum};
use crate::frame::{Content, FRAME_HEADER_BYTES, FrameHeader};
use crate::segment_header::SegmentHeader;
use crate::{Position, StoreId, superblock};
use bytes::Bytes;

/// Where the payload's checksum lies in a frame's header.
const PAYLOAD_CHECKSUM_OFFSET: usize = 20;

/// Decodes bytes as a frame, as a superblock and as a segment header.
#[doc(hidden)]
pub fn fuzz_frame(bytes: &[u8]) {
    let salt = Salt { store: StoreId::from_bytes([0; 16]), position: Position::new(1, 64) };
    let _ = SegmentHeader::decode(bytes, 1, "");
    let _ = superblock::decode(bytes, "");
    let _ = FrameHeader::decode(bytes, salt);
    let Some((header, payload)) = bytes.split_at_checked(FRAME_HEADER_BYTES) else {
        return;
    };
    let header = with_checksums(header, payload, salt);
    if let Ok(header) = FrameHeader::decode(&header, salt) {
        let payload = payload.get(..header.payload_bytes as usize).unwrap_or(payload);
        let _ = Content::unpack(&header, Bytes::copy_from_slice(payload));
    }
}

fn with_checksums(header: &[u8], payload: &[u8], salt: Salt) -> Vec<u8> {
    let mut header = header.to_vec();
    header[..4].copy_from_slice(b"PnFr");
    header[4] = 1;
    header[PAYLOAD_CHECKSUM_OFFSET..PAYLOAD_CHECKSUM_OFFSET + 4].copy_from_slice(&checksum(&[payload]).to_le_bytes());
    let end = FRAME_HEADER_BYTES - 4;
    let sum = salt.checksum(&header[..end]).to_le_bytes();
    header[end..].copy_from_slice(&sum);
    header
}
