//! chattr(1): what immutable and append-only forbid, to root too, and how the flags are kept.

use crate::mounted::Mounted;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, IFlags, Mode, OFlags, RenameFlags, UTIME_NOW, UTIME_OMIT, XattrFlags, fallocate,
    ioctl_getflags, ioctl_setflags, linkat, open, renameat_with, setxattr, utimensat,
};
use rustix::io::Errno;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// `linux/fs.h`: `_IOR('v', 1, long)`
const FS_IOC_GETVERSION: libc::c_ulong = 0x8008_7601;

fn set(path: &Path, flags: IFlags) {
    ioctl_setflags(File::open(path).unwrap(), flags).unwrap();
}

fn flags(path: &Path) -> IFlags {
    ioctl_getflags(File::open(path).unwrap()).unwrap()
}

/// The errno that a call of the standard library failed with.
#[track_caller]
fn errno<T>(result: std::io::Result<T>) -> Errno {
    Errno::from_io_error(&result.err().expect("it is refused")).expect("an errno")
}

#[test]
fn nothing_of_an_immutable_file_changes() {
    let mounted = Mounted::new();
    let (path, other) = (mounted.path("file"), mounted.path("other"));
    let file = mounted.file("file", b"content");
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    set(&path, IFlags::IMMUTABLE);
    assert_eq!(errno(file.write_all_at(b"x", 0)), Errno::PERM);
    assert_eq!(errno(file.set_len(3)), Errno::PERM);
    assert_eq!(errno(File::create(&path)), Errno::PERM);
    assert_eq!(fallocate(&file, FallocateFlags::empty(), 0, 10), Err(Errno::PERM));
    assert_eq!(errno(fs::set_permissions(&path, Permissions::from_mode(0o600))), Errno::PERM);
    assert_eq!(errno(fs::remove_file(&path)), Errno::PERM);
    assert_eq!(errno(fs::rename(&path, &other)), Errno::PERM);
    assert_eq!(errno(fs::hard_link(&path, &other)), Errno::PERM);
    assert_eq!(setxattr(&path, "user.name", b"value", XattrFlags::empty()), Err(Errno::PERM));
    fs::write(&other, "other").unwrap();
    assert_eq!(errno(fs::rename(&other, &path)), Errno::PERM);
    assert_eq!(renameat_with(CWD, &other, CWD, &path, RenameFlags::EXCHANGE), Err(Errno::PERM));
    assert_eq!(
        (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()),
        (b"content".to_vec(), mtime)
    );
    set(&path, IFlags::empty());
    fs::write(&path, "changed").unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn an_append_only_file_grows_at_its_end_and_nowhere_else() {
    let mounted = Mounted::new();
    let path = mounted.path("log");
    let file = mounted.file("log", b"one\n");
    set(&path, IFlags::APPEND);
    File::options().append(true).open(&path).unwrap().write_all(b"two\n").unwrap();
    assert_eq!(errno(file.write_all_at(b"x", 0)), Errno::PERM);
    assert_eq!(errno(file.set_len(0)), Errno::PERM);
    assert_eq!(errno(fs::remove_file(&path)), Errno::PERM);
    assert_eq!(errno(fs::rename(&path, mounted.path("log.1"))), Errno::PERM);
    let set_times = |accessed, modified| {
        let time = |tv_nsec| rustix::fs::Timespec { tv_sec: 0, tv_nsec };
        let times = rustix::fs::Timestamps { last_access: time(accessed), last_modification: time(modified) };
        utimensat(CWD, &path, &times, AtFlags::empty())
    };
    set_times(UTIME_NOW, UTIME_NOW).unwrap();
    assert_eq!(set_times(UTIME_NOW, UTIME_OMIT), Err(Errno::PERM));
    assert_eq!(set_times(UTIME_OMIT, UTIME_NOW), Err(Errno::PERM));
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    set(&path, IFlags::empty());
    fs::remove_file(&path).unwrap();
}

#[test]
fn an_immutable_directory_keeps_its_names_and_an_append_only_one_gets_more() {
    let mounted = Mounted::new();
    let directory = mounted.path("directory");
    let inside = directory.join("inside");
    fs::create_dir(&directory).unwrap();
    fs::write(&inside, "content").unwrap();
    set(&directory, IFlags::APPEND);
    fs::write(directory.join("more"), "").unwrap();
    assert_eq!(errno(fs::remove_file(&inside)), Errno::PERM);
    assert_eq!(errno(fs::rename(&inside, directory.join("other"))), Errno::PERM);
    set(&directory, IFlags::IMMUTABLE);
    assert_eq!(errno(fs::write(directory.join("third"), "")), Errno::PERM);
    assert_eq!(errno(fs::create_dir(directory.join("third"))), Errno::PERM);
    assert_eq!(errno(fs::remove_file(&inside)), Errno::PERM);
    assert_eq!(linkat(CWD, &inside, CWD, directory.join("third"), AtFlags::empty()), Err(Errno::PERM));
    let unnamed = open(&directory, OFlags::TMPFILE | OFlags::RDWR, Mode::RWXU);
    assert_eq!(unnamed.map(drop), Err(Errno::PERM));
    fs::write(&inside, "what is in it may change").unwrap();
    set(&directory, IFlags::empty());
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn flags_stay_are_inherited_and_unknown_ones_refused() {
    let mut mounted = Mounted::new();
    let directory = mounted.path("directory");
    fs::create_dir(&directory).unwrap();
    set(&directory, IFlags::NODUMP | IFlags::NOATIME | IFlags::APPEND);
    fs::write(directory.join("file"), "").unwrap();
    mounted.volume().checkpoint().unwrap();
    mounted.remount();
    assert_eq!(flags(&directory), IFlags::NODUMP | IFlags::NOATIME | IFlags::APPEND);
    assert_eq!(flags(&directory.join("file")), IFlags::NODUMP | IFlags::NOATIME);
    let file = File::open(directory.join("file")).unwrap();
    assert_eq!(ioctl_setflags(&file, IFlags::COMPRESSED), Err(Errno::OPNOTSUPP));
    assert_eq!(flags(&directory.join("file")), IFlags::NODUMP | IFlags::NOATIME);
}

/// The kernel keeps the old time until it is told, a moment after the call has returned.
#[test]
fn setting_flags_shows_as_a_change_of_the_inode() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("directory")).unwrap();
    mounted.file("file", b"");
    for path in [mounted.path("file"), mounted.path("directory")] {
        for flags in [IFlags::NODUMP, IFlags::empty()] {
            let changed = || fs::metadata(&path).map(|metadata| (metadata.ctime(), metadata.ctime_nsec())).unwrap();
            let (before, start) = (changed(), Instant::now());
            set(&path, flags);
            while changed() == before {
                assert!(start.elapsed() < PATIENCE, "{} never shows it", path.display());
                std::thread::yield_now();
            }
        }
    }
}

/// As NFS servers and `lsattr -v` ask for it.
#[test]
fn an_inode_has_a_generation() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"");
    let version = || {
        let mut version: libc::c_int = 0;
        // SAFETY: the descriptor is open, and the kernel writes an int to a place that lives.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_GETVERSION, &raw mut version) };
        (result, version)
    };
    assert_eq!(version(), (0, 1));
}

#[test]
fn an_attribute_that_has_to_be_there_and_not_to_be_there_is_set_by_nobody() {
    let mounted = Mounted::new();
    mounted.file("file", b"");
    let set = |flags| setxattr(mounted.path("file"), "user.name", b"value", flags);
    let both = XattrFlags::CREATE | XattrFlags::REPLACE;
    assert_eq!(set(both), Err(Errno::NODATA));
    set(XattrFlags::CREATE).unwrap();
    assert_eq!(set(both), Err(Errno::EXIST));
}
