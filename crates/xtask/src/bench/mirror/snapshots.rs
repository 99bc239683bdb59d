//! File systems that send the difference of two snapshots: btrfs, and ZFS in user space.

use super::super::peers::{Ground, Kind, Mounted, kernel_mount};
use super::{Pair, durable};
use crate::program::{Program, Running};
use crate::real::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(super) struct Btrfs {
    tree: PathBuf,
    sends: u64,
    source: Box<dyn Mounted>,
    target: Box<dyn Mounted>,
}

impl Btrfs {
    pub(super) fn make(source: &Ground, target: &Ground) -> Result<Self> {
        let (source, target) = (kernel_mount(Kind::Btrfs, source)?, kernel_mount(Kind::Btrfs, target)?);
        let tree = source.point().join("tree");
        Program::new("btrfs").arguments(["subvolume", "create"]).argument(&tree).output()?;
        Ok(Self { tree, sends: 0, source, target })
    }
}

impl Pair for Btrfs {
    fn source(&self) -> &Path {
        &self.tree
    }

    fn line(&mut self) -> String {
        let (from, to) = (self.source.point().display(), self.target.point().display());
        let (before, now) = (self.sends, self.sends + 1);
        self.sends = now;
        let parent = if before == 0 { String::new() } else { format!("-p '{from}/{before}'") };
        let snapshot = format!("btrfs subvolume snapshot -r '{from}/tree' '{from}/{now}' >&2");
        let send = format!("btrfs send -q {parent} '{from}/{now}' | btrfs receive -q '{to}'");
        format!("{snapshot}; {send}; {}", durable(self.target.point()))
    }
}

const SOURCE_POOL: &str = "pantala-bench-source";
const TARGET_POOL: &str = "pantala-bench-target";
const PID_FILE: &str = "zfs.pid";
const POLL_INTERVAL: Duration = Duration::from_millis(5);
const TIME_MAX: Duration = Duration::from_secs(60);

/// Two pools of one daemon.
pub(super) struct Zfs {
    tree: PathBuf,
    sends: u64,
    daemon: Running,
}

impl Zfs {
    pub(super) fn make(source: &Ground, target: &Ground) -> Result<Self> {
        let program = Program::new("zfs-fuse").arguments(["--no-daemon", "--no-kstat-mount", "--pidfile"]);
        let program = program.argument(source.directory.join(PID_FILE));
        let daemon = program.start_into(&source.directory.join("zfs.log"))?;
        let tree = source.directory.join("zfs");
        let mut pair = Self { tree, sends: 0, daemon };
        pair.await_daemon()?;
        pair.create(SOURCE_POOL, source, "zfs")?;
        pair.create(TARGET_POOL, target, "zfs")?;
        Ok(pair)
    }

    fn create(&self, pool: &str, ground: &Ground, point: &str) -> Result<()> {
        let link = ground.directory.join(format!("{pool}.disk"));
        let _ = fs::remove_file(&link);
        symlink(ground.disk.device(), &link)?;
        let create = Program::new("zpool").arguments(["create", "-f", "-o", "cachefile=none", "-m"]);
        create.argument(ground.directory.join(point)).argument(pool).argument(link).output().map(drop)
    }

    fn await_daemon(&mut self) -> Result<()> {
        wait_for("zfs-fuse takes commands", || Ok(Program::new("zpool").argument("list").end()?.status.success()))
    }
}

impl Pair for Zfs {
    fn source(&self) -> &Path {
        &self.tree
    }

    fn line(&mut self) -> String {
        let (before, now) = (self.sends, self.sends + 1);
        self.sends = now;
        let base = if before == 0 { String::new() } else { format!("-i {SOURCE_POOL}@{before}") };
        let send = format!("zfs send {base} {SOURCE_POOL}@{now} | zfs receive -F {TARGET_POOL}/copy");
        format!("zfs snapshot {SOURCE_POOL}@{now}; {send}")
    }
}

impl Drop for Zfs {
    fn drop(&mut self) {
        let destroy = |pool| {
            wait_for("a pool is gone", || {
                Ok(Program::new("zpool").arguments(["destroy", "-f", pool]).end()?.status.success())
            })
        };
        let ended = destroy(TARGET_POOL).and(destroy(SOURCE_POOL)).and(process::kill(self.daemon.process()));
        if let Err(error) = ended {
            println!("{error:#}");
        }
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > TIME_MAX {
            bail!("not within {} s: {what}", TIME_MAX.as_secs());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Ends the daemon that an earlier run left behind.
pub(super) fn clear(directory: &Path) -> Result<()> {
    super::super::peers::clear_zfs(&directory.join(PID_FILE)).context("zfs-fuse stays")
}
