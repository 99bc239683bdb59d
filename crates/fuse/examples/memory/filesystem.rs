//! The requests.

use crate::data::Data;
use crate::directory::{Directory, Record};
use crate::inode::{Body, Inode, State};
use fuse::{
    Attr, CachedAttr, DirectoryBuffer, DirectoryPlusBuffer, Entry, Errno, FileKind, Filesystem, NameBuffer, OpenFlags,
    Opened, OpenedFlags, ROOT, ReadOptions, RenameFlags, Request, SetAttr, SetXattrMode, SetXattrOptions, StatFs,
    Statx, StatxMask, StatxRequest, Timestamp, ValueBuffer, WriteOptions,
};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Result<T> = std::result::Result<T, Errno>;

/// Nobody changes anything behind the kernel's back, so it may keep what it knows.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);
/// Inodes are spread over this many maps, so that threads seldom wait for each other.
const SHARDS: usize = 64;

/// A file system in memory.
///
/// A request locks at most one directory and then inodes in it. Only a rename locks two directories, the one with the smaller
/// node id first, and only one rename at a time. That is enough because the kernel holds its own locks on the directories of
/// a request: what would deadlock with a rename never comes while one is under way.
pub(crate) struct Memory {
    shards: [RwLock<HashMap<u64, Arc<Inode>>>; SHARDS],
    next: AtomicU64,
    renaming: Mutex<()>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let memory = Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            next: AtomicU64::new(ROOT),
            renaming: Mutex::new(()),
        };
        let caller = Request::new(fuse::Caller::default());
        memory.make(&caller, libc::S_IFDIR | 0o755, 0, Body::Directory(Directory::new(ROOT)));
        memory
    }

    fn shard(&self, node: u64) -> &RwLock<HashMap<u64, Arc<Inode>>> {
        &self.shards[node as usize % SHARDS]
    }

    fn inode(&self, node: u64) -> Result<Arc<Inode>> {
        self.shard(node).read().get(&node).cloned().ok_or(Errno::ESTALE)
    }

    fn make(&self, request: &Request, mode: u32, rdev: u32, body: Body) -> (u64, Arc<Inode>) {
        let node = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Timestamp::now();
        let attr = Attr {
            ino: node,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            mode,
            nlink: if mode & libc::S_IFMT == libc::S_IFDIR { 2 } else { 1 },
            uid: request.uid(),
            gid: request.gid(),
            rdev,
            blksize: 128 * 1024,
            ..Attr::default()
        };
        let inode = Arc::new(Inode::new(attr, body));
        self.shard(node).write().insert(node, inode.clone());
        (node, inode)
    }

    /// Makes an inode and gives it a name.
    fn add(&self, request: &Request, parent: u64, name: &[u8], mode: u32, rdev: u32, body: Body) -> Result<Entry> {
        let parent = self.inode(parent)?;
        let mut state = parent.state.write();
        if state.directory()?.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        let (node, inode) = self.make(request, mode, rdev, body);
        insert(&mut state, name, node, mode)?;
        Ok(entry(node, &inode))
    }

    /// Takes a name away, and with the last one the inode.
    fn remove(&self, parent: u64, name: &[u8], allowed: impl Fn(&State) -> Result<()>) -> Result<()> {
        let parent = self.inode(parent)?;
        let mut state = parent.state.write();
        let record = state.directory()?.get(name).ok_or(Errno::ENOENT)?.clone();
        let inode = self.inode(record.node)?;
        allowed(&inode.state.read())?;
        take(&mut state, name);
        self.unlinked(&record, &inode);
        Ok(())
    }

    fn unlinked(&self, record: &Record, inode: &Inode) {
        let mut state = inode.state.write();
        state.attr.nlink = if is_directory(record.mode) { 0 } else { state.attr.nlink - 1 };
        state.attr.ctime = Timestamp::now();
        if state.attr.nlink == 0 && !inode.is_known() {
            self.shard(record.node).write().remove(&record.node);
        }
    }

    /// A rename within two locked directories, or within one if `target` is `None`.
    fn move_entry(&self, source: &mut State, name: &[u8], target: Option<&mut State>, new: &[u8]) -> Result<()> {
        let record = source.directory()?.get(name).ok_or(Errno::ENOENT)?.clone();
        let old = target.as_deref().unwrap_or(source).directory()?.get(new).cloned();
        if let Some(old) = &old {
            if old.node == record.node {
                return Ok(());
            }
            self.check_replace(&record, old)?;
        }
        take(source, name);
        let target = target.unwrap_or(source);
        if let Some(old) = old {
            take(target, new);
            self.unlinked(&old, &*self.inode(old.node)?);
        }
        insert(target, new, record.node, record.mode)?;
        self.moved(&record, target)
    }

    fn check_replace(&self, record: &Record, old: &Record) -> Result<()> {
        match (is_directory(record.mode), is_directory(old.mode)) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (false, false) => Ok(()),
            (true, true) if self.inode(old.node)?.state.read().directory()?.is_empty() => Ok(()),
            (true, true) => Err(Errno::ENOTEMPTY),
        }
    }

    /// Swaps what two names lead to.
    fn exchange(&self, source: &mut State, name: &[u8], target: Option<&mut State>, new: &[u8]) -> Result<()> {
        let first = source.directory()?.get(name).ok_or(Errno::ENOENT)?.clone();
        let second = target.as_deref().unwrap_or(source).directory()?.get(new).ok_or(Errno::ENOENT)?.clone();
        take(source, name);
        insert(source, name, second.node, second.mode)?;
        self.moved(&second, source)?;
        let target = target.unwrap_or(source);
        take(target, new);
        insert(target, new, first.node, first.mode)?;
        self.moved(&first, target)
    }

    /// A directory remembers where `..` leads.
    fn moved(&self, record: &Record, to: &State) -> Result<()> {
        if is_directory(record.mode) {
            self.inode(record.node)?.state.write().directory_mut()?.parent = to.attr.ino;
        }
        Ok(())
    }

    fn rename_locked(
        &self,
        source: &mut State,
        name: &[u8],
        target: Option<&mut State>,
        new: &[u8],
        flags: RenameFlags,
    ) -> Result<()> {
        if flags.contains(RenameFlags::EXCHANGE) {
            return self.exchange(source, name, target, new);
        }
        let taken = target.as_deref().unwrap_or(source).directory()?.get(new).is_some();
        if flags.contains(RenameFlags::NO_REPLACE) && taken {
            return Err(Errno::EEXIST);
        }
        self.move_entry(source, name, target, new)
    }
}

