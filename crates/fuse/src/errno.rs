//! Error numbers.

use std::fmt;
use std::io;

/// An error number as POSIX names it, always in `1..=MAX`: what a request handler answers when it fails.
///
/// The kernel refuses replies with any other number and would leave the caller with a puzzling `EINVAL`, so
/// [`Errno::new`] turns those into `EIO`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The largest number that the kernel takes; the ones above are its own.
    const MAX: i32 = 511;

    /// This number, or `EIO` when the kernel would not take it.
    pub const fn new(number: i32) -> Self {
        if number > 0 && number <= Self::MAX { Self(number) } else { Self::EIO }
    }

    /// The number, positive.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The number of the calling thread's last failed system call.
    pub fn last() -> Self {
        io::Error::last_os_error().into()
    }

    /// Not the owner, or not privileged.
    pub const EPERM: Self = Self(libc::EPERM);
    /// No such file or directory.
    pub const ENOENT: Self = Self(libc::ENOENT);
    /// The call was interrupted.
    pub const EINTR: Self = Self(libc::EINTR);
    /// Reading or writing failed below.
    pub const EIO: Self = Self(libc::EIO);
    /// No such device or address; no more data or holes for `lseek`.
    pub const ENXIO: Self = Self(libc::ENXIO);
    /// A value is too large to return.
    pub const E2BIG: Self = Self(libc::E2BIG);
    /// Not an open handle, or not open that way.
    pub const EBADF: Self = Self(libc::EBADF);
    /// Would block; try again.
    pub const EAGAIN: Self = Self(libc::EAGAIN);
    /// Out of memory.
    pub const ENOMEM: Self = Self(libc::ENOMEM);
    /// Permission denied.
    pub const EACCES: Self = Self(libc::EACCES);
    /// In use.
    pub const EBUSY: Self = Self(libc::EBUSY);
    /// The name is taken.
    pub const EEXIST: Self = Self(libc::EEXIST);
    /// Not on the same file system.
    pub const EXDEV: Self = Self(libc::EXDEV);
    /// No such device.
    pub const ENODEV: Self = Self(libc::ENODEV);
    /// Not a directory.
    pub const ENOTDIR: Self = Self(libc::ENOTDIR);
    /// A directory.
    pub const EISDIR: Self = Self(libc::EISDIR);
    /// An argument is wrong.
    pub const EINVAL: Self = Self(libc::EINVAL);
    /// Too many open files in the system.
    pub const ENFILE: Self = Self(libc::ENFILE);
    /// Too many open files in the process.
    pub const EMFILE: Self = Self(libc::EMFILE);
    /// The ioctl does not apply.
    pub const ENOTTY: Self = Self(libc::ENOTTY);
    /// The program is running.
    pub const ETXTBSY: Self = Self(libc::ETXTBSY);
    /// The file would be too large.
    pub const EFBIG: Self = Self(libc::EFBIG);
    /// No space is left.
    pub const ENOSPC: Self = Self(libc::ENOSPC);
    /// Not seekable.
    pub const ESPIPE: Self = Self(libc::ESPIPE);
    /// The file system is read-only.
    pub const EROFS: Self = Self(libc::EROFS);
    /// Too many links.
    pub const EMLINK: Self = Self(libc::EMLINK);
    /// The caller's buffer is too small.
    pub const ERANGE: Self = Self(libc::ERANGE);
    /// The lock would deadlock.
    pub const EDEADLK: Self = Self(libc::EDEADLK);
    /// The name is too long.
    pub const ENAMETOOLONG: Self = Self(libc::ENAMETOOLONG);
    /// No locks are left.
    pub const ENOLCK: Self = Self(libc::ENOLCK);
    /// Not implemented. For several requests the kernel then never asks again.
    pub const ENOSYS: Self = Self(libc::ENOSYS);
    /// The directory is not empty.
    pub const ENOTEMPTY: Self = Self(libc::ENOTEMPTY);
    /// Too many symbolic links.
    pub const ELOOP: Self = Self(libc::ELOOP);
    /// No such extended attribute.
    pub const ENODATA: Self = Self(libc::ENODATA);
    /// A deadline passed.
    pub const ETIME: Self = Self(libc::ETIME);
    /// The peer broke the protocol.
    pub const EPROTO: Self = Self(libc::EPROTO);
    /// The value does not fit.
    pub const EOVERFLOW: Self = Self(libc::EOVERFLOW);
    /// Not supported.
    pub const EOPNOTSUPP: Self = Self(libc::EOPNOTSUPP);
    /// The connection was cut.
    pub const ECONNABORTED: Self = Self(libc::ECONNABORTED);
    /// Not connected; what a dead mount answers.
    pub const ENOTCONN: Self = Self(libc::ENOTCONN);
    /// Nothing came in time.
    pub const ETIMEDOUT: Self = Self(libc::ETIMEDOUT);
    /// The node cannot be reached.
    pub const EHOSTUNREACH: Self = Self(libc::EHOSTUNREACH);
    /// The object is gone; what it was opened as no longer exists.
    pub const ESTALE: Self = Self(libc::ESTALE);
    /// Over quota.
    pub const EDQUOT: Self = Self(libc::EDQUOT);
    /// Cancelled.
    pub const ECANCELED: Self = Self(libc::ECANCELED);
    /// No such extended attribute: Linux calls `ENODATA` so.
    pub const ENOATTR: Self = Self::ENODATA;
    /// Not supported: Linux has one number for both names.
    pub const ENOTSUP: Self = Self::EOPNOTSUPP;
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self::new(number),
            None => error.kind().into(),
        }
    }
}

impl From<io::ErrorKind> for Errno {
    fn from(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Kind;
        match kind {
            Kind::NotFound => Self::ENOENT,
            Kind::PermissionDenied => Self::EACCES,
            Kind::AlreadyExists => Self::EEXIST,
            Kind::WouldBlock => Self::EAGAIN,
            Kind::InvalidInput => Self::EINVAL,
            Kind::TimedOut => Self::ETIMEDOUT,
            Kind::Interrupted => Self::EINTR,
            Kind::Unsupported => Self::EOPNOTSUPP,
            Kind::OutOfMemory => Self::ENOMEM,
            Kind::StorageFull => Self::ENOSPC,
            _ => Self::EIO,
        }
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        io::Error::from_raw_os_error(errno.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from(*self).fmt(formatter)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Errno({}: {self})", self.0)
    }
}

impl std::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_the_kernel_refuses_become_eio() {
        for number in [0, -1, 512, i32::MIN, i32::MAX] {
            assert_eq!(Errno::new(number), Errno::EIO);
        }
        assert_eq!(Errno::new(libc::ENOSPC), Errno::ENOSPC);
    }

    #[test]
    fn an_io_error_keeps_its_number_and_otherwise_its_kind() {
        assert_eq!(Errno::from(io::Error::from_raw_os_error(libc::EXDEV)), Errno::EXDEV);
        assert_eq!(Errno::from(io::Error::other("damaged")), Errno::EIO);
        assert_eq!(Errno::from(io::Error::from(io::ErrorKind::NotFound)), Errno::ENOENT);
    }
}
