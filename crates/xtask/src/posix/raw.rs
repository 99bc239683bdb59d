//! System calls that rustix does not have.

use rustix::fs::Mode;
use rustix::io::{Errno, Result};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

fn path_of(path: &[u8]) -> Result<CString> {
    CString::new(path).map_err(|_| Errno::INVAL)
}

fn check(result: libc::c_int) -> Result<()> {
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// close(2) with its error.
pub(super) fn close(file: OwnedFd) -> Result<()> {
    // SAFETY: the file is ours and not used any more.
    check(unsafe { libc::close(file.into_raw_fd()) })
}

pub(super) fn truncate(path: &[u8], size: i64) -> Result<()> {
    let path = path_of(path)?;
    // SAFETY: the path is a string with a zero at its end.
    check(unsafe { libc::truncate(path.as_ptr(), size) })
}

/// Of the whole file, and waiting for it.
pub(super) fn sync_file_range(file: BorrowedFd<'_>) -> Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: no memory is passed.
    check(unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) })
}

/// fchmodat2(2) with AT_SYMLINK_NOFOLLOW.
pub(super) fn chmod_link(path: &[u8], mode: Mode) -> Result<()> {
    let path = path_of(path)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the path is a string with a zero at its end, and the call takes these four arguments.
    let result =
        unsafe { libc::syscall(libc::SYS_fchmodat2, libc::AT_FDCWD, path.as_ptr(), mode.as_raw_mode(), flags) };
    check(result as libc::c_int)
}
