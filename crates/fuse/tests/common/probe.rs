//! A file system with one directory whose files each do something odd.

use fuse::{
    Attr, CachedAttr, DirectoryBuffer, Entry, Errno, FileKind, Filesystem, LockKind, LockOwner, LockWait, OpenFlags,
    Opened, OpenedFlags, ROOT, ReadOptions, RecordLock, Request, SetAttr, WriteOptions,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const PLAIN: u64 = 2;
const BLOCKS: u64 = 3;
const PANICS: u64 = 4;
const WAITS: u64 = 5;
const NAMES: [(u64, &[u8]); 4] = [(PLAIN, b"plain"), (BLOCKS, b"blocks"), (PANICS, b"panics"), (WAITS, b"waits")];

/// How long every plain file is, in bytes.
pub(crate) const SIZE: u64 = 16 << 20;

/// What happened to it.
#[derive(Default)]
pub(crate) struct Probe {
    /// Handlers that wait until they are interrupted.
    pub(crate) blocked: AtomicUsize,
    pub(crate) interrupted: AtomicUsize,
    pub(crate) destroyed: AtomicBool,
    pub(crate) lookups: AtomicUsize,
    pub(crate) syncs: AtomicUsize,
    pub(crate) reads: Mutex<Vec<usize>>,
    pub(crate) writes: Mutex<Vec<usize>>,
    /// What every byte of the plain file is.
    pub(crate) byte: std::sync::atomic::AtomicU8,
}

const VALID: Duration = Duration::from_secs(3600);

fn attr(node: u64) -> Attr {
    let (mode, size) = if node == ROOT { (libc::S_IFDIR | 0o755, 0) } else { (libc::S_IFREG | 0o644, SIZE) };
    Attr { ino: node, mode, size, nlink: 1, ..Attr::default() }
}

impl Probe {
    fn block(&self, request: &Request) -> Errno {
        let interrupt = request.interrupt();
        self.blocked.fetch_add(1, Ordering::SeqCst);
        interrupt.wait();
        self.interrupted.fetch_add(1, Ordering::SeqCst);
        Errno::EINTR
    }
}

impl Filesystem for Probe {
    fn destroy(&self) {
        assert!(!self.destroyed.swap(true, Ordering::SeqCst), "destroyed twice");
    }

    fn lookup(&self, _: &Request, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let found = NAMES.iter().find(|(_, known)| parent == ROOT && *known == name);
        let &(node, _) = found.ok_or(Errno::ENOENT)?;
        Ok(Entry { node, attr: attr(node), attr_valid: VALID, entry_valid: VALID, generation: 0 })
    }

    fn getattr(&self, _: &Request, node: u64, _: Option<u64>) -> Result<CachedAttr, Errno> {
        Ok(CachedAttr { attr: attr(node), attr_valid: VALID })
    }

    fn setattr(&self, _: &Request, node: u64, _: &SetAttr) -> Result<CachedAttr, Errno> {
        Ok(CachedAttr { attr: attr(node), attr_valid: VALID })
    }

    fn open(&self, _: &Request, node: u64, _: OpenFlags) -> Result<Opened, Errno> {
        let flags = if node == PLAIN { OpenedFlags::KEEP_CACHE } else { OpenedFlags::DIRECT_IO };
        Ok(Opened { handle: node, flags })
    }

    fn read(
        &self,
        request: &Request,
        node: u64,
        _: u64,
        offset: u64,
        buffer: &mut [u8],
        _: ReadOptions,
    ) -> Result<usize, Errno> {
        match node {
            BLOCKS => Err(self.block(request)),
            WAITS => {
                request.may_wait()?;
                Err(self.block(request))
            }
            PANICS => panic!("as the test wants it"),
            _ => {
                self.reads.lock().expect("not poisoned").push(buffer.len());
                buffer.fill(self.byte.load(Ordering::SeqCst));
                Ok(buffer.len().min(SIZE.saturating_sub(offset) as usize))
            }
        }
    }

    fn write(&self, _: &Request, _: u64, _: u64, _: u64, data: &[u8], _: WriteOptions) -> Result<usize, Errno> {
        self.writes.lock().expect("not poisoned").push(data.len());
        Ok(data.len())
    }

    fn readdir(
        &self,
        _: &Request,
        _: u64,
        _: u64,
        cookie: u64,
        entries: &mut DirectoryBuffer<'_>,
    ) -> Result<(), Errno> {
        for (index, (node, name)) in NAMES.iter().enumerate().skip(cookie as usize) {
            if !entries.push(*node, index as u64 + 1, FileKind::File, name) {
                break;
            }
        }
        Ok(())
    }

    fn setlk(
        &self,
        request: &Request,
        _: u64,
        _: u64,
        _: LockOwner,
        lock: RecordLock,
        wait: LockWait,
    ) -> Result<(), Errno> {
        match (lock.kind, wait) {
            (LockKind::Unlock, _) => Ok(()),
            (_, LockWait::No) => Err(Errno::EAGAIN),
            (_, LockWait::Yes) => Err(self.block(request)),
        }
    }

    fn syncfs(&self, _: &Request, _: u64) -> Result<(), Errno> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
