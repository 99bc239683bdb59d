//! What accompanies reads and writes, and the less common operations on a file's data.

use crate::{LockOwner, OpenFlags};

/// What accompanies a READ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The reader's open flags at this moment (`fcntl(2)` may have changed them).
    pub open_flags: OpenFlags,
    /// Whose locks count, where the file system enforces locks.
    pub lock_owner: Option<LockOwner>,
}

/// What accompanies a WRITE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// The writer's open flags at this moment.
    pub open_flags: OpenFlags,
    /// Whose locks count, where the file system enforces locks.
    pub lock_owner: Option<LockOwner>,
    /// The data comes from the page cache: `handle` is a guess, and so is who wrote it.
    pub cached: bool,
    /// The set-user-id and set-group-id bits must go, as part of this write.
    pub kill_suidgid: bool,
}

/// Where `lseek(2)` looks from; the other directions the kernel handles itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The next data at or after the offset (`SEEK_DATA`).
    Data,
    /// The next hole at or after the offset (`SEEK_HOLE`); the end of a file counts as one.
    Hole,
}

/// One end of a `copy_file_range(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyPoint {
    /// The file.
    pub node: u64,
    /// It, opened.
    pub handle: u64,
    /// Where in it, in bytes.
    pub offset: u64,
}

/// An `ioctl(2)` on an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl {
    /// The command, as `_IOR()` and its like make it.
    pub command: u32,
    /// The third argument as a number: the caller's address or value.
    pub argument: u64,
    /// On a directory.
    pub directory: bool,
    /// From a 32-bit program.
    pub compat_32: bool,
}

/// The answer to an `ioctl(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoctlResult {
    /// What the call returns.
    pub value: i32,
    /// How much of the output was filled, in bytes.
    pub output_length: usize,
}

/// A `poll(2)` on an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The events asked for: `POLLIN`, `POLLOUT`, ...
    pub events: u32,
    /// Someone waits: tell [`Notifier::poll`](crate::Notifier::poll) with this number when something changes.
    pub wakeup: Option<PollWakeup>,
}

/// Names the waiters of a `poll(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PollWakeup(pub(crate) u64);
