//! Mounting as an ordinary user, through the set-user-id helper `fusermount3`.

use crate::{Error, Result};
use std::io;
use std::path::Path;
use std::process::Command;

/// Takes a mount of the user away.
pub(crate) fn unmount(mountpoint: &Path, lazy: bool) -> Result<()> {
    let mut command = Command::new("fusermount3");
    command.arg("-u").args(lazy.then_some("-z")).arg("--").arg(mountpoint);
    let output = command.output().map_err(missing)?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if message.contains("Device or resource busy") {
        return Err(Error::Busy(mountpoint.into()));
    }
    Err(Error::Fusermount(message))
}

fn missing(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::FusermountMissing,
        _ => Error::Fusermount(error.to_string()),
    }
}