fn is_directory(mode: u32) -> bool {
    mode & libc::S_IFMT == libc::S_IFDIR
}

fn insert(state: &mut State, name: &[u8], node: u64, mode: u32) -> Result<()> {
    state.directory_mut()?.insert(name, node, mode);
    state.attr.nlink += u32::from(is_directory(mode));
    state.touch();
    Ok(())
}

fn take(state: &mut State, name: &[u8]) {
    let record = state.directory_mut().ok().and_then(|directory| directory.remove(name));
    state.attr.nlink -= u32::from(record.is_some_and(|record| is_directory(record.mode)));
    state.touch();
}

fn entry(node: u64, inode: &Inode) -> Entry {
    Entry { node, generation: 0, attr: inode.look_up(), entry_valid: VALID, attr_valid: VALID }
}

fn opened() -> Opened {
    Opened { handle: 0, flags: OpenedFlags::KEEP_CACHE | OpenedFlags::NOFLUSH }
}

impl Filesystem for Memory {
    fn lookup(&self, _: &Request, parent: u64, name: &[u8]) -> Result<Entry> {
        let parent = self.inode(parent)?;
        let state = parent.state.read();
        match state.directory()?.get(name) {
            Some(record) => Ok(entry(record.node, &*self.inode(record.node)?)),
            None => Ok(Entry::negative(VALID)),
        }
    }

    fn forget(&self, node: u64, count: u64) {
        let Ok(inode) = self.inode(node) else { return };
        if inode.forget(count) {
            self.shard(node).write().remove(&node);
        }
    }

    fn getattr(&self, _: &Request, node: u64, _: Option<u64>) -> Result<CachedAttr> {
        Ok(CachedAttr { attr: self.inode(node)?.state.read().attr(), attr_valid: VALID })
    }

    fn statx(&self, _: &Request, node: u64, _: StatxRequest) -> Result<Statx> {
        let attr = self.inode(node)?.state.read().attr();
        Ok(Statx { attr, attr_valid: VALID, mask: StatxMask::BASIC | StatxMask::BTIME, ..Statx::default() })
    }

