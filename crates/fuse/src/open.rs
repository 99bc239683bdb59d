//! Opening files and directories.

use crate::flags::flags;

/// How a file was opened: the flags of `open(2)` as the kernel passes them on.
///
/// `O_CREAT`, `O_EXCL` and `O_NOCTTY` never arrive; `O_TRUNC` does only with
/// [`Features::ATOMIC_O_TRUNC`](crate::Features::ATOMIC_O_TRUNC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// `O_RDONLY`, `O_WRONLY`, `O_RDWR`, `O_APPEND`, ... as numbered on this machine.
    pub bits: i32,
    /// The set-user-id and set-group-id bits must go, because `O_TRUNC` by an unprivileged caller changes the file.
    pub kill_suidgid: bool,
}

impl OpenFlags {
    /// Open for reading.
    pub const fn reads(self) -> bool {
        matches!(self.bits & libc::O_ACCMODE, libc::O_RDONLY | libc::O_RDWR)
    }

    /// Open for writing.
    pub const fn writes(self) -> bool {
        matches!(self.bits & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR)
    }

    /// Whether these `O_` bits are all set.
    pub const fn contains(self, bits: i32) -> bool {
        self.bits & bits == bits
    }
}

/// The answer to opening something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// What the file system wants to see again with every request on this open file.
    pub handle: u64,
    /// What the kernel may do with it.
    pub flags: OpenedFlags,
}

flags! {
    /// How the kernel treats an open file (`FOPEN_*`).
    OpenedFlags: u32 {
        /// Bypass the page cache: every read and write is a request.
        DIRECT_IO = 1 << 0;
        /// Keep what the page cache holds of the file from before this open.
        KEEP_CACHE = 1 << 1;
        /// The file has no position to seek to.
        NONSEEKABLE = 1 << 2;
        /// Cache the directory's entries.
        CACHE_DIR = 1 << 3;
        /// The file is a stream without a position.
        STREAM = 1 << 4;
        /// Do not send FLUSH when the file is closed (unless the writeback cache is on).
        NOFLUSH = 1 << 5;
        /// Direct writes to one file may come at the same time.
        PARALLEL_DIRECT_WRITES = 1 << 6;
    }
}

/// What a RELEASE asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseOptions {
    /// As the file was opened.
    pub open_flags: OpenFlags,
    /// Flush first.
    pub flush: bool,
    /// Drop this owner's `flock(2)` lock.
    pub unlock_flock: Option<LockOwner>,
}

/// Who owns a lock: an opaque number that the kernel derives from the open file or the process's file table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockOwner(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_modes_tell_reading_from_writing() {
        let flags = |bits| OpenFlags { bits, kill_suidgid: false };
        assert!(flags(libc::O_RDONLY).reads() && !flags(libc::O_RDONLY).writes());
        assert!(!flags(libc::O_WRONLY).reads() && flags(libc::O_WRONLY).writes());
        assert!(flags(libc::O_RDWR).reads() && flags(libc::O_RDWR | libc::O_APPEND).writes());
        assert!(flags(libc::O_WRONLY | libc::O_APPEND).contains(libc::O_APPEND));
    }
}
