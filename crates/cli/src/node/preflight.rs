//! What can be known to fail before anything is written.

use super::mountpoint::Mountpoint;
use crate::defaults;
use anyhow::{Context, Result, ensure};
use rustix::fs::Access;
use std::env;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

const DEVICE: &str = "/dev/fuse";
const HELPER: &str = "fusermount3";

/// Checks the mount directory, the device and the helper.
pub(super) fn check(store: &Path, mountpoint: &Mountpoint) -> Result<()> {
    check_apart(store, mountpoint.path())?;
    mountpoint.check()?;
    check_fuse().context("cannot mount")
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
