//! copy_file_range(2).

use crate::mounted::Mounted;
use rustix::fs::copy_file_range;
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    sim::Random::new(seed).bytes(length)
}

/// Copies all of it, as cp(1) does.
fn copy(from: &File, mut from_at: u64, to: &File, mut to_at: u64, length: usize) -> usize {
    let mut done = 0;
    while done < length {
        match copy_file_range(from, Some(&mut from_at), to, Some(&mut to_at), length - done).unwrap() {
            0 => break,
            bytes => done += bytes,
        }
    }
    done
}

#[test]
fn a_copy_refers_to_the_data_of_its_source_and_takes_no_space() {
    const PIECE: usize = 1 << 20;
    const DOUBLINGS: u32 = 13;
    let mounted = Mounted::new();
    let file = mounted.file("file", &bytes(PIECE, 1));
    mounted.volume().sync().unwrap();
    let stored_before = mounted.pool.store().statistics().log_bytes;
    for doubling in 0..DOUBLINGS {
        let length = PIECE << doubling;
        assert_eq!(copy(&file, 0, &file, length as u64, length), length);
    }
    mounted.pool.checkpoint().unwrap();
    let size = (PIECE as u64) << DOUBLINGS;
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.len(), metadata.blocks()), (size, size / 512));
    let stored = mounted.pool.store().statistics().log_bytes - stored_before;
    assert!(stored < size / 100, "{stored} bytes for a copy of {size}");
    let mut end = vec![0; PIECE];
    file.read_exact_at(&mut end, size - PIECE as u64).unwrap();
    assert_eq!(end, bytes(PIECE, 1));
}

#[test]
fn writing_to_either_side_of_a_copy_leaves_the_other_as_it_was() {
    let mounted = Mounted::new();
    let content = bytes(300_000, 2);
    let (source, copied) = (mounted.file("source", &content), mounted.file("copy", b""));
    assert_eq!(copy(&source, 0, &copied, 0, content.len()), content.len());
    source.write_all_at(b"changed in the source", 1000).unwrap();
    source.write_all_at(b"and at its end", content.len() as u64).unwrap();
    copied.write_all_at(b"changed in the copy", 200_000).unwrap();
    let mut expected = content.clone();
    expected[200_000..200_019].copy_from_slice(b"changed in the copy");
    assert!(fs::read(mounted.path("copy")).unwrap() == expected);
    let mut expected = content;
    expected[1000..1021].copy_from_slice(b"changed in the source");
    expected.extend_from_slice(b"and at its end");
    assert!(fs::read(mounted.path("source")).unwrap() == expected);
}

/// What the page cache holds of the target counts no more, and what it holds of the source counts.
#[test]
fn a_copy_between_any_two_offsets_shows_at_once_and_after_a_remount() {
    let mut mounted = Mounted::new();
    let (source, old) = (bytes(400_001, 3), bytes(500_000, 4));
    let from = mounted.file("source", &source);
    let to = mounted.file("target", &old);
    assert!(fs::read(mounted.path("target")).unwrap() == old);
    let (from_at, to_at, length) = (77_777, 133_333, 300_000);
    assert_eq!(copy(&from, from_at, &to, to_at, length), length);
    let mut expected = old;
    expected[to_at as usize..to_at as usize + length]
        .copy_from_slice(&source[from_at as usize..from_at as usize + length]);
    assert!(fs::read(mounted.path("target")).unwrap() == expected);
    drop((from, to));
    mounted.remount();
    assert!(fs::read(mounted.path("target")).unwrap() == expected);
}

#[test]
fn small_files_holes_and_ends_are_copied_as_they_are() {
    let mounted = Mounted::new();
    let small = mounted.file("small", b"few bytes");
    let target = mounted.file("target", b"0123456789");
    assert_eq!(copy(&small, 4, &target, 8, 100), 5);
    assert_eq!(fs::read(mounted.path("target")).unwrap(), b"01234567bytes");
    let sparse = mounted.file("sparse", b"");
    sparse.set_len(1 << 40).unwrap();
    sparse.write_all_at(b"end", (1 << 40) - 3).unwrap();
    let copied = mounted.file("copy", b"");
    assert_eq!(copy(&sparse, 0, &copied, 0, 1 << 41), 1 << 40);
    assert_eq!(copied.metadata().unwrap().blocks(), 1);
    assert_eq!(copy(&sparse, 1 << 40, &copied, 0, 10), 0);
}

#[test]
fn what_cannot_be_copied_is_refused_as_on_ext4() {
    let mounted = Mounted::new();
    let file = mounted.file("file", &bytes(300_000, 5));
    let overlapping = copy_file_range(&file, Some(&mut 0), &file, Some(&mut 100_000), 200_000);
    assert_eq!(overlapping, Err(Errno::INVAL));
    let read_only = File::open(mounted.path("file")).unwrap();
    assert_eq!(copy_file_range(&file, None, &read_only, None, 1), Err(Errno::BADF));
    let directory = File::open(mounted.top()).unwrap();
    assert_eq!(copy_file_range(&directory, None, &file, None, 1), Err(Errno::ISDIR));
    let behind_the_last_offset = copy_file_range(&file, Some(&mut 0), &file, Some(&mut (i64::MAX as u64)), 1);
    assert_eq!(behind_the_last_offset, Err(Errno::FBIG));
}
