//! A pool as a user handles it: by the commands of the binary.
//!
//! When it goes out of scope, its processes and mounts are gone, however the test went.

use super::{mounts, process};
use crate::program::Program;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// How long a command may take. None of them depends on how much is stored.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Pool {
    binary: PathBuf,
    store: PathBuf,
    mount: PathBuf,
    /// The ordinary user whose pool it is, if it is not ours.
    user: Option<u32>,
    /// Dropped to call the watchdog off.
    _watchdog: Option<Sender<()>>,
}

impl Pool {
    pub(crate) fn new(binary: PathBuf, store: PathBuf, mount: PathBuf) -> Pool {
        Pool { binary, store, mount, user: None, _watchdog: None }
    }

    /// A pool that another user runs.
    pub(super) fn with_user(mut self, user: u32) -> Pool {
        self.user = Some(user);
        self
    }

    /// Kills the pool after a time, so that nothing that hangs in it hangs for ever.
    pub(crate) fn with_run_time_max(mut self, run_time_max: Duration) -> Pool {
        let (called_off, watchdog) = mpsc::channel();
        let store = self.store.clone();
        std::thread::spawn(move || {
            if watchdog.recv_timeout(run_time_max) == Err(RecvTimeoutError::Timeout) {
                println!("not done after {} s: killing the pool", run_time_max.as_secs());
                let _ = process::kill_all_of_store(&store);
            }
        });
        self._watchdog = Some(called_off);
        self
    }

    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn mount(&self) -> &Path {
        &self.mount
    }

    /// Brings it up and makes sure that it is mounted.
    pub(crate) fn up(&self) -> Result<String> {
        let said = self.command(["up", "--mount"]).argument(&self.mount).output()?;
        match mounts::below(&self.mount)?.is_empty() {
            true => {
                bail!("`pantala up` succeeded, but nothing is mounted at {}; it said: {said}", self.mount.display())
            }
            false => Ok(said),
        }
    }

    /// Takes it down and makes sure that nothing is left.
    pub(crate) fn down(&self) -> Result<()> {
        self.command(["down"]).output()?;
        if let Some(point) = mounts::below(&self.mount)?.first() {
            bail!("`pantala down` succeeded, but {} is still mounted", point.display());
        }
        match process::of_store(&self.store)?.as_slice() {
            [] => Ok(()),
            left => bail!("`pantala down` succeeded, but its processes {left:?} still run"),
        }
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.command(["sync"]).output()?;
        Ok(())
    }

    pub(crate) fn status(&self) -> Result<Value> {
        let json = self.command(["status", "--json"]).output()?;
        serde_json::from_str(&json).with_context(|| format!("`pantala status --json` is not JSON: {json}"))
    }

    /// Whether garbage is collected just now.
    pub(crate) fn is_collecting(&self) -> Result<bool> {
        let json = self.command(["gc", "--status", "--json"]).output()?;
        let status: Value = serde_json::from_str(&json).context("`pantala gc --status --json` is not JSON")?;
        status["is_running"]
            .as_bool()
            .with_context(|| format!("`pantala gc --status --json` has no .is_running: {json}"))
    }

    /// The daemon's process.
    pub(crate) fn daemon(&self) -> Result<u32> {
        let status = self.status()?;
        let process = status["node"]["pid"].as_u64().and_then(|process| u32::try_from(process).ok());
        process.with_context(|| format!("`pantala status --json` has no .node.pid: {status}"))
    }

    /// What it holds in memory and on disk, in words.
    pub(super) fn bounds(&self) -> Result<String> {
        let daemon = self.daemon()?;
        let resident = process::status_field(daemon, "VmRSS")?;
        let highest = process::status_field(daemon, "VmHWM")?;
        let stored = stored_bytes(&self.store)? >> 20;
        Ok(format!("memory {resident}, at most {highest}; store {stored} MiB"))
    }

    /// A call of the binary for this pool.
    pub(crate) fn command<const N: usize>(&self, arguments: [&str; N]) -> Program {
        let program = Program::new(&self.binary)
            .arguments(arguments)
            .environment("PANTALA_STORE", &self.store)
            .run_time_max(COMMAND_TIME_MAX);
        let Some(user) = self.user else { return program };
        let home = self.store.parent().unwrap_or(&self.store);
        program.user(user).environment("HOME", home).environment("XDG_RUNTIME_DIR", home)
    }

    fn end(&self) -> Result<()> {
        process::kill_all_of_store(&self.store)?;
        mounts::detach_below(&self.mount)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            println!("the pool of {} cannot be cleared away: {error:#}", self.store.display());
        }
    }
}

fn stored_bytes(directory: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in directory.read_dir()? {
        let entry = entry?;
        // A file may go away while we look: the daemon is at work.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += match metadata.is_dir() {
            true => stored_bytes(&entry.path())?,
            false => metadata.blocks() * 512,
        };
    }
    Ok(bytes)
}
