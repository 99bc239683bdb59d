//! Telling the kernel what changed behind its back.

use crate::device::Device;
use crate::{Errno, PollWakeup, wire};
use rustix::io::IoSlice;
use std::sync::Arc;
use wire::NotifyCode;
use zerocopy::IntoBytes;

/// Tells the kernel to forget or to know something.
///
/// # Deadlocks
///
/// A notification takes the kernel's locks on the inode or directory it names, and waits for them. A request on the same
/// inode holds them until it is answered. So **never call this from a request handler, nor while holding a lock that a
/// handler may wait for, nor from an async worker**: the handler and the notification would wait for each other for ever.
/// [`NotifierQueue`](crate::NotifierQueue) is the way out: a handler pushes, a thread of its own sends.
///
/// Each call runs on the thread that makes it. A notification about something that the kernel does not know (any more)
/// succeeds. After the session ended every call fails with `ENODEV` or `ENOTCONN`.
#[derive(Clone, Debug)]
pub struct Notifier {
    device: Arc<Device>,
}

impl Notifier {
    pub(crate) fn new(device: Arc<Device>) -> Self {
        Self { device }
    }

    /// An inode changed: drops its attributes, and its cached data in a range of bytes (`length` 0: to the end). With a
    /// negative `offset` only the attributes are dropped. Waits until dirty pages in the range are written back.
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`.
    pub fn invalidate_inode(&self, node: u64, offset: i64, length: i64) -> Result<(), Errno> {
        let body = wire::NotifyInvalidateInode { node, offset, length };
        self.send(NotifyCode::InvalidateInode, body.as_bytes(), &[])
    }

    /// A name changed: drops it, and what lies below, from the cache. What is in use stays until it is looked up again.
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`.
    pub fn invalidate_entry(&self, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.entry(parent, name, 0)
    }

    /// A name may have changed: looks it up again before the next use, but keeps what lies below (mounts, for example).
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`.
    pub fn expire_entry(&self, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.entry(parent, name, wire::EXPIRE_ONLY)
    }

    fn entry(&self, parent: u64, name: &[u8], flags: u32) -> Result<(), Errno> {
        let name_length = name.len() as u32;
        let body = wire::NotifyInvalidateEntry { parent, name_length, flags };
        self.send(NotifyCode::InvalidateEntry, body.as_bytes(), &[name, &[0]])
    }

    /// A name was removed: drops it and tells watchers (`inotify`), provided that it still leads to `child`.
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`; `ENOTEMPTY` and `EBUSY` for a directory that is in use.
    pub fn delete(&self, parent: u64, child: u64, name: &[u8]) -> Result<(), Errno> {
        let body = wire::NotifyDelete { parent, child, name_length: name.len() as u32, padding: 0 };
        self.send(NotifyCode::Delete, body.as_bytes(), &[name, &[0]])
    }

    /// Puts data into the page cache of an inode that the kernel knows. At most `max_write` bytes at a time.
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`.
    pub fn store(&self, node: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let size = u32::try_from(data.len()).map_err(|_| Errno::EINVAL)?;
        let body = wire::NotifyStore { node, offset, size, padding: 0 };
        self.send(NotifyCode::Store, body.as_bytes(), &[data])
    }

    /// Everything may have changed: every name that is cached now is looked up again before its next use. Also closes the
    /// race with a lookup whose answer is under way. Takes no locks.
    ///
    /// # Errors
    ///
    /// `EINVAL` from kernels before 6.16.
    pub fn increment_epoch(&self) -> Result<(), Errno> {
        self.send(NotifyCode::IncrementEpoch, &[], &[])
    }

    /// Asks the kernel to forget these inodes if nothing uses them; FORGETs follow.
    ///
    /// # Errors
    ///
    /// `EINVAL` from kernels before 6.18.
    pub fn prune(&self, nodes: &[u64]) -> Result<(), Errno> {
        let count = u32::try_from(nodes.len()).map_err(|_| Errno::EINVAL)?;
        let body = wire::NotifyPrune { count, padding: 0, spare: 0 };
        self.send(NotifyCode::Prune, body.as_bytes(), &[nodes.as_bytes()])
    }

    /// Wakes those who wait in `poll(2)`; they ask again what is ready.
    ///
    /// # Errors
    ///
    /// What the kernel answers, except `ENOENT`.
    pub fn poll(&self, wakeup: PollWakeup) -> Result<(), Errno> {
        let body = wire::NotifyPoll { wakeup: wakeup.0 };
        self.send(NotifyCode::Poll, body.as_bytes(), &[])
    }

    fn send(&self, code: NotifyCode, body: &[u8], tail: &[&[u8]]) -> Result<(), Errno> {
        let length = body.len() + tail.iter().map(|part| part.len()).sum::<usize>();
        let header = wire::OutHeader {
            len: u32::try_from(size_of::<wire::OutHeader>() + length).map_err(|_| Errno::EINVAL)?,
            error: code as i32,
            unique: 0,
        };
        let mut parts = [header.as_bytes(), body, &[], &[]];
        parts[2..2 + tail.len()].copy_from_slice(tail);
        match self.device.write(&parts.map(IoSlice::new)) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            result => result.map_err(|error| Errno::new(error.raw_os_error())),
        }
    }
}
