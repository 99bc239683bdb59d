//! The device `/dev/fuse`: one open descriptor of it is one connection to the kernel.

use crate::{Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, IoSlice};

/// `FUSE_DEV_IOC_CLONE`: `_IOR(229, 0, uint32_t)`
const IOC_CLONE: libc::Ioctl = 0x8004_e500_u32 as libc::Ioctl;

/// A descriptor of `/dev/fuse`.
#[derive(Debug)]
pub(crate) struct Device {
    descriptor: OwnedFd,
}

impl Device {
    /// A fresh descriptor, connected to nothing yet.
    pub(crate) fn open() -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open("/dev/fuse", flags, Mode::empty()) {
            Ok(descriptor) => Ok(Self { descriptor }),
            Err(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Err(Error::NoDevice),
            Err(error) => Err(Error::Device(error.into())),
        }
    }

    /// One that someone else opened.
    pub(crate) fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self { descriptor }
    }

    /// One more descriptor of the same connection, with a queue of its own for requests under way.
    pub(crate) fn clone_connection(&self) -> Result<Self> {
        let clone = Self::open()?;
        let source = self.descriptor.as_raw_fd() as u32;
        // SAFETY: the ioctl reads one u32 at the pointer, which outlives the call.
        let result = unsafe { libc::ioctl(clone.descriptor.as_raw_fd(), IOC_CLONE, &raw const source) };
        if result < 0 {
            return Err(Error::Device(std::io::Error::last_os_error()));
        }
        Ok(clone)
    }

    /// Reads one request.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        rustix::io::read(&self.descriptor, buffer)
    }

    /// Writes one answer or notification.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> rustix::io::Result<()> {
        rustix::io::writev(&self.descriptor, parts).map(drop)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
