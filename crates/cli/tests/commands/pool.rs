//! A pool in a temporary folder. Whatever a test does, its processes and mounts are gone afterwards.

use crate::outcome::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Debian's `nobody`.
const ORDINARY_USER: u32 = 65534;

/// How long something may take that is about to happen.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Pool {
    folder: TempDir,
    store: PathBuf,
    mount: PathBuf,
    binary: PathBuf,
    user: Option<u32>,
}

impl Pool {
    /// A pool that is not there yet: no store, an empty mount directory.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pantala-test-").tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        let (store, mount) = (root.join("store"), root.join("mount"));
        fs::create_dir(&mount).expect("a mount directory");
        Self { folder, store, mount, binary: env!("CARGO_BIN_EXE_pantala").into(), user: None }
    }

    /// A pool that is up.
    pub(crate) fn up() -> Self {
        let pool = Self::new();
        pool.run(&["up", "--mount", pool.mount_text()]).succeeded();
        pool
    }

    /// A pool of a user who is not root, with that user's defaults: no mount directory yet.
    pub(crate) fn of_ordinary_user() -> Self {
        let mut pool = Self::new();
        pool.user = is_root().then_some(ORDINARY_USER);
        pool.binary = pool.home().join("binary");
        // By a process of its own: what this one has open for writing, a child of another test would have, too.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_pantala")).arg(&pool.binary).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy that the user can reach");
        fs::remove_dir(&pool.mount).expect("nothing mounted");
        pool.mount = pool.home().join("pantala");
        pool.store = pool.home().join(".local/share/pantala");
        fs::set_permissions(pool.home(), Permissions::from_mode(0o755)).expect("our folder");
        std::os::unix::fs::chown(pool.home(), pool.user, pool.user).expect("our folder");
        pool
    }

    /// The same, with its store elsewhere.
    pub(crate) fn with_store(mut self, store: PathBuf) -> Self {
        self.store = store;
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    pub(crate) fn mount(&self) -> &Path {
        &self.mount
    }

    pub(crate) fn mount_text(&self) -> &str {
        self.mount.to_str().expect("text")
    }

    /// A call of the binary, not yet made.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.binary);
        command.args(arguments);
        command
    }

    /// A call of some program as the pool's user, not yet made.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("PANTALA_STORE", &self.store).env("HOME", self.home()).stdin(Stdio::null());
        command.env_remove("XDG_DATA_HOME").env("XDG_CACHE_HOME", self.home().join(".cache"));
        if let Some(user) = self.user {
            command.uid(user).gid(user).current_dir(self.home());
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    /// What `status --json` shows.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--json"]).succeeded()).expect("JSON")
    }

    /// The daemon's process.
    pub(crate) fn daemon(&self) -> u32 {
        self.status()["node"]["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("a process")
    }

    pub(crate) fn is_up(&self) -> bool {
        self.run(&["status"]).code == Some(0)
    }

    pub(crate) fn is_mounted(&self) -> bool {
        mounts_below(self.home()).contains(&self.mount)
    }

    /// Sends the daemon a signal and waits for its end.
    pub(crate) fn end_daemon(&self, signal: Signal) {
        let daemon = self.daemon();
        send(daemon, signal);
        eventually("the daemon ends", || !processes_of(&self.store).contains(&daemon));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for process in processes_of(&self.store) {
            send(process, Signal::KILL);
        }
        for mount in mounts_below(self.home()).into_iter().rev() {
            let detached = Command::new("umount").arg("--lazy").arg(&mount).status();
            let is_detached = detached.is_ok_and(|status| status.success());
            if !is_detached {
                let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(&mount).status();
            }
        }
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn send(process: u32, signal: Signal) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(process, signal);
    }
}

/// The processes that were started for a store: their environment names it.
fn processes_of(store: &Path) -> Vec<u32> {
    let setting = [b"PANTALA_STORE=", store.as_os_str().as_bytes()].concat();
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == setting)
        })
        .collect()
}

fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let all = fuse::mounts::list().expect("/proc").into_iter();
    all.map(|mount| mount.mountpoint).filter(|place| place.starts_with(folder)).collect()
}
