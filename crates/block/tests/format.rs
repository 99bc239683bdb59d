//! What older versions wrote stays readable: stores of each format lie in `tests/fixtures`, cut to what was written.
//!
//! An LZ4 library that compresses differently changes the bytes and not the format: the old fixture stays, a new one joins it.
//! `WRITE_FIXTURES=1 cargo test -p block --test format` writes the fixture of the present format, when there is a new one.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use blake3::Hasher;
use blake3::hazmat::HasherExt;
use block::{Block, Blocks, Compression, MemoryIndex, Position, RealDisk, Record, RecordKind};
use block::{Store, StoreId, StoreOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SEGMENT: &str = "0000000001.segment";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn options() -> StoreOptions {
    let id = Some(StoreId::from_bytes(*b"format 1 fixture"));
    StoreOptions { segment_bytes: 4096, compression: Compression::Lz4, id }
}

fn blocks() -> [Block; 3] {
    let raw = Block::data("a body that is stored as it is".into());
    let compressed = Block::data("again and ".repeat(100).into());
    let linked = Block { links: vec![raw.name(), compressed.name()], body: "a body with links".into() };
    [raw, compressed, linked]
}

fn records() -> [Record; 2] {
    let links = vec![blocks()[2].name()];
    [
        Record { kind: RecordKind::Intent, stream: 7, links: Vec::new(), body: "an intent".into() },
        Record { kind: RecordKind::Root, stream: 7, links, body: "a root".into() },
    ]
}

fn write(folder: &Path) -> Store {
    let disk = Arc::new(RealDisk::new(folder));
    let store = Store::create(disk, Box::new(MemoryIndex::default()), options()).unwrap();
    for block in blocks() {
        store.put(&block).unwrap();
    }
    store.sync().unwrap();
    for record in records() {
        store.append(&record).unwrap();
    }
    store.sync().unwrap();
    store
}

fn written_segment(folder: &Path, store: &Store) -> Vec<u8> {
    let mut bytes = fs::read(folder.join("segments").join(SEGMENT)).unwrap();
    bytes.truncate(store.position().offset() as usize);
    bytes
}

#[test]
fn a_store_of_format_1_is_readable() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("segments")).unwrap();
    fs::copy(fixture().join("store"), folder.path().join("store")).unwrap();
    fs::copy(fixture().join(SEGMENT), folder.path().join("segments").join(SEGMENT)).unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let store = Store::open(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
    assert_eq!(Some(store.id()), options().id);
    for block in blocks() {
        assert_eq!(store.get(&block.name()).unwrap(), block);
    }
    let mut found = Vec::new();
    let visit = &mut |stored: block::StoredRecord| {
        found.push(stored.record);
        Ok(())
    };
    store.records_from(Position::START, visit).unwrap();
    assert_eq!(found, records());
}

#[test]
fn what_is_written_is_format_1_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let store = write(folder.path());
    let (superblock, segment) =
        (fs::read(folder.path().join("store")).unwrap(), written_segment(folder.path(), &store));
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        fs::write(fixture().join("store"), &superblock).unwrap();
        fs::write(fixture().join(SEGMENT), &segment).unwrap();
    }
    assert_eq!(superblock, fs::read(fixture().join("store")).unwrap());
    assert_eq!(segment, fs::read(fixture().join(SEGMENT)).unwrap());
}

/// Where the first frame of a segment begins, bytes of its header, and where that says how the body is stored.
const FIRST_FRAME: usize = 64;
const HEADER_BYTES: usize = 64;
const CODEC: usize = 6;

#[test]
fn behind_a_long_raw_body_stand_the_hashes_of_its_pieces() {
    const PIECE_BYTES: usize = 16_384;
    let mut body = vec![0; 2 * PIECE_BYTES + 100];
    Hasher::new().finalize_xof().fill(&mut body);
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let options = StoreOptions { segment_bytes: 1 << 20, ..options() };
    let store = Store::create(disk, Box::new(MemoryIndex::default()), options).unwrap();
    store.put(&Block::data(body.clone().into())).unwrap();
    store.sync().unwrap();
    let hash = |(number, piece): (usize, &[u8])| {
        Hasher::new().set_input_offset((number * PIECE_BYTES) as u64).update(piece).finalize_non_root()
    };
    let hashes: Vec<u8> = body.chunks(PIECE_BYTES).enumerate().flat_map(hash).collect();
    let payload = [body, hashes].concat();
    let segment = written_segment(folder.path(), &store);
    assert_eq!(segment[FIRST_FRAME + CODEC], 3);
    assert_eq!(segment[FIRST_FRAME + HEADER_BYTES..][..payload.len()], payload);
}
