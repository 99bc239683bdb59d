//! Processes as `/proc` shows them: which serve a store, what they hold, and their end.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// How long a process may take to do what a signal tells it.
const SIGNAL_TIME_MAX: Duration = Duration::from_secs(120);

/// The processes that were started for a store: those whose environment names it.
pub(super) fn of_store(store: &Path) -> Result<Vec<u32>> {
    let setting = [b"PANTALA_STORE=", store.as_os_str().as_bytes()].concat();
    let names_store = |process: &u32| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == setting)
    };
    let entries = std::fs::read_dir("/proc")?;
    let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(processes.filter(|process| *process != std::process::id()).filter(names_store).collect())
}

/// Ends what serves a store, as a crash would.
pub(crate) fn kill_all_of_store(store: &Path) -> Result<()> {
    for process in of_store(store)? {
        kill(process)?;
    }
    Ok(())
}

/// Sends SIGKILL and waits until the process is gone.
pub(crate) fn kill(process: u32) -> Result<()> {
    signal(process, Signal::KILL)?;
    wait_until(&format!("process {process} is gone"), || matches!(state(process), None | Some('Z')))
}

/// Stops a process where it is; [`go_on`] lets it run again.
pub(super) fn pause(process: u32) -> Result<()> {
    signal(process, Signal::STOP)?;
    wait_until(&format!("process {process} is stopped"), || matches!(state(process), None | Some('T' | 'Z')))
}

pub(super) fn go_on(process: u32) -> Result<()> {
    signal(process, Signal::CONT)
}

/// The files that a process has open.
pub(super) fn open_files(process: u32) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd"))?;
    Ok(entries.filter_map(|entry| entry.ok()?.path().read_link().ok()).collect())
}

/// A line of `/proc/PID/status`, such as `VmRSS`.
pub(crate) fn status_field(process: u32, field: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned()).with_context(|| format!("process {process} has no {field}"))
}

fn signal(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).with_context(|| format!("no process {process}"))?;
    match rustix::process::kill_process(pid, signal) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// The state letter of `/proc/PID/stat`; none if there is no such process.
fn state(process: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The command's name before it is in brackets, and may hold any character.
    stat.rsplit_once(") ")?.1.chars().next()
}

fn wait_until(claim: &str, holds: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > SIGNAL_TIME_MAX {
            bail!("not so after {} s: {claim}", SIGNAL_TIME_MAX.as_secs());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_found_by_its_store_and_killed() {
        let store = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("60").env("PANTALA_STORE", store.path()).spawn().unwrap();
        // Its environment shows a moment after its start.
        wait_until("the process is found", || of_store(store.path()).unwrap() == [child.id()]).unwrap();
        kill_all_of_store(store.path()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(of_store(store.path()).unwrap().is_empty());
    }

    #[test]
    fn a_paused_process_goes_on() {
        let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();
        pause(child.id()).unwrap();
        assert_eq!(state(child.id()), Some('T'));
        go_on(child.id()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}
