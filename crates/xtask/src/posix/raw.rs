//! System calls that rustix does not have.

use rustix::fs::Mode;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, WaitOptions, WaitStatus};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

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

/// fcntl(2) with a lock.
pub(super) fn fcntl_lock(file: BorrowedFd<'_>, command: libc::c_int, lock: &mut libc::flock) -> Result<()> {
    // SAFETY: the commands for locks take a pointer to one, which is there for as long as the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), command, lock) })
}

/// Runs something in a child, which ends with it. It may take no lock that another thread of this process can hold.
pub(super) fn fork(child: impl FnOnce()) -> Result<Pid> {
    // SAFETY: the child has one thread, uses only its own copy of memory (whose allocator glibc keeps usable), and never returns
    // into what called this.
    match unsafe { libc::fork() } {
        0 => {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: it ends the process without running anything of the parent's.
            unsafe { libc::_exit(ended.is_err().into()) }
        }
        child => Pid::from_raw(child).filter(|_| child > 0).ok_or(Errno::AGAIN),
    }
}

/// The signal that ends a child, if one does.
pub(super) fn signal_of(child: Pid) -> Result<Option<i32>> {
    let status: Option<(Pid, WaitStatus)> = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    Ok(status.and_then(|(_, status)| status.terminating_signal()))
}

/// Closes every file but two and standard input, output and errors.
pub(super) fn close_all_but(kept: [BorrowedFd<'_>; 2]) -> Result<()> {
    let mut kept = kept.map(|file| file.as_raw_fd());
    kept.sort_unstable();
    let [low, high] = kept;
    for (first, last) in [(libc::STDERR_FILENO + 1, low - 1), (low + 1, high - 1), (high + 1, RawFd::MAX)] {
        if first <= last {
            // SAFETY: whoever owns these files in this process never uses them again.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } as libc::c_int)?;
        }
    }
    Ok(())
}

/// Has SIGUSR1 do nothing but interrupt.
pub(super) fn handle_interruptions() -> Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all zeros is a signal set and no flags (so calls are not restarted); the handler does nothing.
    check(unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut())
    })
}
