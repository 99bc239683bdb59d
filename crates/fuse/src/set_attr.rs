//! Which attributes a SETATTR changes.

use crate::{LockOwner, Timestamp};

/// What `chmod`, `chown`, `truncate` and `utimens` ask for. What is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// New permissions, with the file's type.
    pub mode: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New length in bytes.
    pub size: Option<u64>,
    /// New access time.
    pub atime: Option<SetTime>,
    /// New modification time.
    pub mtime: Option<SetTime>,
    /// New change time; only a kernel with the writeback cache sends it.
    pub ctime: Option<Timestamp>,
    /// The open file that it came through.
    pub handle: Option<u64>,
    /// Whose locks count for a change of length.
    pub lock_owner: Option<LockOwner>,
    /// The set-user-id and set-group-id bits must go.
    pub kill_suidgid: bool,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The time at which the file system handles the request.
    Now,
    /// This time.
    At(Timestamp),
}

impl SetTime {
    /// The time meant.
    pub fn resolve(self) -> Timestamp {
        match self {
            Self::Now => Timestamp::now(),
            Self::At(time) => time,
        }
    }
}
