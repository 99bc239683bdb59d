//! How far the kernel reads ahead on a mount.
//!
//! A file system may only lower it in the first exchange; root may raise it afterwards.

use crate::mounts::FuseMount;
use std::fs;
use std::path::PathBuf;

/// Raises it to this many bytes; returns what is in force, if that could be found out.
pub(crate) fn raise(mount: &FuseMount, bytes: usize) -> Option<usize> {
    let path = parameter(mount);
    let current = fs::read_to_string(&path).ok()?.trim().parse::<usize>().ok()? * 1024;
    if current >= bytes {
        return Some(current);
    }
    match fs::write(&path, (bytes / 1024).to_string()) {
        Ok(()) => Some(bytes),
        Err(error) => {
            tracing::debug!(%error, path = %path.display(), "the read-ahead stays as it is");
            Some(current)
        }
    }
}

fn parameter(mount: &FuseMount) -> PathBuf {
    let (major, minor) = mount.device;
    let suffix = if mount.kind.starts_with("fuseblk") { "-fuseblk" } else { "" };
    format!("/sys/class/bdi/{major}:{minor}{suffix}/read_ahead_kb").into()
}
