//! `pantala mirror sync --plugged`: what a systemd unit runs when a drive has come.

use super::{Definition, sides};
use crate::mirrors::Place;
use crate::output;
use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::geteuid;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a drive may take from its plug to its mount: a desktop may ask for its passphrase first.
const MOUNT_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Waits until the stores of mirrors are there, since whoever mounts drives does so after the unit is started.
pub(super) fn wait_for_drives(store: &Path, mirrors: &[(String, Definition)]) -> Result<()> {
    let began = Instant::now();
    for (_, definition) in mirrors {
        let (from, to) = sides(store, definition)?;
        for place in [from, to] {
            if let Place::Directory(directory) = place {
                wait_for(&directory, began)?;
            }
        }
    }
    Ok(())
}

fn wait_for(directory: &Path, began: Instant) -> Result<()> {
    // Becomes ready with POLLPRI whenever something is mounted or unmounted (proc_pid_mounts(5)).
    let mounts = File::open("/proc/self/mounts").context("cannot see what is mounted")?;
    while !directory.exists() {
        let Some(left) = MOUNT_TIME_MAX.checked_sub(began.elapsed()) else {
            let seconds = MOUNT_TIME_MAX.as_secs();
            bail!(
                "{} has not been mounted within {seconds} s of the drive's coming; mount it and sync by hand",
                directory.display()
            );
        };
        let left = Timespec { tv_sec: left.as_secs() as i64 + 1, tv_nsec: 0 };
        match poll(&mut [PollFd::new(&mounts, PollFlags::PRI)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for a mount"),
        }
    }
    Ok(())
}

/// Shows a line on the desktops of who runs this; on all of them, if that is root.
pub(super) fn notice(line: &str) {
    for bus in desktops() {
        if let Err(error) = notify(&bus, line) {
            output::complain(&format!("cannot show a notice on the desktop of {}: {error:#}", bus.display()));
        }
    }
}

/// The sockets of the users' buses (systemd's `user-runtime-dir@.service` makes a directory for each user who is logged in).
fn desktops() -> Vec<PathBuf> {
    let users = fs::read_dir("/run/user").into_iter().flatten().flatten();
    let mine = geteuid();
    let is_mine = |path: &PathBuf| mine.is_root() || fs::metadata(path).is_ok_and(|found| found.uid() == mine.as_raw());
    users.map(|user| user.path().join("bus")).filter(|bus| bus.exists()).filter(is_mine).collect()
}

fn notify(bus: &Path, line: &str) -> Result<()> {
    let owner = fs::metadata(bus).context("it has just gone")?;
    let mut command = Command::new("notify-send");
    command.args(["--app-name=Pantala", "--icon=drive-removable-media", "Pantala", line]);
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    if geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let output = command.output().context("cannot run notify-send")?;
    match output.status.success() {
        true => Ok(()),
        false => bail!("notify-send: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}
