//! What a file system answers.

use crate::{
    CachedAttr, Capabilities, CopyPoint, DirectoryBuffer, DirectoryPlusBuffer, Entry, Errno, Ioctl, IoctlResult,
    LockOwner, LockWait, NameBuffer, OpenFlags, Opened, Poll, ReadOptions, RecordLock, ReleaseOptions, RenameFlags,
    Request, Seek, SetAttr, SetXattrOptions, StatFs, Statx, StatxRequest, ValueBuffer, WriteOptions,
};

/// A file system: one method per request of the kernel.
///
/// Inodes are named by node ids, which the file system chooses and hands out in [`Entry`]s; the root is
/// [`ROOT`](crate::ROOT). Names are bytes without `/` and zero, 1 to 1024 of them (255 through the usual system calls).
///
/// # Threads
///
/// Methods are called by several threads at once, also for one inode. They are synchronous: the answer is what they return.
/// A thread that takes requests serves nothing else while it is in a handler, and over io_uring all requests from its CPU wait
/// with it, so
///
/// - a handler that is about to wait for a disk or a network asks [`Request::may_wait`] first, and is then called again on another
///   thread;
/// - a handler must never wait for something that only another request brings about (a lock's release, say): leave locks to
///   the kernel unless the file system is shared with other machines;
/// - a handler that waits for long should watch [`Request::interrupt`], or its caller cannot
///   be killed.
///
/// A handler that panics answers `EIO`; the session goes on.
///
/// # Defaults
///
/// A method that is not implemented answers `ENOSYS`, unless its documentation says otherwise. The kernel understands
/// that: it stops asking where it can do without (`access`, `flush`, `fsync`, extended attributes, ...), and tells callers
/// `EOPNOTSUPP` or `EINVAL` elsewhere.
#[expect(unused_variables, reason = "the defaults ignore their arguments, whose names document them")]
pub trait Filesystem: Send + Sync + 'static {
    /// The connection stands; no other method was called yet. An error makes the mount fail. By default, nothing.
    fn init(&self, capabilities: &Capabilities) -> Result<(), Errno> {
        Ok(())
    }

    /// The connection has ended; no other method will be called. Open handles and lookup counts are void. By default,
    /// nothing.
    fn destroy(&self) {}

    /// Finds a name in a directory. Counts as a lookup of the node that is returned.
    fn lookup(&self, request: &Request, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        Err(Errno::ENOSYS)
    }

    /// The kernel drops `count` lookups of a node. With none left, no request will name it until it is looked up again.
    /// By default, nothing.
    fn forget(&self, node: u64, count: u64) {}

    /// Reads attributes; `handle` if the call came through an open file.
    fn getattr(&self, request: &Request, node: u64, handle: Option<u64>) -> Result<CachedAttr, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Reads attributes for `statx(2)`, creation time included. `ENOSYS` makes the kernel use `getattr` from then on.
    fn statx(&self, request: &Request, node: u64, wanted: StatxRequest) -> Result<Statx, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Changes attributes.
    fn setattr(&self, request: &Request, node: u64, changes: &SetAttr) -> Result<CachedAttr, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Reads a symbolic link into `target`.
    fn readlink(&self, request: &Request, node: u64, target: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes a symbolic link.
    fn symlink(&self, request: &Request, parent: u64, name: &[u8], target: &[u8]) -> Result<Entry, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes a file, device node, named pipe or socket; `mode` holds the type.
    fn mknod(&self, request: &Request, parent: u64, name: &[u8], mode: u32, rdev: u32) -> Result<Entry, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes a directory; `mode` holds permissions only.
    fn mkdir(&self, request: &Request, parent: u64, name: &[u8], mode: u32) -> Result<Entry, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Removes a name that is not a directory's.
    fn unlink(&self, request: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Removes an empty directory.
    fn rmdir(&self, request: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Gives something another name, in place of what has that name.
    fn rename(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        new_parent: u64,
        new_name: &[u8],
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Gives an inode one more name.
    fn link(&self, request: &Request, node: u64, new_parent: u64, new_name: &[u8]) -> Result<Entry, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Opens a file. By default, succeeds with handle 0.
    ///
    /// `ENOSYS` makes the kernel treat every open as a success without asking again, where it granted
    /// [`Features::NO_OPEN_SUPPORT`](crate::Features::NO_OPEN_SUPPORT).
    fn open(&self, request: &Request, node: u64, flags: OpenFlags) -> Result<Opened, Errno> {
        Ok(Opened::default())
    }

    /// Reads at `offset` into `buffer`, which goes to the kernel as it is, and returns how many bytes it filled. Fewer than
    /// asked for means the end of the file (the kernel fills the rest of a page with zeros). What `buffer` holds before is
    /// undefined.
    fn read(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        buffer: &mut [u8],
        options: ReadOptions,
    ) -> Result<usize, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Writes `data` at `offset` and returns how many bytes it took: all of them, except for direct I/O.
    fn write(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize, Errno> {
        Err(Errno::ENOSYS)
    }

    /// A descriptor of the file was closed; called for each `close(2)`. Errors reach that call.
    fn flush(&self, request: &Request, node: u64, handle: u64, owner: LockOwner) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// The last descriptor of an open file is gone; called once for each successful open. Errors reach nobody. By default,
    /// succeeds.
    fn release(&self, request: &Request, node: u64, handle: u64, options: ReleaseOptions) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes a file's data, and unless `data_only` its attributes, durable. `ENOSYS` lets every fsync succeed unasked.
    fn fsync(&self, request: &Request, node: u64, handle: u64, data_only: bool) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Opens a directory. By default, succeeds with handle 0. `ENOSYS` works as for [`open`](Self::open).
    fn opendir(&self, request: &Request, node: u64, flags: OpenFlags) -> Result<Opened, Errno> {
        Ok(Opened::default())
    }

    /// Lists a directory from `cookie` on (0: from the beginning), until `entries` is full. Nothing added means the end.
    fn readdir(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        cookie: u64,
        entries: &mut DirectoryBuffer<'_>,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Lists a directory with attributes; every entry that is added counts as a lookup. Once
    /// [`Features::READDIRPLUS`](crate::Features::READDIRPLUS) is on it must work: there is no way back to `readdir`.
    fn readdirplus(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// A directory was closed. By default, succeeds.
    fn releasedir(&self, request: &Request, node: u64, handle: u64, options: ReleaseOptions) -> Result<(), Errno> {
        Ok(())
    }

    /// Makes a directory's entries durable. `ENOSYS` lets every fsync of a directory succeed unasked.
    fn fsyncdir(&self, request: &Request, node: u64, handle: u64, data_only: bool) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Tells how full the file system is. By default, an empty one with names up to 255 bytes.
    fn statfs(&self, request: &Request, node: u64) -> Result<StatFs, Errno> {
        Ok(StatFs::default())
    }

    /// Makes everything durable, for `sync(2)` and `syncfs(2)`. Comes only on a `fuseblk` mount.
    fn syncfs(&self, request: &Request, node: u64) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Sets an extended attribute.
    fn setxattr(
        &self,
        request: &Request,
        node: u64,
        name: &[u8],
        value: &[u8],
        options: SetXattrOptions,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Reads an extended attribute into `value`; `ENODATA` if there is none.
    fn getxattr(&self, request: &Request, node: u64, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Lists the names of the extended attributes.
    fn listxattr(&self, request: &Request, node: u64, names: &mut NameBuffer<'_>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Removes an extended attribute; `ENODATA` if there is none.
    fn removexattr(&self, request: &Request, node: u64, name: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Checks permissions for `access(2)`; `mask` holds `R_OK`, `W_OK`, `X_OK`. Never comes with `default_permissions`.
    fn access(&self, request: &Request, node: u64, mask: u32) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes a file and opens it. `ENOSYS` makes the kernel use `mknod` and `open` from then on.
    fn create(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Makes a file without a name and opens it (`O_TMPFILE`).
    fn tmpfile(&self, request: &Request, parent: u64, mode: u32, flags: OpenFlags) -> Result<(Entry, Opened), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Finds a lock that is in the way of `lock`; one of kind [`Unlock`](crate::LockKind::Unlock) if there is none.
    fn getlk(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        owner: LockOwner,
        lock: RecordLock,
    ) -> Result<RecordLock, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Takes, changes or drops a record lock (SETLK and SETLKW).
    fn setlk(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        owner: LockOwner,
        lock: RecordLock,
        wait: LockWait,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Takes, changes or drops a lock of the whole file (`flock(2)`).
    fn flock(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        owner: LockOwner,
        kind: crate::LockKind,
        wait: LockWait,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Carries out an `ioctl(2)` whose data `_IOR()` and its like describe: `input` comes from the caller, `output` goes back.
    fn ioctl(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        ioctl: Ioctl,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoctlResult, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Tells which of the events are ready. `ENOSYS` makes files always ready.
    fn poll(&self, request: &Request, node: u64, handle: u64, poll: Poll) -> Result<u32, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Reserves or frees space; `mode` holds `FALLOC_FL_*`.
    fn fallocate(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        length: u64,
        mode: u32,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }

    /// Finds data or holes; `ENXIO` behind the end. `ENOSYS` makes the kernel see one stretch of data.
    fn lseek(&self, request: &Request, node: u64, handle: u64, offset: u64, seek: Seek) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }

    /// Copies between two files and returns how many bytes it copied. `ENOSYS` makes the kernel read and write instead.
    fn copy_file_range(
        &self,
        request: &Request,
        from: CopyPoint,
        to: CopyPoint,
        length: u64,
        flags: u64,
    ) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
}
