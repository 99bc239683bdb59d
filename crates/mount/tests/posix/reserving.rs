//! fallocate(2): what is set aside shows in st_blocks and in the quota, and is a hole to SEEK_DATA, as on ext4.

use crate::mounted::Mounted;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

const MIB: u64 = 1 << 20;

/// Size, and bytes that are taken.
fn sizes(file: &File) -> (u64, u64) {
    let metadata = file.metadata().unwrap();
    (metadata.len(), metadata.blocks() * 512)
}

#[test]
fn space_that_is_set_aside_counts_and_stays_what_it_is_when_written_to() {
    let mut mounted = Mounted::new();
    let file = mounted.file("file", b"");
    fallocate(&file, FallocateFlags::empty(), 0, 4 * MIB).unwrap();
    assert_eq!(sizes(&file), (4 * MIB, 4 * MIB));
    assert_eq!(seek(&file, SeekFrom::Data(0)), Err(Errno::NXIO));
    file.write_all_at(&[1; 300_000], MIB).unwrap();
    assert_eq!(sizes(&file), (4 * MIB, 4 * MIB));
    assert_eq!(seek(&file, SeekFrom::Data(0)), Ok(MIB));
    fallocate(&file, FallocateFlags::KEEP_SIZE, 4 * MIB, MIB).unwrap();
    assert_eq!(sizes(&file), (4 * MIB, 5 * MIB));
    mounted.volume().checkpoint().unwrap();
    drop(file);
    mounted.remount();
    let file = File::options().read(true).write(true).open(mounted.path("file")).unwrap();
    assert_eq!(sizes(&file), (4 * MIB, 5 * MIB));
    file.write_all_at(&[2; MIB as usize], 4 * MIB).unwrap();
    assert_eq!(sizes(&file), (5 * MIB, 5 * MIB));
    let mut read = vec![9; 100];
    file.read_exact_at(&mut read, 10).unwrap();
    assert_eq!(read, [0; 100]);
}

#[test]
fn punching_frees_zeroing_keeps_and_truncating_frees() {
    let mounted = Mounted::new();
    let file = mounted.file("file", &[1; 2 * MIB as usize]);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, FallocateFlags::ZERO_RANGE, MIB, 2 * MIB).unwrap();
    assert_eq!(sizes(&file), (3 * MIB, 3 * MIB));
    assert_eq!(seek(&file, SeekFrom::Hole(0)), Ok(MIB));
    assert_eq!(fs::read(mounted.path("file")).unwrap(), [vec![1; MIB as usize], vec![0; 2 * MIB as usize]].concat());
    fallocate(&file, punch, MIB / 2, MIB).unwrap();
    assert_eq!(sizes(&file), (3 * MIB, 2 * MIB));
    fallocate(&file, FallocateFlags::KEEP_SIZE, 3 * MIB, MIB).unwrap();
    assert_eq!(sizes(&file), (3 * MIB, 3 * MIB));
    file.set_len(3 * MIB).unwrap();
    assert_eq!(sizes(&file), (3 * MIB, 2 * MIB));
    file.set_len(MIB / 4).unwrap();
    assert_eq!(sizes(&file), (MIB / 4, MIB / 4));
    file.set_len(0).unwrap();
    assert_eq!(sizes(&file), (0, 0));
}

#[test]
fn more_than_there_is_is_refused_and_changes_nothing() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"");
    assert_eq!(fallocate(&file, FallocateFlags::empty(), 0, 1 << 62), Err(Errno::NOSPC));
    mounted.set("quota", "8M");
    assert_eq!(fallocate(&file, FallocateFlags::empty(), 0, 9 * MIB), Err(Errno::DQUOT));
    assert_eq!(sizes(&file), (0, 0));
    fallocate(&file, FallocateFlags::empty(), 0, 7 * MIB).unwrap();
    assert!(File::create(mounted.path("other")).unwrap().write_all_at(&[1; 2 * MIB as usize], 0).is_err());
    file.write_all_at(&[1; 7 * MIB as usize], 0).unwrap();
    fs::remove_file(mounted.path("file")).unwrap();
}

#[test]
fn many_holes_in_what_is_set_aside_are_counted_right() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"");
    fallocate(&file, FallocateFlags::empty(), 0, 16 * MIB).unwrap();
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for number in 0..600 {
        fallocate(&file, punch, number * 16384 + 4096, 4096).unwrap();
    }
    let (inode, _) = mounted.volume().lookup(volume::Inode::ROOT, b"file").unwrap();
    let (_, allocated) = sizes(&file);
    assert_eq!(allocated, mounted.volume().count_allocated(inode).unwrap());
    assert!(allocated > 6 * MIB && allocated < 14 * MIB, "some of the ranges are given up: {allocated}");
}
