//! What can be known to fail before anything is written.

use super::mountpoint::Mountpoint;
use crate::{defaults, output};
use anyhow::{Context, Result, bail, ensure};
use block::StoreOptions;
use rustix::fs::Access;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

const DEVICE: &str = "/dev/fuse";
const HELPER: &str = "fusermount3";

/// What the index of a new store and the log of its node may take.
const INDEX_BYTES: u64 = 8 << 20;

/// Checks the mount directory, the device and the helper.
pub(super) fn check(store: &Path, mountpoint: &Mountpoint) -> Result<()> {
    check_apart(store, mountpoint.path())?;
    mountpoint.check()?;
    check_fuse().context("cannot mount")?;
    if is_new(store) { check_room(store) } else { Ok(()) }
}

/// Whether a store will be made, or else be refused with nothing written.
fn is_new(store: &Path) -> bool {
    fs::read_dir(store).is_ok_and(|mut entries| entries.next().is_none()) || !store.exists()
}

/// A store that cannot be written, or does not find room for its first segment, is not begun.
fn check_room(store: &Path) -> Result<()> {
    let place = store.display();
    let Some(folder) = store.ancestors().find(|folder| folder.exists()) else { return Ok(()) };
    if let Err(error) = rustix::fs::access(folder, Access::WRITE_OK) {
        bail!("cannot make the store {place}: {}: {error}; give another place with --store", folder.display());
    }
    let disk = rustix::fs::statvfs(folder)?;
    let free_bytes = disk.f_bavail * disk.f_frsize;
    let needed_bytes = StoreOptions::default().segment_bytes + INDEX_BYTES;
    ensure!(
        free_bytes >= needed_bytes,
        "cannot make the store {place}: the disk has {} free, {} are needed; make room on it, or give another disk with --store",
        output::bytes(free_bytes),
        output::bytes(needed_bytes),
    );
    Ok(())
}

/// A mount hides what is in its directory, so the store cannot lie there; nor may the mount lie in the store.
fn check_apart(store: &Path, mountpoint: &Path) -> Result<()> {
    let is_apart = !store.starts_with(mountpoint) && !mountpoint.starts_with(store);
    let (store, mountpoint) = (store.display(), mountpoint.display());
    ensure!(
        is_apart,
        "cannot mount at {mountpoint}: it and the store {store} would lie in one another; give another one with --mount"
    );
    Ok(())
}

fn check_fuse() -> Result<(), fuse::Error> {
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) || error.raw_os_error() == Some(NO_DRIVER) => {
            Err(fuse::Error::NoDevice)
        }
        // The helper may open what an ordinary user may not.
        Err(_) if !defaults::is_root() => Ok(()),
        Err(error) => Err(fuse::Error::Device(error)),
    }?;
    if !defaults::is_root() && !is_installed(HELPER) {
        return Err(fuse::Error::FusermountMissing);
    }
    Ok(())
}

/// ENXIO and ENODEV: the device's file is there, its driver is not.
const NO_DRIVER: i32 = rustix::io::Errno::NXIO.raw_os_error();

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| rustix::fs::access(folder.join(program), Access::EXEC_OK).is_ok())
}
