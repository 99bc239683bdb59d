//! `pantala mirror sync --plugged`: what a systemd unit runs when a drive has come.
//!
//! A drive may hold several replicas, each with a unit of its own, which systemd starts at once. Those in one store take turns. All have
//! the drive locked together until they are done, so that the last one can tell that the drive is safe to unplug.

use super::Definition;
use crate::mirrors::Place;
use crate::{failure, output};
use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a drive may take from its plug to its mount: a desktop may ask for its passphrase first.
const MOUNT_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// Syncs mirrors whose drive comes. With nobody at a terminal: what a user should know is shown on the desktop, too.
pub(super) fn run(mirrors: &[(String, Definition)], sync: impl Fn() -> Result<bool>) -> Result<()> {
    let names: Vec<_> = mirrors.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    tell_when_it_goes(&names)?;
    let mut drives = Vec::new();
    let synced = directories(mirrors).and_then(|directories| {
        let began = Instant::now();
        for directory in &directories {
            wait_for(directory, began)?;
            drives.push(lock_together(directory)?);
        }
        sync_in_turn(sync)
    });
    match &synced {
        Ok(_) if drives.into_iter().any(|drive| is_in_use(&drive)) => {
            notice(&format!("{names} is up to date; another sync to its drive is under way"));
        }
        Ok(true) => notice(&format!("{names} is up to date and safe to unplug")),
        Ok(false) => notice(&format!("{names} is up to date, and in use: take its node down to unplug it")),
        Err(error) => notice(&format!("{names} is not up to date: {}", failure::line(error))),
    }
    synced.map(drop)
}

/// systemd ends the unit when the drive goes. Nothing is lost by it: the next sync goes on from there.
fn tell_when_it_goes(names: &str) -> Result<()> {
    let mut signals = Signals::new([SIGTERM]).context("cannot watch for signals")?;
    let line = format!("{names} is not up to date: its sync was stopped, or its drive went");
    let watch = move || {
        if let Some(signal) = signals.forever().next() {
            notice(&line);
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).context("cannot start a thread")?;
    Ok(())
}

/// Where the stores of the mirrors are.
fn directories(mirrors: &[(String, Definition)]) -> Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for (_, definition) in mirrors {
        if let Place::Directory(directory) = definition.place()? {
            directories.push(directory);
        }
    }
    Ok(directories)
}

/// Another sync, of another replica in the same store, may take long: nobody asked for this one at a terminal, so it waits.
fn sync_in_turn(sync: impl Fn() -> Result<bool>) -> Result<bool> {
    loop {
        match sync() {
            Err(error) if failure::is_of_lock(&error) => tracing::debug!("another process has the store"),
            synced => return synced,
        }
    }
}

/// Locks the top of the file system that a directory is on, together with others who do.
fn lock_together(directory: &Path) -> Result<File> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let lock = || {
        let here = device(directory)?;
        let top = directory.ancestors().take_while(|path| device(path).is_ok_and(|its| its == here)).last();
        let top = File::open(top.unwrap_or(directory))?;
        flock(&top, FlockOperation::LockShared)?;
        Ok::<_, std::io::Error>(top)
    };
    lock().with_context(|| format!("cannot lock the drive of {}", directory.display()))
}

/// Whether others have it locked.
fn is_in_use(drive: &File) -> bool {
    flock(drive, FlockOperation::NonBlockingLockExclusive).is_err()
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
fn notice(line: &str) {
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
