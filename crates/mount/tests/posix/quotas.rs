//! A volume's quota, as programs inside meet it.

use crate::mounted::Mounted;
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, statvfs};
use rustix::io::Errno;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;

const MIB: u64 = 1 << 20;

#[track_caller]
fn errno<T>(result: std::io::Result<T>) -> Errno {
    Errno::from_io_error(&result.err().expect("it is refused")).expect("an errno")
}

#[test]
fn a_full_quota_stops_growth_and_nothing_else() {
    let mounted = Mounted::new();
    mounted.set("quota", "4M");
    let file = mounted.file("file", &vec![1; 3 * MIB as usize]);
    let other = mounted.file("other", b"");
    let refused = (&other).write_all(&vec![2; 2 * MIB as usize]);
    assert_eq!(errno(refused), Errno::DQUOT);
    let filled = other.metadata().unwrap().len();
    fs::write(mounted.path("rest"), vec![3; (MIB - filled) as usize - 64 * 1024]).unwrap();
    assert_eq!(errno(other.write_all_at(&[4; 128 * 1024], filled)), Errno::DQUOT);
    file.write_all_at(&vec![5; 3 * MIB as usize], 0).unwrap();
    let copied = copy_file_range(&file, Some(&mut 0), &other, Some(&mut 0), MIB as usize);
    assert_eq!(copied, Err(Errno::DQUOT));
    mounted.set("quota", "1M");
    assert_eq!(errno(fs::File::create(mounted.path("new"))), Errno::DQUOT);
    assert_eq!(errno(fs::create_dir(mounted.path("new"))), Errno::DQUOT);
    assert_eq!(errno(std::os::unix::fs::symlink("target", mounted.path("new"))), Errno::DQUOT);
    file.write_all_at(b"what is there may change", MIB).unwrap();
    fs::rename(mounted.path("rest"), mounted.path("renamed")).unwrap();
    fs::remove_file(mounted.path("renamed")).unwrap();
    file.set_len(0).unwrap();
    other.set_len(0).unwrap();
    fs::write(mounted.path("new"), "there is room again").unwrap();
    mounted.set("quota", "none");
    file.write_all_at(&vec![6; 5 * MIB as usize], 0).unwrap();
}

#[test]
fn statfs_shows_the_quota_to_those_inside() {
    let mounted = Mounted::new();
    let space = || {
        let statvfs = statvfs(mounted.top()).unwrap();
        (statvfs.f_blocks * statvfs.f_frsize, statvfs.f_bavail * statvfs.f_frsize)
    };
    let (whole, _) = space();
    mounted.set("quota", "64M");
    fs::write(mounted.path("file"), vec![1; 16 * MIB as usize]).unwrap();
    let (total, free) = space();
    assert_eq!(total, 64 * MIB);
    assert!(free <= 48 * MIB && free > 47 * MIB, "{free}");
    mounted.set("quota", "10M");
    assert_eq!(space(), (10 * MIB, 0));
    mounted.set("quota", "none");
    assert_eq!(space().0, whole);
}

#[test]
fn sizes_without_content_need_no_room() {
    let mounted = Mounted::new();
    mounted.set("quota", "1M");
    let file = mounted.file("sparse", b"");
    file.set_len(1 << 50).unwrap();
    file.write_all_at(b"some", 1 << 49).unwrap();
    fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, 1 << 50).unwrap();
    assert_eq!(errno(file.write_all_at(&vec![1; 2 * MIB as usize], 0)), Errno::DQUOT);
}
