//! From a request's bytes to a call of the file system, and from its result to the bytes of an answer.
//!
//! Invariants:
//!
//! - No bytes make it panic: what cannot be parsed answers `EIO` and is logged.
//! - A file system that panics answers `EIO`.
//! - No allocation, except for ioctls.
//! - A request is counted once, also if it is answered later.
//! - Request and answer may share one buffer (over io_uring they do): the answer is written only after the last use of the
//!   request's names and data. The compiler checks that, because both borrow from [`Message`].
//!
//! It does not know how requests come and answers go; that is the business of `transport`.

mod attributes;
mod data;
mod directories;
mod files;
mod locks;
mod message;
mod names;
mod xattrs;

use crate::counts::{self, Counts};
use crate::idle_latency::{Burst, Pace};
use crate::interrupt::Interrupts;
use crate::no_open::NoOpen;
use crate::request::Wait;
use crate::{Caller, Errno, Features, Filesystem, Request, wire};
use message::Message;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wire::Opcode;

/// What all dispatchers of a connection share.
pub(crate) struct Connection {
    filesystem: Arc<dyn Filesystem>,
    interrupts: Arc<Interrupts>,
    destroyed: AtomicBool,
    no_open: NoOpen,
    /// Of each dispatcher.
    counts: Mutex<Vec<Arc<Counts>>>,
    pace: Arc<Pace>,
}

impl Connection {
    pub(crate) fn new(filesystem: Arc<dyn Filesystem>) -> Self {
        Self {
            filesystem,
            interrupts: Arc::default(),
            destroyed: AtomicBool::new(false),
            no_open: NoOpen::default(),
            counts: Mutex::default(),
            pace: Arc::default(),
        }
    }

    /// Tells the kernel that files need no open.
    pub(crate) fn tell_no_open(&self, mountpoint: &Path) {
        self.no_open.tell(mountpoint);
    }

    /// How many requests of each kind came, by name.
    pub(crate) fn requests(&self) -> Vec<(&'static str, u64)> {
        counts::sums(self.counts.lock().iter().map(Arc::as_ref))
    }

    /// How fast requests come.
    pub(crate) fn pace(&self) -> Arc<Pace> {
        self.pace.clone()
    }

    /// Tells the file system that it is over, once.
    pub(crate) fn destroy(&self) {
        if self.destroyed.swap(true, Ordering::AcqRel) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| self.filesystem.destroy())).is_err() {
            tracing::error!("the file system panicked in destroy");
        }
    }
}

/// What goes back to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: the kernel does not wait.
    None,
    /// Success, with this many bytes at the beginning of the buffer.
    Body(usize),
    /// Failure.
    Error(Errno),
    /// None yet: the handler has to wait, which it may not on this thread. The request is as it was.
    Later,
}

/// Answers requests, one after another; each thread has its own.
pub(crate) struct Dispatcher {
    connection: Arc<Connection>,
    request: Request,
    features: Features,
    counts: Arc<Counts>,
    burst: Burst,
}

impl Dispatcher {
    pub(crate) fn new(connection: Arc<Connection>, features: Features) -> Self {
        Self::connected(connection, features, Wait::later())
    }

    /// One for requests that the first one was to answer later. It never puts them off again.
    pub(crate) fn waiting(connection: Arc<Connection>, features: Features) -> Self {
        Self::connected(connection, features, Wait::Allowed)
    }

    fn connected(connection: Arc<Connection>, features: Features, wait: Wait) -> Self {
        let request = Request::connected(Caller::default(), connection.interrupts.clone(), wait);
        let counts: Arc<Counts> = Arc::default();
        connection.counts.lock().push(counts.clone());
        Self { connection, request, features, counts, burst: Burst::default() }
    }

    /// No answer reaches anyone any more: makes every handler that waits, on any thread, give up.
    pub(crate) fn connection_ended(&self) {
        self.connection.interrupts.raise_all();
    }

    /// How many bytes of fixed arguments a request with this opcode has.
    pub(crate) fn argument_size(&self, opcode: u32) -> usize {
        match Opcode::from_number(opcode) {
            Some(Opcode::Setxattr) if !self.features.contains(Features::SETXATTR_EXT) => wire::SETXATTR_IN_SIZE_OLD,
            Some(opcode) => opcode.argument_size(),
            None => 0,
        }
    }

    /// Answers one request, whatever happens.
    ///
    /// `arguments` begins with the fixed arguments. The first `input_length` bytes of `buffer` are what follows them in the
    /// request; the answer's body takes their place.
    pub(crate) fn dispatch(
        &mut self,
        header: &wire::InHeader,
        arguments: &[u8],
        buffer: &mut [u8],
        input_length: usize,
    ) -> Answer {
        let attempt = AssertUnwindSafe(|| self.dispatch_unguarded(header, arguments, buffer, input_length));
        catch_unwind(attempt).unwrap_or_else(|_| {
            tracing::error!(opcode = header.opcode, node = header.node, "the file system panicked");
            failure(header.opcode, Errno::EIO)
        })
    }

