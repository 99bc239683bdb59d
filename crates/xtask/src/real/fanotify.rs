//! A watch by fanotify(7) of a whole mount.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Read;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Names of events, in the order in which they are told.
const EVENTS: &[(u64, &str)] = &[
    (libc::FAN_OPEN, "open"),
    (libc::FAN_ACCESS, "access"),
    (libc::FAN_MODIFY, "modify"),
    (libc::FAN_CLOSE_WRITE, "close after writing"),
    (libc::FAN_CLOSE_NOWRITE, "close"),
];
/// Room for a few hundred events.
const BUFFER_BYTES: usize = 16 << 10;

pub(super) struct Watch {
    group: File,
}

impl Watch {
    pub(super) fn of_mount(directory: &Path) -> Result<Watch> {
        let flags = libc::FAN_CLASS_NOTIF | libc::FAN_NONBLOCK | libc::FAN_CLOEXEC | libc::FAN_UNLIMITED_QUEUE;
        let event_flags = (libc::O_RDONLY | libc::O_LARGEFILE | libc::O_CLOEXEC) as libc::c_uint;
        // SAFETY: no memory is passed.
        let group = checked(unsafe { libc::fanotify_init(flags, event_flags) }).context("fanotify_init")?;
        // SAFETY: the kernel has just given this file to us alone.
        let group = unsafe { File::from_raw_fd(group) };
        let path = std::ffi::CString::new(directory.as_os_str().as_bytes())?;
        let mask = EVENTS.iter().fold(0, |mask, (event, _)| mask | event);
        let mark = libc::FAN_MARK_ADD | libc::FAN_MARK_MOUNT;
        // SAFETY: the path is a string with a zero at its end.
        checked(unsafe { libc::fanotify_mark(group.as_raw_fd(), mark, mask, libc::AT_FDCWD, path.as_ptr()) })
            .context("fanotify_mark")?;
        Ok(Watch { group })
    }

    /// What has happened in a directory until now, a line for each event: its names, and the path as far as it is still there.
    pub(super) fn events_below(mut self, directory: &Path) -> Result<String> {
        let mut told = Vec::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(length @ 1..) = self.group.read(&mut buffer) {
            let mut rest = &buffer[..length];
            while let Some((event, behind)) = take_event(rest) {
                rest = behind;
                told.extend(line(&event, directory)?);
            }
        }
        Ok(told.join("\n"))
    }
}

/// The first event of a buffer, and what is behind it.
fn take_event(buffer: &[u8]) -> Option<(libc::fanotify_event_metadata, &[u8])> {
    let bytes = buffer.get(..mem::size_of::<libc::fanotify_event_metadata>())?;
    // SAFETY: there are as many bytes, and any bytes are such a struct of plain numbers.
    let event: libc::fanotify_event_metadata = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) };
    Some((event, buffer.get(event.event_len as usize..)?))
}

/// `None` for what happened elsewhere on the mount.
fn line(event: &libc::fanotify_event_metadata, directory: &Path) -> Result<Option<String>> {
    // SAFETY: the kernel has opened this file for the event, for its reader to close.
    let file = unsafe { OwnedFd::from_raw_fd(event.fd) };
    let path = Path::new("/proc/self/fd").join(file.as_raw_fd().to_string()).read_link()?;
    let Ok(path) = path.strip_prefix(directory) else { return Ok(None) };
    let names = EVENTS.iter().filter(|(bit, _)| event.mask & bit != 0).map(|(_, name)| *name);
    Ok(Some(format!("{} {}", names.collect::<Vec<_>>().join(", "), path.display())))
}

fn checked(result: libc::c_int) -> Result<libc::c_int> {
    match result {
        -1 => Err(std::io::Error::last_os_error().into()),
        result => Ok(result),
    }
}
