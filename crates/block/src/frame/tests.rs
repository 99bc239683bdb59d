//! Frames as bytes: what is written is read, and nothing else is.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use super::header::{CHECKED_BYTES, RawHeader};
use super::*;
use crate::checksum::Salt;
use crate::pieces::PIECE_BYTES;
use crate::{Block, Compression, DiskFile, Position, Record, RecordKind, StoreId};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::io::{self, IoSlice};
use zerocopy::{FromBytes, IntoBytes};

/// A file that takes one write.
#[derive(Default)]
struct Paper(Mutex<Vec<u8>>);

impl DiskFile for Paper {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], _: u64) -> io::Result<()> {
        slices.iter().for_each(|slice| self.0.lock().extend_from_slice(slice));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn salt() -> Salt {
    Salt { store: StoreId::from_bytes([7; 16]), position: Position::new(3, 128) }
}

fn bytes_of(draft: &Draft<'_>) -> Vec<u8> {
    let paper = Paper::default();
    draft.write(&paper, salt(), Position::new(2, 64)).unwrap();
    assert_eq!(paper.length().unwrap(), draft.frame_bytes() as u64);
    paper.0.into_inner()
}

fn block_bytes(block: &Block) -> Vec<u8> {
    let (name, hashes) = PieceHashes::with_name(block);
    bytes_of(&Draft::block(name, block, hashes, Compression::Lz4).unwrap())
}

/// The header and the content, as a reader that trusts nothing takes them.
fn decode(bytes: &[u8], salt: Salt) -> Result<(FrameHeader, Content), Fault> {
    let header = FrameHeader::decode(bytes, salt)?;
    let end = FRAME_HEADER_BYTES + header.payload_bytes as usize;
    let payload = bytes.get(FRAME_HEADER_BYTES..end).ok_or(Fault::Overrun)?;
    let content = Content::unpack(&header, Bytes::copy_from_slice(payload))?;
    Ok((header, content))
}

fn sample() -> Block {
    Block { links: vec![Name::from_bytes([1; 32]), Name::from_bytes([2; 32])], body: vec![9; 500].into() }
}

#[test]
fn a_record_comes_back_with_the_position_that_was_durable() {
    let record = Record { kind: RecordKind::Root, stream: 77, links: sample().links, body: "state".into() };
    let (header, content) = decode(&bytes_of(&Draft::record(&record, Compression::Lz4).unwrap()), salt()).unwrap();
    let durable = Position::new(2, 64);
    assert_eq!(header.subject, Subject::Record { kind: RecordKind::Root, stream: 77, durable });
    assert_eq!(content.block, Block { links: record.links, body: record.body });
}

#[test]
fn every_flipped_bit_of_a_frame_is_noticed() {
    let bytes = block_bytes(&sample());
    let header = FrameHeader::decode(&bytes, salt()).unwrap();
    for position in 0..FRAME_HEADER_BYTES + header.payload_bytes as usize {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1 << bit;
            assert!(decode(&bytes, salt()).is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn a_frame_at_another_place_or_of_another_store_is_none() {
    let bytes = block_bytes(&sample());
    let elsewhere = Salt { position: Position::new(3, 136), ..salt() };
    let other_store = Salt { store: StoreId::from_bytes([8; 16]), ..salt() };
    assert_eq!(FrameHeader::decode(&bytes, elsewhere), Err(Fault::Header));
    assert_eq!(FrameHeader::decode(&bytes, other_store), Err(Fault::Header));
}

#[test]
fn a_frame_of_a_newer_version_is_named_as_such() {
    for (offset, value) in [(4, 2), (5, 9), (6, 2), (7, 1)] {
        let mut bytes = block_bytes(&sample());
        bytes[offset] = value;
        let sum = salt().checksum(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..FRAME_HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(FrameHeader::decode(&bytes, salt()), Err(Fault::Unsupported(_))), "byte {offset}");
    }
}

#[test]
fn lengths_that_do_not_add_up_are_refused_whatever_the_checksum_says() {
    let cases: [fn(&mut RawHeader); 5] = [
        |raw| raw.payload_bytes.set(u32::MAX),
        |raw| raw.body_bytes.set(u32::MAX),
        |raw| raw.link_count.set(u32::MAX),
        |raw| raw.link_count.set(1 << 14),
        |raw| raw.body_bytes.set(3),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let mut bytes = block_bytes(&sample());
        let (raw, _) = RawHeader::mut_from_prefix(&mut bytes).unwrap();
        change(raw);
        raw.header_checksum = salt().checksum(&raw.as_bytes()[..CHECKED_BYTES]).into();
        assert!(FrameHeader::decode(&bytes, salt()).is_err(), "case {number}");
    }
}

fn incompressible(bytes: usize) -> Bytes {
    let mut body = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut body);
    body.into()
}

#[test]
fn only_a_long_raw_body_without_links_has_hashes_behind_it() {
    let codec = |block: &Block| {
        let (header, content) = decode(&block_bytes(block), salt()).unwrap();
        assert_eq!(content.block, *block);
        assert!(content.verify(&block.name()).is_ok());
        header.codec
    };
    let long = incompressible(PIECE_BYTES + 1);
    assert_eq!(codec(&Block::data(long.clone())), Codec::RawWithHashes);
    assert_eq!(codec(&Block::data(incompressible(PIECE_BYTES))), Codec::Raw);
    assert_eq!(codec(&Block { links: sample().links, body: long.clone() }), Codec::Raw);
    assert_eq!(codec(&Block::data(vec![7; PIECE_BYTES + 1].into())), Codec::Lz4);
    let record = Record { kind: RecordKind::Intent, stream: 7, links: Vec::new(), body: long };
    let bytes = bytes_of(&Draft::record(&record, Compression::Lz4).unwrap());
    assert_eq!(decode(&bytes, salt()).unwrap().0.codec, Codec::Raw);
}

#[test]
fn hashes_are_refused_where_none_can_stand() {
    let with_hashes = |block: &Block, change: fn(&mut RawHeader)| {
        let mut bytes = block_bytes(block);
        let (raw, _) = RawHeader::mut_from_prefix(&mut bytes).unwrap();
        (raw.codec, raw.header_checksum) = (Codec::RawWithHashes.number(), 0.into());
        change(raw);
        raw.header_checksum = salt().checksum(&raw.as_bytes()[..CHECKED_BYTES]).into();
        FrameHeader::decode(&bytes, salt())
    };
    let long = Block::data(incompressible(3 * PIECE_BYTES));
    assert!(with_hashes(&long, |_| {}).is_ok());
    assert!(with_hashes(&long, |raw| raw.body_bytes.set(raw.body_bytes.get() + 1)).is_err(), "other lengths");
    assert!(with_hashes(&long, |raw| raw.body_bytes = raw.payload_bytes).is_err(), "no hashes");
    assert!(with_hashes(&long, |raw| raw.kind = 2).is_err(), "a record");
    assert!(with_hashes(&long, |raw| raw.link_count = 1.into()).is_err(), "links");
    assert!(with_hashes(&Block::data(incompressible(100)), |_| {}).is_err(), "a single piece");
}

proptest! {
    #[test]
    fn a_block_comes_back_as_it_was(
        links in proptest::collection::vec(any::<[u8; 32]>(), 0..20),
        body in proptest::collection::vec(0_u8..20, 0..3000),
    ) {
        let links = links.into_iter().map(Name::from_bytes).collect();
        let block = Block { links, body: body.into() };
        let (header, content) = decode(&block_bytes(&block), salt()).unwrap();
        prop_assert_eq!(header.subject, Subject::Block(block.name()));
        prop_assert!(header.payload_bytes as usize <= block.links.len() * 32 + block.body.len());
        prop_assert_eq!(content.block, block);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        crate::fuzz_frame(&bytes);
    }
}
