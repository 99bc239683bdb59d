//! What the kernel's FUSE client decides by itself, as `docs/posix.md` lists it. A failure here means that the kernel has changed:
//! then the call can be served, and the list gets shorter.

use crate::mounted::Mounted;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, IFlags, StatxAttributes, StatxFlags, fallocate, ioctl_ficlone, ioctl_setflags, statx,
};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::Write;

#[test]
fn ranges_cannot_be_taken_out_put_in_or_unshared() {
    let mounted = Mounted::new();
    let file = mounted.file("file", &[1; 16384]);
    let modes = [
        FallocateFlags::COLLAPSE_RANGE,
        FallocateFlags::INSERT_RANGE,
        FallocateFlags::UNSHARE_RANGE,
        FallocateFlags::UNSHARE_RANGE | FallocateFlags::KEEP_SIZE,
    ];
    for mode in modes {
        assert_eq!(fallocate(&file, mode, 4096, 4096), Err(Errno::OPNOTSUPP), "{mode:?} reaches a file system now");
    }
    assert_eq!(fs::read(mounted.path("file")).unwrap(), [1; 16384]);
}

#[test]
fn files_are_cloned_by_copy_file_range_alone() {
    let mounted = Mounted::new();
    let (from, to) = (mounted.file("from", b"content"), mounted.file("to", b""));
    assert_eq!(ioctl_ficlone(&to, &from), Err(Errno::OPNOTSUPP));
}

#[test]
fn an_immutable_file_opens_for_writing_and_takes_none() {
    let mounted = Mounted::new();
    let path = mounted.path("file");
    let file = mounted.file("file", b"content");
    ioctl_setflags(&file, IFlags::IMMUTABLE).unwrap();
    let mut opened = File::options().write(true).open(&path).expect("no OPEN reaches the file system");
    assert!(opened.write_all(b"x").is_err());
    let shown = statx(CWD, &path, AtFlags::empty(), StatxFlags::BASIC_STATS).unwrap();
    assert!(!shown.stx_attributes.contains(StatxAttributes::IMMUTABLE), "the kernel passes the flags on now");
    ioctl_setflags(&file, IFlags::empty()).unwrap();
}