    /// The same, but a panic goes on: for tests.
    pub(crate) fn dispatch_unguarded(
        &mut self,
        header: &wire::InHeader,
        arguments: &[u8],
        buffer: &mut [u8],
        input_length: usize,
    ) -> Answer {
        let Some(opcode) = Opcode::from_number(header.opcode) else {
            tracing::debug!(opcode = header.opcode, "unknown request");
            return Answer::Error(Errno::ENOSYS);
        };
        if self.request.is_first_try() {
            self.counts.add(opcode);
            self.connection.pace.note(&mut self.burst);
        }
        let Some(arguments) = arguments.get(..self.argument_size(header.opcode)) else {
            return failure(header.opcode, message::malformed("arguments"));
        };
        let mut message = Message::new(header, arguments, buffer, input_length);
        self.request.set_caller(caller(opcode, header, &message));
        let answer = self.answer(opcode, &mut message);
        tracing::trace!(?opcode, unique = header.unique, node = header.node, ?answer, "request");
        answer
    }

    fn answer(&self, opcode: Opcode, message: &mut Message<'_>) -> Answer {
        if !opcode.is_answered() {
            // What is malformed was logged; nobody waits for an error.
            let _ = self.notice(opcode, message);
            return Answer::None;
        }
        match self.reply(opcode, message) {
            Ok(length) => Answer::Body(length),
            Err(_) if self.request.wanted_to_wait() => Answer::Later,
            Err(error) => Answer::Error(error),
        }
    }

    /// Messages that nobody waits for.
    fn notice(&self, opcode: Opcode, message: &Message<'_>) -> Result<(), Errno> {
        match opcode {
            Opcode::Forget => self.forget(message),
            Opcode::BatchForget => self.batch_forget(message),
            Opcode::Interrupt => self.interrupt(message),
            _ => Ok(()),
        }
    }

    fn interrupt(&self, message: &Message<'_>) -> Result<(), Errno> {
        let arguments: wire::InterruptIn = message.arguments()?;
        self.connection.interrupts.raise(arguments.unique);
        Ok(())
    }

    /// Requests that a caller waits for; the result is the length of the answer's body.
    fn reply(&self, opcode: Opcode, message: &mut Message<'_>) -> Result<usize, Errno> {
        match opcode {
            Opcode::Lookup => self.lookup(message),
            Opcode::Getattr => self.getattr(message),
            Opcode::Setattr => self.setattr(message),
            Opcode::Statx => self.statx(message),
            Opcode::Readlink => self.readlink(message),
            Opcode::Symlink => self.symlink(message),
            Opcode::Mknod => self.mknod(message),
            Opcode::Mkdir => self.mkdir(message),
            Opcode::Unlink => self.unlink(message),
            Opcode::Rmdir => self.rmdir(message),
            Opcode::Rename => self.rename(message),
            Opcode::Rename2 => self.rename2(message),
            Opcode::Link => self.link(message),
            Opcode::Open => self.open(message),
            Opcode::Create => self.create(message),
            Opcode::Tmpfile => self.tmpfile(message),
            Opcode::Release => self.release(message),
            Opcode::Flush => self.flush(message),
            Opcode::Fsync => self.fsync(message),
            Opcode::Read => self.read(message),
            Opcode::Write => self.write(message),
            Opcode::Fallocate => self.fallocate(message),
            Opcode::Lseek => self.lseek(message),
            Opcode::CopyFileRange => self.copy_file_range(message),
            Opcode::CopyFileRange64 => self.copy_file_range_64(message),
            Opcode::Ioctl => self.ioctl(message),
            Opcode::Poll => self.poll(message),
            Opcode::Opendir => self.opendir(message),
            Opcode::Readdir => self.readdir(message),
            Opcode::ReaddirPlus => self.readdirplus(message),
            Opcode::Releasedir => self.releasedir(message),
            Opcode::Fsyncdir => self.fsyncdir(message),
            Opcode::Setxattr => self.setxattr(message),
            Opcode::Getxattr => self.getxattr(message),
            Opcode::Listxattr => self.listxattr(message),
            Opcode::Removexattr => self.removexattr(message),
            Opcode::Getlk => self.getlk(message),
            Opcode::Setlk | Opcode::Setlkw => self.setlk(opcode, message),
            Opcode::Access => self.access(message),
            Opcode::Statfs => self.statfs(message),
            Opcode::Syncfs => self.syncfs(message),
            Opcode::Destroy => self.destroy(),
            Opcode::Bmap => Err(Errno::ENOSYS),
            // INIT comes once, before there is a dispatcher; the others never get here.
            Opcode::Init | Opcode::Forget | Opcode::BatchForget | Opcode::Interrupt | Opcode::NotifyReply => {
                Err(Errno::EIO)
            }
        }
    }

    fn destroy(&self) -> Result<usize, Errno> {
        self.connection.destroy();
        Ok(0)
    }

    fn filesystem(&self) -> &dyn Filesystem {
        &*self.connection.filesystem
    }
}

/// An error, for those who wait for an answer.
fn failure(opcode: u32, error: Errno) -> Answer {
    match Opcode::from_number(opcode) {
        Some(opcode) if !opcode.is_answered() => Answer::None,
        _ => Answer::Error(error),
    }
}

fn caller(opcode: Opcode, header: &wire::InHeader, message: &Message<'_>) -> Caller {
    let umask = match opcode {
        Opcode::Mknod => message.arguments().map(|arguments: wire::MknodIn| arguments.umask),
        Opcode::Mkdir => message.arguments().map(|arguments: wire::MkdirIn| arguments.umask),
        Opcode::Create | Opcode::Tmpfile => message.arguments().map(|arguments: wire::CreateIn| arguments.umask),
        _ => Ok(0),
    };
    Caller { unique: header.unique, uid: header.uid, gid: header.gid, pid: header.pid, umask: umask.unwrap_or(0) }
}

#[cfg(test)]
mod tests;
