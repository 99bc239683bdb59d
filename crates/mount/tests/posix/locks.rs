//! Waiting for byte-range locks: deadlocks are found, signals end the wait, and SIGKILL ends the process at once.

use crate::mounted::Mounted;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the waiting process which file it is about.
const FILE: &str = "PANTALA_LOCKED_FILE";
/// What no wait in these tests takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Locks one byte for writing, and waits for it.
fn lock(file: &File, byte: i64) -> io::Result<()> {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the kernel only reads the lock.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &raw const lock) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

extern "C" fn note_signal(_: libc::c_int) {}

/// The test that [`Waiter`] runs as a process of its own, for all tests.
const WAITING_TEST: &str = "locks::a_lock_that_would_close_a_circle_is_refused";

/// What that process does: takes byte 1, then waits for byte 0, and says how that ended.
fn wait_for_a_byte(path: &Path) {
    // SAFETY: the action is whole, and the handler does nothing; the call is to end with EINTR.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note_signal as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    let file = open(path);
    lock(&file, 1).unwrap();
    let ended = lock(&file, 0).err().and_then(|error| error.raw_os_error()).unwrap_or(0);
    println!("\nended with {ended}");
    io::stdout().flush().unwrap();
}

/// That process, when it waits.
struct Waiter(Child);

impl Waiter {
    fn start(path: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", WAITING_TEST, "--nocapture"])
            .env(FILE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let waiter = Self(child);
        let start = Instant::now();
        while !waiter.waits() {
            assert!(start.elapsed() < PATIENCE, "it never waits");
            std::thread::yield_now();
        }
        waiter
    }

    /// The kernel lists who waits with an arrow.
    fn waits(&self) -> bool {
        let process = format!(" {} ", self.0.id());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&process))
    }

    /// Each of its threads gets the signal: one of them waits.
    fn signal(&self, signal: i32) {
        let process = self.0.id() as i32;
        for thread in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
            let thread: i32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
            // SAFETY: only numbers are passed, and the process is a child that nobody has waited for.
            assert_eq!(unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) }, 0);
        }
    }

    /// The errno that its wait ended with.
    fn end(mut self) -> i32 {
        let said = io::read_to_string(self.0.stdout.take().unwrap()).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
        let ended = said.lines().find_map(|line| line.strip_prefix("ended with "));
        ended.expect("it says how its wait ended").parse().unwrap()
    }
}

#[test]
fn a_lock_that_would_close_a_circle_is_refused() {
    if let Some(path) = std::env::var_os(FILE) {
        return wait_for_a_byte(Path::new(&path));
    }
    let mounted = Mounted::new();
    let file = mounted.file("file", b"01");
    lock(&file, 0).unwrap();
    let waiter = Waiter::start(&mounted.path("file"));
    assert_eq!(lock(&file, 1).unwrap_err().raw_os_error(), Some(libc::EDEADLK));
    drop(file);
    assert_eq!(waiter.end(), 0, "it gets the lock once that is free");
}

#[test]
fn a_handled_signal_ends_the_wait_with_eintr() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"01");
    lock(&file, 0).unwrap();
    let waiter = Waiter::start(&mounted.path("file"));
    waiter.signal(libc::SIGUSR1);
    assert_eq!(waiter.end(), libc::EINTR);
}

#[test]
fn a_waiting_process_dies_of_sigkill_and_its_locks_are_free() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"01");
    lock(&file, 0).unwrap();
    let mut waiter = Waiter::start(&mounted.path("file"));
    waiter.0.kill().unwrap();
    assert!(!waiter.0.wait().unwrap().success());
    lock(&file, 1).unwrap();
}
