//! Names and links at their limits.

use crate::mounted::Mounted;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, open, openat, statx};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};

/// What POSIX asks of ext4: LINK_MAX.
const LINKS: u64 = 65_000;

#[test]
fn a_file_has_65000_names_and_more() {
    let mounted = Mounted::new();
    let first = mounted.path("0");
    fs::write(&first, "content").unwrap();
    for number in 1..LINKS + 10 {
        fs::hard_link(&first, mounted.path(&number.to_string())).unwrap();
    }
    assert_eq!(fs::metadata(&first).unwrap().nlink(), LINKS + 10);
    fs::remove_file(&first).unwrap();
    let last = mounted.path(&(LINKS + 9).to_string());
    assert_eq!(fs::metadata(&last).unwrap().nlink(), LINKS + 9);
    assert_eq!(fs::read(last).unwrap(), b"content");
}

#[test]
fn names_are_255_bytes_of_any_value_but_slash_and_nul() {
    let mut mounted = Mounted::new();
    let any: Vec<u8> = (1..=u8::MAX).filter(|byte| *byte != b'/').chain([b'x']).collect();
    assert_eq!(any.len(), 255);
    let path = mounted.top().join(OsStr::from_bytes(&any));
    fs::write(&path, "content").unwrap();
    mounted.volume().checkpoint().unwrap();
    mounted.remount();
    let names: Vec<_> = fs::read_dir(mounted.top()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [OsStr::from_bytes(&any)]);
    assert_eq!(fs::read(&path).unwrap(), b"content");
    let longer = mounted.top().join(OsStr::from_bytes(&[any.as_slice(), b"x"].concat()));
    let refused = File::create(longer).unwrap_err();
    assert_eq!(Errno::from_io_error(&refused), Some(Errno::NAMETOOLONG));
}

/// The longest path is 4,095 bytes and a NUL; what lies deeper is reached by going there.
#[test]
fn paths_are_as_long_as_the_kernel_takes_them_and_trees_are_deeper() {
    const DEPTH: usize = 3000;
    let mounted = Mounted::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = open(mounted.top(), flags, Mode::empty()).unwrap();
    for _ in 0..DEPTH {
        rustix::fs::mkdirat(&directory, "d", Mode::RWXU).unwrap();
        directory = openat(&directory, "d", flags, Mode::empty()).unwrap();
    }
    openat(&directory, "file", OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR).unwrap();
    let beginning = mounted.top().as_os_str().len();
    let path_of = |bytes: usize| {
        let mut path = mounted.top().as_os_str().as_bytes().to_vec();
        path.extend(b"/d".repeat((bytes - beginning) / 2));
        path.resize(bytes, b'/');
        path
    };
    let look = |path: Vec<u8>| statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS).map(|found| found.stx_nlink);
    assert_eq!(look(path_of(4095)), Ok(3));
    assert_eq!(look(path_of(4096)), Err(Errno::NAMETOOLONG));
}

#[test]
fn symbolic_links_lead_as_far_as_4095_bytes() {
    let mounted = Mounted::new();
    let target = "t".repeat(4095);
    symlink(&target, mounted.path("longest")).unwrap();
    assert_eq!(fs::read_link(mounted.path("longest")).unwrap().as_os_str(), target.as_str());
    let refused = symlink("t".repeat(4096), mounted.path("too long")).unwrap_err();
    assert_eq!(Errno::from_io_error(&refused), Some(Errno::NAMETOOLONG));
    symlink("round", mounted.path("round")).unwrap();
    let round = File::open(mounted.path("round")).unwrap_err();
    assert_eq!(Errno::from_io_error(&round), Some(Errno::LOOP));
}
