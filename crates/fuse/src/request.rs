//! Who asks.

use crate::Errno;
use crate::interrupt::{Interrupt, Interrupts};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The caller behind a request.
///
/// The ids are those of the process that made the system call, seen from the namespaces that the file system was mounted in.
/// For requests that the kernel makes on its own (write-back, readahead, RELEASE) they may be 0 or someone else's.
#[derive(Debug)]
pub struct Request {
    caller: Caller,
    interrupts: Arc<Interrupts>,
    wait: Wait,
}

/// Whether a handler may wait.
#[derive(Debug)]
pub(crate) enum Wait {
    /// It may.
    Allowed,
    /// Not on this thread.
    Later {
        /// The handler of this request wanted to.
        wanted: AtomicBool,
    },
}

impl Wait {
    /// Not on this thread.
    pub(crate) fn later() -> Self {
        Self::Later { wanted: AtomicBool::new(false) }
    }
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
        Self::connected(caller, Arc::default(), Wait::Allowed)
    }

    pub(crate) fn connected(caller: Caller, interrupts: Arc<Interrupts>, wait: Wait) -> Self {
        Self { caller, interrupts, wait }
    }

    pub(crate) fn set_caller(&mut self, caller: Caller) {
        self.caller = caller;
        if let Wait::Later { wanted } = &mut self.wait {
            *wanted.get_mut() = false;
        }
    }

    /// Whether the handler wanted to wait and could not.
    pub(crate) fn wanted_to_wait(&self) -> bool {
        matches!(&self.wait, Wait::Later { wanted } if wanted.load(Ordering::Relaxed))
    }

    /// Whether this is a thread that takes requests from the kernel, where no handler may wait.
    pub(crate) fn is_first_try(&self) -> bool {
        matches!(self.wait, Wait::Later { .. })
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

    /// To be asked before waiting for anything, a disk or a network: `request.may_wait()?`.
    ///
    /// On the threads that take requests from the kernel it fails, since other requests would wait as well. A handler then returns
    /// the error at once, and must have changed nothing, nor written to an output other than the buffer of a read. It is called
    /// again, from the beginning, on a thread where this succeeds (one of [`waiting_threads`]). An answer that was found without
    /// waiting is sent, also if the handler has asked.
    ///
    /// [`waiting_threads`]: crate::SessionConfig::waiting_threads
    ///
    /// # Errors
    ///
    /// Not on this thread. The number is of no meaning: the kernel never sees it.
    pub fn may_wait(&self) -> Result<(), Errno> {
        match &self.wait {
            Wait::Allowed => Ok(()),
            Wait::Later { wanted } => {
                wanted.store(true, Ordering::Relaxed);
                Err(Errno::EAGAIN)
            }
        }
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