    fn setattr(&self, _: &Request, node: u64, changes: &SetAttr) -> Result<CachedAttr> {
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        state.change(changes)?;
        Ok(CachedAttr { attr: state.attr(), attr_valid: VALID })
    }

    fn readlink(&self, _: &Request, node: u64, target: &mut ValueBuffer<'_>) -> Result<()> {
        match &self.inode(node)?.state.read().body {
            Body::Link(path) => target.append(path),
            _ => Err(Errno::EINVAL),
        }
    }

    fn symlink(&self, request: &Request, parent: u64, name: &[u8], target: &[u8]) -> Result<Entry> {
        self.add(request, parent, name, libc::S_IFLNK | 0o777, 0, Body::Link(target.into()))
    }

    fn mknod(&self, request: &Request, parent: u64, name: &[u8], mode: u32, rdev: u32) -> Result<Entry> {
        let body = if mode & libc::S_IFMT == libc::S_IFREG { Body::File(Data::default()) } else { Body::Special };
        self.add(request, parent, name, mode, rdev, body)
    }

    fn mkdir(&self, request: &Request, parent: u64, name: &[u8], mode: u32) -> Result<Entry> {
        let body = Body::Directory(Directory::new(parent));
        self.add(request, parent, name, libc::S_IFDIR | (mode & 0o7777), 0, body)
    }

    fn unlink(&self, _: &Request, parent: u64, name: &[u8]) -> Result<()> {
        self.remove(parent, name, |state| if state.directory().is_ok() { Err(Errno::EISDIR) } else { Ok(()) })
    }

    fn rmdir(&self, _: &Request, parent: u64, name: &[u8]) -> Result<()> {
        self.remove(parent, name, |state| if state.directory()?.is_empty() { Ok(()) } else { Err(Errno::ENOTEMPTY) })
    }

    fn rename(&self, _: &Request, from: u64, name: &[u8], to: u64, new: &[u8], flags: RenameFlags) -> Result<()> {
        if flags.contains(RenameFlags::WHITEOUT) {
            return Err(Errno::EINVAL);
        }
        let _one_at_a_time = self.renaming.lock();
        let (source, target) = (self.inode(from)?, self.inode(to)?);
        if from == to {
            return self.rename_locked(&mut source.state.write(), name, None, new, flags);
        }
        let (mut source, mut target) = if from < to {
            let first = source.state.write();
            (first, target.state.write())
        } else {
            let first = target.state.write();
            (source.state.write(), first)
        };
        self.rename_locked(&mut source, name, Some(&mut target), new, flags)
    }

    fn link(&self, _: &Request, node: u64, new_parent: u64, new_name: &[u8]) -> Result<Entry> {
        let parent = self.inode(new_parent)?;
        let mut directory = parent.state.write();
        if directory.directory()?.get(new_name).is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        state.attr.nlink += 1;
        state.attr.ctime = Timestamp::now();
        insert(&mut directory, new_name, node, state.attr.mode)?;
        drop(state);
        Ok(entry(node, &inode))
    }

    /// The kernel need not ask: there is nothing to open.
    fn open(&self, _: &Request, _: u64, _: OpenFlags) -> Result<Opened> {
        Err(Errno::ENOSYS)
    }

    fn opendir(&self, _: &Request, _: u64, _: OpenFlags) -> Result<Opened> {
        Err(Errno::ENOSYS)
    }

    fn create(&self, request: &Request, parent: u64, name: &[u8], mode: u32, _: OpenFlags) -> Result<(Entry, Opened)> {
        let body = Body::File(Data::default());
        let entry = self.add(request, parent, name, libc::S_IFREG | (mode & 0o7777), 0, body)?;
        Ok((entry, opened()))
    }

    fn tmpfile(&self, request: &Request, _: u64, mode: u32, _: OpenFlags) -> Result<(Entry, Opened)> {
        let (node, inode) = self.make(request, libc::S_IFREG | (mode & 0o7777), 0, Body::File(Data::default()));
        inode.state.write().attr.nlink = 0;
        Ok((entry(node, &inode), opened()))
    }

