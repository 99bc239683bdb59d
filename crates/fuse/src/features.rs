//! What kernel and file system may agree on when they meet.

use crate::flags::flags;

flags! {
    /// The features of a connection (`FUSE_*` of the INIT message, `flags` and `flags2` as one number).
    Features: u64 {
        /// Reads of one file may come at the same time and out of order.
        ASYNC_READ = 1 << 0;
        /// `fcntl(2)` locks come as requests; otherwise the kernel keeps them.
        POSIX_LOCKS = 1 << 1;
        /// OPEN carries `O_TRUNC`; otherwise a SETATTR precedes it.
        ATOMIC_O_TRUNC = 1 << 3;
        /// Lookups of `.` and `..` by node id work, so the mount can be exported over NFS.
        EXPORT_SUPPORT = 1 << 4;
        /// Writes larger than a page.
        BIG_WRITES = 1 << 5;
        /// The kernel leaves the umask to the file system.
        DONT_MASK = 1 << 6;
        /// `flock(2)` locks come as requests; otherwise the kernel keeps them.
        FLOCK_LOCKS = 1 << 10;
        /// `ioctl(2)` on directories.
        IOCTL_DIR = 1 << 11;
        /// Drop cached pages when a fresh modification time or size differs.
        AUTO_INVAL_DATA = 1 << 12;
        /// READDIRPLUS.
        READDIRPLUS = 1 << 13;
        /// READDIRPLUS only where the entries' attributes are likely to be wanted.
        READDIRPLUS_AUTO = 1 << 14;
        /// Direct I/O may be cut into requests that go at the same time.
        ASYNC_DIO = 1 << 15;
        /// Writes stay in the page cache and are written back later.
        WRITEBACK_CACHE = 1 << 16;
        /// `ENOSYS` to OPEN means: never send OPEN and RELEASE again.
        NO_OPEN_SUPPORT = 1 << 17;
        /// Lookups and listings in one directory may come at the same time.
        PARALLEL_DIROPS = 1 << 18;
        /// POSIX ACLs, kept as extended attributes and checked by the kernel.
        POSIX_ACL = 1 << 20;
        /// Reading an aborted device says `ECONNABORTED`.
        ABORT_ERROR = 1 << 21;
        /// Requests larger than 32 pages.
        MAX_PAGES = 1 << 22;
        /// Cache the targets of symbolic links.
        CACHE_SYMLINKS = 1 << 23;
        /// `ENOSYS` to OPENDIR means: never send OPENDIR and RELEASEDIR again, and cache listings.
        NO_OPENDIR_SUPPORT = 1 << 24;
        /// Drop cached pages only when a notification says so.
        EXPLICIT_INVAL_DATA = 1 << 25;
        /// The file system clears set-user-id and set-group-id bits when told to.
        HANDLE_KILLPRIV_V2 = 1 << 28;
        /// SETXATTR carries flags.
        SETXATTR_EXT = 1 << 29;
        /// The INIT message has a second word of flags.
        INIT_EXT = 1 << 30;
        /// [`Notifier::expire_entry`](crate::Notifier::expire_entry) works.
        EXPIRE_ONLY = 1 << 35;
        /// A file opened with direct I/O may be mapped shared.
        DIRECT_IO_ALLOW_MMAP = 1 << 36;
        /// Lookups of `.` and `..` by node id do not work: no export over NFS.
        NO_EXPORT_SUPPORT = 1 << 38;
        /// Requests may be sent again after a daemon is replaced.
        HAS_RESEND = 1 << 39;
        /// The mount may be idmapped.
        ALLOW_IDMAP = 1 << 40;
        /// Requests over io_uring.
        OVER_IO_URING = 1 << 41;
        /// The kernel can abort a connection that does not answer in time.
        REQUEST_TIMEOUT = 1 << 42;
    }
}

impl Features {
    /// The first word, as INIT carries it.
    pub(crate) const fn low(self) -> u32 {
        self.bits() as u32
    }

    /// The second word.
    pub(crate) const fn high(self) -> u32 {
        (self.bits() >> 32) as u32
    }

    pub(crate) const fn from_words(low: u32, high: u32) -> Self {
        Self::from_bits(low as u64 | (high as u64) << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_words_make_one_set() {
        let features = Features::MAX_PAGES | Features::OVER_IO_URING;
        assert_eq!((features.low(), features.high()), (1 << 22, 1 << 9));
        assert_eq!(Features::from_words(features.low(), features.high()), features);
    }
}
