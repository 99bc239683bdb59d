//! What can go wrong with a mount. Requests fail with an [`Errno`](crate::Errno) instead.

use std::io;
use std::path::PathBuf;

/// The result of an operation on a mount.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a mount could not be made, kept or taken away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel has no FUSE.
    #[error("/dev/fuse is missing; load the module with `modprobe fuse`")]
    NoDevice,

    /// The device is there but not for this user.
    #[error("cannot open /dev/fuse: {0}")]
    Device(#[source] io::Error),

    /// Mounting as an ordinary user needs a helper.
    #[error("fusermount3 is not installed; install the package fuse3, or run as root")]
    FusermountMissing,

    /// The helper refused.
    #[error("fusermount3 failed: {0}")]
    Fusermount(String),

    /// The directory to mount on does not exist.
    #[error("{0} does not exist; make the directory first")]
    MountpointMissing(PathBuf),

    /// The place to mount on is not a directory.
    #[error("{0} is not a directory")]
    MountpointNotDirectory(PathBuf),

    /// A file system whose daemon died is still mounted there.
    #[error("{0} is a dead mount; take it away with `fusermount3 -u -z {0}` (as root: `umount -l {0}`)")]
    MountpointDead(PathBuf),

    /// The place to mount on cannot be looked at.
    #[error("cannot look at {path}: {source}")]
    MountpointUnreadable {
        /// The place.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// Users may not let others in.
    #[error("allow_other is not allowed here; put the line `user_allow_other` into /etc/fuse.conf, or run as root")]
    AllowOther,

    /// An option only root may use.
    #[error("{0} needs root")]
    NeedsRoot(&'static str),

    /// `mount(2)` failed.
    #[error("cannot mount on {path}: {source}")]
    Mount {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// Files are open in the mount, or a process has its working directory there.
    #[error("{0} is busy; close what is open there, or detach it")]
    Busy(PathBuf),

    /// `umount(2)` failed.
    #[error("cannot unmount {path}: {source}")]
    Unmount {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// The kernel speaks a protocol that is too old.
    #[error("the kernel speaks FUSE {0}.{1}; 7.31 (Linux 5.4) or newer is needed")]
    Protocol(u32, u32),

    /// The first exchange with the kernel failed.
    #[error("the first exchange with the kernel failed: {0}")]
    Handshake(#[source] io::Error),

    /// The file system itself refused to start.
    #[error("the file system did not start: {0}")]
    Refused(#[source] crate::Errno),

    /// io_uring was demanded and does not work.
    #[error("FUSE over io_uring is not available: {0}")]
    Uring(String),

    /// A thread that serves requests failed.
    #[error("serving requests failed: {what}: {source}")]
    Transport {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}