    fn read(&self, _: &Request, node: u64, _: u64, offset: u64, buffer: &mut [u8], _: ReadOptions) -> Result<usize> {
        Ok(self.inode(node)?.state.read().data()?.read(offset, buffer))
    }

    fn write(&self, _: &Request, node: u64, _: u64, offset: u64, data: &[u8], _: WriteOptions) -> Result<usize> {
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        state.data_mut()?.write(offset, data);
        state.touch();
        Ok(data.len())
    }

    fn fallocate(&self, _: &Request, node: u64, _: u64, offset: u64, length: u64, mode: u32) -> Result<()> {
        let keep_size = mode & libc::FALLOC_FL_KEEP_SIZE as u32 != 0;
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        let data = state.data_mut()?;
        match mode as i32 & !libc::FALLOC_FL_KEEP_SIZE {
            libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE => data.clear(offset, length),
            0 => {}
            _ => return Err(Errno::EOPNOTSUPP),
        }
        if !keep_size && data.len() < offset + length {
            data.set_len(offset + length);
        }
        state.touch();
        Ok(())
    }

    fn readdir(&self, _: &Request, node: u64, _: u64, cookie: u64, entries: &mut DirectoryBuffer<'_>) -> Result<()> {
        let inode = self.inode(node)?;
        let state = inode.state.read();
        let directory = state.directory()?;
        for (at, ino, name) in [(1, node, &b"."[..]), (2, directory.parent, b"..")] {
            if cookie < at && !entries.push(ino, at, FileKind::Directory, name) {
                return Ok(());
            }
        }
        for (at, record) in directory.after(cookie) {
            if !entries.push(record.node, at, FileKind::from_mode(record.mode), &record.name) {
                break;
            }
        }
        Ok(())
    }

    fn readdirplus(
        &self,
        _: &Request,
        node: u64,
        _: u64,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<()> {
        let inode = self.inode(node)?;
        let state = inode.state.read();
        let directory = state.directory()?;
        for (at, ino, name) in [(1, node, &b"."[..]), (2, directory.parent, b"..")] {
            if cookie < at && !entries.push_name(ino, at, FileKind::Directory, name) {
                return Ok(());
            }
        }
        for (at, record) in directory.after(cookie) {
            if !entries.fits(record.name.len()) {
                break;
            }
            let entry = entry(record.node, &*self.inode(record.node)?);
            let _fits = entries.push(&entry, at, &record.name);
        }
        Ok(())
    }

    fn statfs(&self, _: &Request, _: u64) -> Result<StatFs> {
        let (blocks, files) = (1 << 28, 1 << 30);
        Ok(StatFs {
            blocks,
            blocks_free: blocks,
            blocks_available: blocks,
            files,
            files_free: files,
            ..StatFs::default()
        })
    }

    fn setxattr(&self, _: &Request, node: u64, name: &[u8], value: &[u8], options: SetXattrOptions) -> Result<()> {
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        match (options.mode, state.xattrs.contains_key(name)) {
            (SetXattrMode::Create | SetXattrMode::CreateAndReplace, true) => return Err(Errno::EEXIST),
            (SetXattrMode::Replace | SetXattrMode::CreateAndReplace, false) => return Err(Errno::ENODATA),
            _ => state.xattrs.insert(name.into(), value.into()),
        };
        state.attr.ctime = Timestamp::now();
        Ok(())
    }

    fn getxattr(&self, _: &Request, node: u64, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<()> {
        let inode = self.inode(node)?;
        let state = inode.state.read();
        value.append(state.xattrs.get(name).ok_or(Errno::ENODATA)?)
    }

    fn listxattr(&self, _: &Request, node: u64, names: &mut NameBuffer<'_>) -> Result<()> {
        let inode = self.inode(node)?;
        let state = inode.state.read();
        state.xattrs.keys().try_for_each(|name| names.push(name))
    }

    fn removexattr(&self, _: &Request, node: u64, name: &[u8]) -> Result<()> {
        let inode = self.inode(node)?;
        let mut state = inode.state.write();
        state.xattrs.remove(name).ok_or(Errno::ENODATA)?;
        state.attr.ctime = Timestamp::now();
        Ok(())
    }

    fn syncfs(&self, _: &Request, _: u64) -> Result<()> {
        Ok(())
    }
}
