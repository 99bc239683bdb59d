//! renameat2(2) with RENAME_WHITEOUT, as overlayfs uses it.

use crate::mounted::Mounted;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn a_whiteout_takes_the_old_name() {
    let mounted = Mounted::new();
    let (old, new) = (mounted.path("old"), mounted.path("new"));
    fs::write(&old, "content").unwrap();
    renameat_with(CWD, &old, CWD, &new, RenameFlags::WHITEOUT).unwrap();
    assert_eq!(fs::read(&new).unwrap(), b"content");
    let whiteout = fs::symlink_metadata(&old).unwrap();
    assert!(whiteout.file_type().is_char_device());
    assert_eq!((whiteout.rdev(), whiteout.mode() & 0o7777, whiteout.nlink()), (0, 0, 1));
    let refused = renameat_with(CWD, &new, CWD, &old, RenameFlags::WHITEOUT | RenameFlags::NOREPLACE);
    assert_eq!(refused, Err(Errno::EXIST));
    let refused = renameat_with(CWD, &new, CWD, &old, RenameFlags::WHITEOUT | RenameFlags::EXCHANGE);
    assert_eq!(refused, Err(Errno::INVAL));
    renameat_with(CWD, &new, CWD, &old, RenameFlags::WHITEOUT).unwrap();
    assert_eq!(fs::read(&old).unwrap(), b"content");
    assert!(fs::symlink_metadata(&new).unwrap().file_type().is_char_device());
}

#[test]
fn a_directory_leaves_a_whiteout_too_and_links_stay_right() {
    let mounted = Mounted::new();
    let (one, two) = (mounted.path("one"), mounted.path("two"));
    fs::create_dir_all(one.join("moved/below")).unwrap();
    fs::create_dir(&two).unwrap();
    renameat_with(CWD, one.join("moved"), CWD, two.join("moved"), RenameFlags::WHITEOUT).unwrap();
    let links = |path: &std::path::Path| fs::metadata(path).unwrap().nlink();
    assert_eq!((links(&one), links(&two)), (2, 3));
    assert!(two.join("moved/below").is_dir());
    fs::remove_file(one.join("moved")).unwrap();
    fs::remove_dir(&one).unwrap();
}
