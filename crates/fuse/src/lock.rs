//! Locks on files. They only arrive when [`SessionConfig`](crate::SessionConfig) asks for them; the kernel keeps them itself
//! otherwise, which is right for a file system that only this machine has mounted.

/// A POSIX record lock, as `fcntl(2)` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLock {
    /// What kind.
    pub kind: LockKind,
    /// The first byte.
    pub start: u64,
    /// The last byte, included; `i64::MAX` for "to the end".
    pub end: u64,
    /// The process that holds it.
    pub pid: u32,
}

/// What a lock does, or that it goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Shared with other readers.
    Read,
    /// Exclusive.
    Write,
    /// No lock; as an order: take the lock away.
    Unlock,
}

/// Whether a request for a lock may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Answer `EAGAIN` when another holds it.
    No,
    /// Wait until it is free or [`Request::interrupt`](crate::Request::interrupt) says to give up (then answer `EINTR`).
    Yes,
}
