//! The file systems that are compared. Each is made anew for each round of each group of workloads, on the same disk.

mod floor;
mod kernel;
pub(super) mod pantala;
mod passthrough;
mod zfs;

use super::disk::Disk;
use crate::program::{Program, Running};
use crate::real::mounts;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How long a daemon may take to mount, or to let go of a mount.
const MOUNT_TIME_MAX: Duration = Duration::from_secs(30);

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(super) enum Kind {
    /// This one, its store in an xfs
    Pantala,
    /// An earlier build of it (`--before`)
    Before,
    /// A file system in memory behind the same `fuse` crate: what FUSE itself takes
    Floor,
    Ext4,
    Xfs,
    Btrfs,
    /// ZFS in user space
    ZfsFuse,
    /// bindfs over an xfs: a plain FUSE passthrough
    Passthrough,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Pantala => "pantala",
            Kind::Before => "before",
            Kind::Floor => "floor",
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
            Kind::Btrfs => "btrfs",
            Kind::ZfsFuse => "zfs-fuse",
            Kind::Passthrough => "passthrough",
        }
    }

    /// The program without which it cannot be had.
    pub(super) fn program(self) -> Option<&'static str> {
        match self {
            Kind::Pantala | Kind::Before | Kind::Floor => None,
            Kind::Ext4 => Some("mkfs.ext4"),
            Kind::Xfs => Some("mkfs.xfs"),
            Kind::Btrfs => Some("mkfs.btrfs"),
            Kind::ZfsFuse => Some("zfs-fuse"),
            Kind::Passthrough => Some("bindfs"),
        }
    }
}

/// A mounted file system. It is gone when this is dropped.
pub(super) trait Mounted {
    /// Where it is mounted.
    fn point(&self) -> &Path;

    /// The process that serves it, if the kernel does not do so itself.
    fn daemon(&self) -> Result<Option<u32>> {
        Ok(None)
    }

    /// Unmounts it and mounts it again, so that nothing of it is in memory.
    fn remount(&mut self) -> Result<()>;

    /// Makes everything that was written durable.
    fn sync(&self) -> Result<()> {
        Program::new("sync").argument("-f").argument(self.point()).output().map(drop)
    }

    /// Requests of the kernel so far, by name, if the daemon counts them.
    fn requests(&self) -> Result<Vec<(String, u64)>> {
        Ok(Vec::new())
    }

    /// Whether it collects garbage just now, if it ever does.
    fn is_collecting(&self) -> Result<Option<bool>> {
        Ok(None)
    }

    /// A directory on the same disk that is not in the file system itself, if there is one.
    fn below(&self) -> Option<PathBuf> {
        None
    }
}

/// What peers are made of.
pub(super) struct Ground<'a> {
    pub(super) disk: &'a Disk,
    /// An empty directory for mount points.
    pub(super) directory: &'a Path,
    pub(super) pantala: &'a Path,
    /// An earlier build, if there is one to compare with.
    pub(super) before: Option<&'a Path>,
    pub(super) floor: &'a Path,
}

/// Makes a file system anew and mounts it.
pub(super) fn make(kind: Kind, ground: &Ground) -> Result<Box<dyn Mounted>> {
    std::fs::create_dir_all(ground.directory)?;
    Ok(match kind {
        Kind::Pantala => Box::new(pantala::PantalaMount::make(ground, ground.pantala)?),
        Kind::Before => {
            let binary = ground.before.context("there is no earlier build")?;
            Box::new(pantala::PantalaMount::make(ground, binary)?)
        }
        Kind::Floor => Box::new(floor::FloorMount::make(ground)?),
        Kind::Ext4 | Kind::Xfs | Kind::Btrfs => Box::new(kernel::KernelMount::make(kind, ground, "mount")?),
        Kind::ZfsFuse => Box::new(zfs::ZfsMount::make(ground)?),
        Kind::Passthrough => Box::new(passthrough::Passthrough::make(ground)?),
    })
}

/// Makes a file system of the kernel and mounts it at `mount`.
pub(super) fn kernel_mount(kind: Kind, ground: &Ground) -> Result<Box<dyn Mounted>> {
    Ok(Box::new(kernel::KernelMount::make(kind, ground, "mount")?))
}

/// Ends the daemon of ZFS whose number is in this file, if there is one.
pub(super) fn clear_zfs(pid_file: &Path) -> Result<()> {
    zfs::clear(pid_file)
}

/// Ends the daemons that an earlier run left behind.
pub(super) fn clear(directory: &Path) -> Result<()> {
    crate::real::process::kill_all_of_store(&pantala::store(directory))?;
    zfs::clear(&directory.join(zfs::PID_FILE))
}

/// Waits until something is mounted at a place.
fn await_mount(point: &Path, daemon: &mut Running) -> Result<()> {
    let start = Instant::now();
    while mounts::below(point)?.is_empty() {
        if daemon.has_ended()? || start.elapsed() > MOUNT_TIME_MAX {
            bail!("nothing is mounted at {}", point.display());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Unmounts; what just ended may use it for a moment longer.
fn unmount(point: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let ended = Program::new("umount").argument(point).end()?;
        if ended.status.success() {
            return Ok(());
        }
        if start.elapsed() > MOUNT_TIME_MAX {
            bail!(ended.failure());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Unmounts what may be mounted, when nothing else can be done.
fn leave(point: &Path) {
    let is_mounted = mounts::below(point).is_ok_and(|points| !points.is_empty());
    if !is_mounted {
        return;
    }
    let left = unmount(point).or_else(|error| {
        println!("{error:#}");
        mounts::detach_below(point)
    });
    if let Err(error) = left {
        println!("{error:#}");
    }
}
