//! Who asks.

use crate::interrupt::{Interrupt, Interrupts};
use std::sync::Arc;

/// The caller behind a request.
///
/// The ids are those of the process that made the system call, seen from the namespaces that the file system was mounted in.
/// For requests that the kernel makes on its own (write-back, readahead, RELEASE) they may be 0 or someone else's.
#[derive(Debug)]
pub struct Request {
    caller: Caller,
    interrupts: Arc<Interrupts>,
}

/// What a request's header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The request's number, never used twice on one connection.
    pub unique: u64,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Thread id of the caller, 0 if it lies outside of the namespace.
    pub pid: u32,
    /// The caller's umask, for MKNOD, MKDIR, CREATE and TMPFILE; else 0.
    ///
    /// The kernel has applied it already, unless [`Features::DONT_MASK`](crate::Features::DONT_MASK) is on.
    pub umask: u32,
}

impl Request {
    /// A request that no kernel sent: to call a [`Filesystem`](crate::Filesystem) in a test.
    pub fn new(caller: Caller) -> Self {
        Self::connected(caller, Arc::default())
    }

    pub(crate) fn connected(caller: Caller, interrupts: Arc<Interrupts>) -> Self {
        Self { caller, interrupts }
    }

    pub(crate) fn set_caller(&mut self, caller: Caller) {
        self.caller = caller;
    }

    /// All of the header at once.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The request's number, never used twice on one connection.
    pub fn unique(&self) -> u64 {
        self.caller.unique
    }

    /// The caller's user.
    pub fn uid(&self) -> u32 {
        self.caller.uid
    }

    /// The caller's group.
    pub fn gid(&self) -> u32 {
        self.caller.gid
    }

    /// The caller's thread id, 0 if it lies outside of the namespace.
    pub fn pid(&self) -> u32 {
        self.caller.pid
    }

    /// The caller's umask; see [`Caller::umask`].
    pub fn umask(&self) -> u32 {
        self.caller.umask
    }

    /// The token that is set when the caller gives up. Needed only by a handler that waits; asking for it takes a lock.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupts.register(self.caller.unique)
    }

    /// Whether the caller has given up. In a loop, keep an [`interrupt`](Self::interrupt) instead.
    pub fn interrupted(&self) -> bool {
        self.interrupt().is_set()
    }
}
