//! inotify(7) and fanotify(7).

use crate::mounted::Mounted;
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;

/// The events that are there, with their names.
fn events(watcher: &OwnedFd) -> Vec<(ReadFlags, String)> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watcher, &mut buffer);
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                events.push((event.events(), name.unwrap_or_default()));
            }
            Err(rustix::io::Errno::AGAIN) => return events,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn inotify_tells_of_each_change_in_a_directory() {
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("elsewhere")).unwrap();
    let watcher = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    let wanted = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE;
    inotify::add_watch(&watcher, mounted.top(), wanted | WatchFlags::CLOSE_WRITE).unwrap();
    fs::write(mounted.path("file"), "content").unwrap();
    fs::set_permissions(mounted.path("file"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(mounted.path("file"), mounted.path("renamed")).unwrap();
    fs::hard_link(mounted.path("renamed"), mounted.path("linked")).unwrap();
    fs::rename(mounted.path("renamed"), mounted.path("elsewhere/file")).unwrap();
    fs::remove_file(mounted.path("linked")).unwrap();
    let seen = events(&watcher);
    let expected = [
        (ReadFlags::CREATE, "file"),
        (ReadFlags::MODIFY, "file"),
        (ReadFlags::CLOSE_WRITE, "file"),
        (ReadFlags::ATTRIB, "file"),
        (ReadFlags::MOVED_FROM, "file"),
        (ReadFlags::MOVED_TO, "renamed"),
        (ReadFlags::CREATE, "linked"),
        (ReadFlags::MOVED_FROM, "renamed"),
        (ReadFlags::DELETE, "linked"),
    ];
    let expected: Vec<_> = expected.map(|(flags, name)| (flags, name.to_owned())).into();
    assert_eq!(seen.into_iter().filter(|event| expected.contains(event)).collect::<Vec<_>>(), expected);
}

#[test]
fn fanotify_tells_who_wrote_on_the_mount() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mounted = Mounted::new();
    // SAFETY: no pointers.
    let group = unsafe { libc::fanotify_init(libc::FAN_CLASS_NOTIF | libc::FAN_NONBLOCK, libc::O_RDONLY as u32) };
    assert!(group >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the call just opened it.
    let group = unsafe { OwnedFd::from_raw_fd(group) };
    let top = std::ffi::CString::new(mounted.top().as_os_str().as_bytes()).unwrap();
    let flags = libc::FAN_MARK_ADD | libc::FAN_MARK_MOUNT;
    // SAFETY: the path outlives the call.
    let marked =
        unsafe { libc::fanotify_mark(group.as_raw_fd(), flags, libc::FAN_CLOSE_WRITE, libc::AT_FDCWD, top.as_ptr()) };
    assert_eq!(marked, 0, "{}", io::Error::last_os_error());
    let script = "echo content > file";
    let mut child = std::process::Command::new("sh").args(["-c", script]).current_dir(mounted.top()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let mut buffer = [0; size_of::<libc::fanotify_event_metadata>()];
    assert_eq!(rustix::io::read(&group, &mut buffer).unwrap(), buffer.len());
    // SAFETY: the kernel wrote one such struct.
    let event = unsafe { buffer.as_ptr().cast::<libc::fanotify_event_metadata>().read_unaligned() };
    assert_eq!((event.mask & libc::FAN_CLOSE_WRITE, event.pid), (libc::FAN_CLOSE_WRITE, child.id() as i32));
    // SAFETY: the event brought it.
    let file = unsafe { OwnedFd::from_raw_fd(event.fd) };
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    assert_eq!(path, mounted.path("file"));
}
