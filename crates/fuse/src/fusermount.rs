//! Mounting as an ordinary user, through the set-user-id helper `fusermount3`.
//!
//! The helper opens the device, mounts it and sends the descriptor back over a socket whose number the environment variable
//! `_FUSE_COMMFD` tells. We make that socket its standard input, so that no descriptor needs to be inherited by hand.

use crate::device::Device;
use crate::{Error, MountOptions, Result, mount};
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg, socketpair,
};
use std::ffi::OsString;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const HELPER: &str = "fusermount3";

/// Mounts and returns the connection.
pub(crate) fn mount(mountpoint: &Path, options: &MountOptions) -> Result<Device> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| Error::Fusermount(error.to_string()))?;
    let list = OsString::from_vec(mount::helper_options(options));
    let mut command = Command::new(HELPER);
    command.arg("-o").arg(list).arg("--").arg(mountpoint).env("_FUSE_COMMFD", "0").stdin(Stdio::from(theirs));
    let output = run(&mut command)?;
    // The command still holds the helper's end of the socket; without it a missing answer ends the wait below.
    drop(command);
    if !output.status.success() {
        return Err(refusal(&output));
    }
    let descriptor = receive(&ours).map_err(|error| Error::Fusermount(format!("it sent no descriptor: {error}")))?;
    Ok(Device::from_descriptor(descriptor))
}

/// Takes a mount of the user away.
pub(crate) fn unmount(mountpoint: &Path, lazy: bool) -> Result<()> {
    let mut command = Command::new(HELPER);
    command.arg("-u").args(lazy.then_some("-z")).arg("--").arg(mountpoint);
    let output = run(&mut command)?;
    if output.status.success() {
        return Ok(());
    }
    if message(&output).contains("Device or resource busy") {
        return Err(Error::Busy(mountpoint.into()));
    }
    Err(refusal(&output))
}

fn run(command: &mut Command) -> Result<Output> {
    command.env("LC_ALL", "C").output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::FusermountMissing,
        _ => Error::Fusermount(error.to_string()),
    })
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

fn refusal(output: &Output) -> Error {
    let message = message(output);
    if message.contains("user_allow_other") {
        return Error::AllowOther;
    }
    Error::Fusermount(message.trim_start_matches("fusermount3: ").to_owned())
}

/// Receives a descriptor.
fn receive(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    descriptors.last().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
