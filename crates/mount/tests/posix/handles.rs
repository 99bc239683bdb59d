//! File handles (name_to_handle_at(2), open_by_handle_at(2)), by which NFS servers name files. Only root may open them.

use crate::mounted::Mounted;
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const HANDLE_BYTES_MAX: usize = 128;

/// `struct file_handle`
#[derive(Clone)]
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    content: [u8; HANDLE_BYTES_MAX],
}

fn handle_of(path: &Path) -> Handle {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut handle = Handle { bytes: HANDLE_BYTES_MAX as u32, kind: 0, content: [0; HANDLE_BYTES_MAX] };
    let mut mount = 0;
    // SAFETY: path, handle and mount outlive the call; the handle has the room that it says.
    let result =
        unsafe { libc::name_to_handle_at(libc::AT_FDCWD, path.as_ptr(), (&raw mut handle).cast(), &raw mut mount, 0) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    handle
}

fn open(mounted: &Mounted, handle: &Handle, flags: i32) -> io::Result<File> {
    let top = File::open(mounted.top())?;
    let mut handle = handle.clone();
    // SAFETY: the descriptor is open, and the handle outlives the call.
    let descriptor = unsafe { libc::open_by_handle_at(top.as_raw_fd(), (&raw mut handle).cast(), flags) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just opened it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

fn content(mut file: File) -> String {
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    content
}

#[test]
fn a_handle_outlives_the_mount_and_a_rename() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut mounted = Mounted::new();
    fs::create_dir_all(mounted.path("one/two")).unwrap();
    fs::write(mounted.path("one/two/file"), "content").unwrap();
    let (file, directory) = (handle_of(&mounted.path("one/two/file")), handle_of(&mounted.path("one/two")));
    let top = handle_of(mounted.top());
    mounted.volume().checkpoint().unwrap();
    mounted.remount();
    fs::rename(mounted.path("one/two/file"), mounted.path("one/two/renamed")).unwrap();
    mounted.remount();
    assert_eq!(content(open(&mounted, &file, libc::O_RDONLY).unwrap()), "content");
    let opened = open(&mounted, &directory, libc::O_RDONLY | libc::O_DIRECTORY).unwrap();
    let by_name = fs::metadata(mounted.path("one/two")).unwrap();
    assert_eq!(opened.metadata().unwrap().ino(), by_name.ino());
    let path = fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd())).unwrap();
    assert_eq!(path, mounted.path("one/two"), "the way up from it is found, too");
    drop(opened);
    assert_eq!(open(&mounted, &top, libc::O_RDONLY).unwrap().metadata().unwrap().ino(), 1);
}

#[test]
fn a_handle_of_what_is_gone_is_stale() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut mounted = Mounted::new();
    fs::write(mounted.path("file"), "content").unwrap();
    let handle = handle_of(&mounted.path("file"));
    let still_open = File::open(mounted.path("file")).unwrap();
    fs::remove_file(mounted.path("file")).unwrap();
    assert_eq!(content(open(&mounted, &handle, libc::O_RDONLY).unwrap()), "content", "somebody has it open");
    drop(still_open);
    mounted.remount();
    fs::write(mounted.path("file"), "another one").unwrap();
    let error = open(&mounted, &handle, libc::O_RDONLY).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESTALE));
}
