//! ZFS in user space: the package `zfs-fuse`.

use super::{Ground, MOUNT_TIME_MAX, Mounted, POLL_INTERVAL};
use crate::program::{Program, Running};
use crate::real::process;
use anyhow::{Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

const POOL: &str = "pantala-bench";
pub(super) const PID_FILE: &str = "zfs.pid";

pub(super) struct ZfsMount {
    point: PathBuf,
    /// A directory with nothing but a link to the disk, for `zpool import` to search.
    devices: PathBuf,
    daemon: Running,
}

impl ZfsMount {
    pub(super) fn make(ground: &Ground) -> Result<ZfsMount> {
        let (point, devices) = (ground.directory.join("mount"), ground.directory.join("devices"));
        fs::create_dir_all(&point)?;
        fs::create_dir_all(&devices)?;
        let link = devices.join("disk");
        let _ = fs::remove_file(&link);
        symlink(ground.disk.device(), link)?;
        let program = Program::new("zfs-fuse").arguments(["--no-daemon", "--no-kstat-mount", "--pidfile"]);
        let program = program.argument(ground.directory.join(PID_FILE));
        let daemon = program.start_into(&ground.directory.join("zfs.log"))?;
        let mut mount = ZfsMount { point, devices, daemon };
        mount.await_daemon()?;
        let create = zpool(["create", "-f", "-o", "cachefile=none", "-m"]).argument(&mount.point).argument(POOL);
        create.argument(mount.devices.join("disk")).output()?;
        Ok(mount)
    }

    /// Ends the pool; what just used it may do so for a moment longer.
    fn destroy(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let ended = zpool(["destroy", "-f", POOL]).end()?;
            if ended.status.success() {
                return Ok(());
            }
            if start.elapsed() > MOUNT_TIME_MAX {
                bail!(ended.failure());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the daemon takes commands.
    fn await_daemon(&mut self) -> Result<()> {
        let start = Instant::now();
        while !zpool(["list"]).end()?.status.success() {
            if self.daemon.has_ended()? || start.elapsed() > MOUNT_TIME_MAX {
                bail!("zfs-fuse does not take commands");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Mounted for ZfsMount {
    fn point(&self) -> &Path {
        &self.point
    }

    fn daemon(&self) -> Result<Option<u32>> {
        Ok(Some(self.daemon.process()))
    }

    fn remount(&mut self) -> Result<()> {
        zpool(["export", POOL]).output()?;
        zpool(["import", "-d"]).argument(&self.devices).argument(POOL).output().map(drop)
    }
}

impl Drop for ZfsMount {
    fn drop(&mut self) {
        let ended = self.destroy();
        if let Err(error) = ended.and(process::kill(self.daemon.process())) {
            println!("{error:#}");
        }
        super::leave(&self.point);
    }
}

/// Ends the daemon that an earlier run left behind, whose number is in this file.
pub(super) fn clear(pid_file: &Path) -> Result<()> {
    let Ok(pid) = fs::read_to_string(pid_file) else { return Ok(()) };
    let Ok(pid) = pid.trim().parse::<u32>() else { return Ok(()) };
    // Its number may be another's by now.
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.trim() == "zfs-fuse" { process::kill(pid) } else { Ok(()) }
}

fn zpool<const N: usize>(arguments: [&str; N]) -> Program {
    Program::new("zpool").arguments(arguments)
}
