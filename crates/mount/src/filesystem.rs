//! The kernel's requests as calls of a volume.

use crate::convert::{self, VALID, errno};
use crate::displaced::Displaced;
use crate::listing::list;
use crate::lookups::Lookups;
use crate::notifications::Notifications;
use crate::{inode_flags, privileges, xattr_name};
use fuse::{
    CachedAttr, CopyPoint, DirectoryBuffer, DirectoryPlusBuffer, Entry, Errno, Filesystem, Ioctl, IoctlResult,
    NameBuffer, Notification, OpenFlags, Opened, OpenedFlags, ReadOptions, RenameFlags, Request, SetAttr, SetXattrMode,
    SetXattrOptions, StatFs, Statx, StatxMask, StatxRequest, ValueBuffer, WriteOptions,
};
use std::sync::Arc;
use std::time::Duration;
use volume::{
    AccessListKind, AccessTimes, Attributes, Creator, Error, FilePoint, Inode, NewInode, NewPermissions, Privileges,
    RenameMode, ReserveSize, SetGroupId, View, Volume, XattrMode,
};

/// A volume as the kernel sees it.
pub(crate) struct VolumeFilesystem {
    volume: Arc<Volume>,
    lookups: Lookups,
    displaced: Displaced,
    access_times: AccessTimes,
    notifications: Arc<Notifications>,
}

impl VolumeFilesystem {
    pub(crate) fn new(volume: Arc<Volume>, access_times: AccessTimes, notifications: Arc<Notifications>) -> Self {
        Self { volume, lookups: Lookups::new(), displaced: Displaced::default(), access_times, notifications }
    }

    /// How long the kernel may keep what it is told. A mirror changes a replica behind its back.
    fn valid(&self) -> Duration {
        if self.volume.is_replica() { Duration::ZERO } else { VALID }
    }

    /// Notes that somebody has read an inode. It does not matter enough to fail what was read.
    fn accessed(&self, node: u64) {
        if let Err(error) = self.volume.accessed(Inode(node), self.access_times) {
            tracing::debug!(node, %error, "a time of access is not set");
        }
    }

    /// Whether a directory has an entry of a name.
    pub(crate) fn has(&self, directory: u64, name: &[u8]) -> Result<bool, Errno> {
        match self.volume.lookup(Inode(directory), name) {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(errno(error)),
        }
    }

    /// An answer that names an inode.
    fn named(&self, inode: Inode, attributes: &Attributes) -> Entry {
        self.lookups.add(inode);
        let mut entry = convert::entry(inode, attributes, self.valid());
        entry.generation += self.displaced.name(inode);
        entry
    }

    fn make(&self, request: &Request, parent: u64, name: &[u8], new: NewInode<'_>, mode: u32) -> Result<Entry, Errno> {
        let made = self.volume.make(Inode(parent), name, new, permissions(request, mode), creator(request));
        let (inode, attributes) = made.map_err(errno)?;
        Ok(self.named(inode, &attributes))
    }

    /// An inode, or the directory that holds it, found without a name.
    fn by_number(&self, inode: Inode, wants_parent: bool) -> Result<Entry, Errno> {
        let attributes = self.volume.attributes(inode).map_err(errno)?;
        if !wants_parent {
            return Ok(self.named(inode, &attributes));
        }
        let parent = Inode(attributes.parent);
        let attributes = self.volume.attributes(parent).map_err(errno)?;
        Ok(self.named(parent, &attributes))
    }

    /// Whether the kernel knows an inode, and so may have it open.
    pub(crate) fn is_known(&self, inode: Inode) -> bool {
        self.lookups.is_known(inode)
    }

    /// These lost their last names, though nobody asked for it here.
    pub(crate) fn lost_their_names(&self, inodes: &[Inode]) {
        inodes.iter().filter(|inode| self.lookups.orphan(**inode)).for_each(|inode| self.reclaim(*inode));
    }

    /// What the kernel knows under these numbers is not what is there now.
    pub(crate) fn displace(&self, inodes: &[Inode]) {
        self.displaced.add(inodes.iter().copied().filter(|inode| self.is_known(*inode)));
    }

    /// Refuses changes of what the kernel may take for something else.
    pub(crate) fn check_not_displaced(&self, node: u64) -> Result<(), Errno> {
        self.displaced.check(Inode(node))
    }

    /// Takes care of an inode that lost its last name.
    fn orphaned(&self, orphan: Option<Inode>) -> Result<(), Errno> {
        match orphan {
            Some(inode) if self.lookups.orphan(inode) => self.volume.reclaim(inode).map_err(errno),
            _ => Ok(()),
        }
    }

    /// Gives back what belonged to an inode without a name. Nobody waits for it who could be told of a failure.
    fn reclaim(&self, inode: Inode) {
        if let Err(error) = self.volume.reclaim(inode) {
            tracing::error!(inode = inode.0, %error, "an inode without a name stays until the pool is opened again");
        }
    }
}

fn creator(request: &Request) -> Creator {
    Creator { uid: request.uid(), gid: request.gid() }
}

/// The kernel leaves the umask to us: a default access list stands in for it.
fn permissions(request: &Request, mode: u32) -> NewPermissions {
    NewPermissions { mode: mode & 0o7777, umask: request.umask() }
}

fn new_inode(mode: u32, rdev: u32) -> Result<NewInode<'static>, Errno> {
    match mode & libc::S_IFMT {
        libc::S_IFREG | 0 => Ok(NewInode::File),
        libc::S_IFIFO => Ok(NewInode::Fifo),
        libc::S_IFSOCK => Ok(NewInode::Socket),
        libc::S_IFCHR => Ok(NewInode::CharacterDevice(rdev)),
        libc::S_IFBLK => Ok(NewInode::BlockDevice(rdev)),
        _ => Err(Errno::EINVAL),
    }
}

/// The kernel knows all of a file that was just made, and nothing happens at its close.
fn just_made() -> Opened {
    Opened { handle: 0, flags: OpenedFlags::KEEP_CACHE | OpenedFlags::NOFLUSH }
}

fn rename_mode(flags: RenameFlags) -> Result<RenameMode, Errno> {
    match flags.without(RenameFlags::WHITEOUT) {
        flags if flags == RenameFlags::default() => Ok(RenameMode::Replace),
        RenameFlags::NO_REPLACE => Ok(RenameMode::NoReplace),
        RenameFlags::EXCHANGE => Ok(RenameMode::Exchange),
        _ => Err(Errno::EINVAL),
    }
}

impl Filesystem for VolumeFilesystem {
    /// `.` and `..` come from file handles (open_by_handle_at(2)): the kernel does not know the inode, and it may be long gone.
    fn lookup(&self, _: &Request, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        if matches!(name, b"." | b"..") {
            return self.by_number(Inode(parent), name == b"..");
        }
        match self.volume.lookup(Inode(parent), name) {
            Ok((inode, attributes)) => Ok(self.named(inode, &attributes)),
            Err(Error::NotFound) => Ok(Entry::negative(self.valid())),
            Err(error) => Err(errno(error)),
        }
    }

    fn forget(&self, node: u64, count: u64) {
        if self.lookups.forget(Inode(node), count) {
            self.reclaim(Inode(node));
        }
    }

    /// The kernel knows nothing any more.
    fn destroy(&self) {
        self.lookups.take_orphans().into_iter().for_each(|inode| self.reclaim(inode));
    }

    fn getattr(&self, _: &Request, node: u64, _: Option<u64>) -> Result<CachedAttr, Errno> {
        let attributes = self.volume.attributes(Inode(node)).map_err(errno)?;
        Ok(convert::cached(Inode(node), &attributes, self.valid()))
    }

    fn statx(&self, _: &Request, node: u64, _: StatxRequest) -> Result<Statx, Errno> {
        let attributes = self.volume.attributes(Inode(node)).map_err(errno)?;
        let CachedAttr { attr, attr_valid } = convert::cached(Inode(node), &attributes, self.valid());
        Ok(Statx {
            attr,
            attr_valid,
            mask: StatxMask::BASIC | StatxMask::BTIME,
            attributes: inode_flags::statx_attributes(attributes.flags),
            attributes_mask: inode_flags::statx_mask(),
        })
    }

    fn setattr(&self, request: &Request, node: u64, changes: &SetAttr) -> Result<CachedAttr, Errno> {
        let privileges = privileges::of_set_attr(&self.volume, request, Inode(node), changes);
        let changes = convert::changes(changes, privileges);
        let attributes = self.volume.set_attributes(Inode(node), &changes).map_err(errno)?;
        Ok(convert::cached(Inode(node), &attributes, self.valid()))
    }

    fn readlink(&self, _: &Request, node: u64, target: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        let path = self.volume.read_link(Inode(node)).map_err(errno)?;
        self.accessed(node);
        target.append(&path)
    }

    fn symlink(&self, request: &Request, parent: u64, name: &[u8], target: &[u8]) -> Result<Entry, Errno> {
        self.make(request, parent, name, NewInode::Symlink(target), 0o777)
    }

    fn mknod(&self, request: &Request, parent: u64, name: &[u8], mode: u32, rdev: u32) -> Result<Entry, Errno> {
        self.make(request, parent, name, new_inode(mode, rdev)?, mode)
    }

    fn mkdir(&self, request: &Request, parent: u64, name: &[u8], mode: u32) -> Result<Entry, Errno> {
        self.make(request, parent, name, NewInode::Directory, mode)
    }

    fn unlink(&self, _: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.orphaned(self.volume.unlink(Inode(parent), name).map_err(errno)?)
    }

    fn rmdir(&self, _: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.orphaned(self.volume.remove_directory(Inode(parent), name).map_err(errno)?)
    }

    fn rename(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        new_parent: u64,
        new_name: &[u8],
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (from, to) = ((Inode(parent), name), (Inode(new_parent), new_name));
        let mode = rename_mode(flags)?;
        let replaced = match flags.contains(RenameFlags::WHITEOUT) {
            true => self.volume.rename_with_whiteout(from, to, mode, creator(request)),
            false => self.volume.rename(from, to, mode),
        };
        self.orphaned(replaced.map_err(errno)?)
    }

    fn link(&self, _: &Request, node: u64, new_parent: u64, new_name: &[u8]) -> Result<Entry, Errno> {
        let attributes = self.volume.link(Inode(node), Inode(new_parent), new_name).map_err(errno)?;
        self.lookups.adopt(Inode(node));
        Ok(self.named(Inode(node), &attributes))
    }

    /// The kernel need not ask: there is nothing to do at an open.
    fn open(&self, _: &Request, _: u64, _: OpenFlags) -> Result<Opened, Errno> {
        Err(Errno::ENOSYS)
    }

    fn opendir(&self, _: &Request, _: u64, _: OpenFlags) -> Result<Opened, Errno> {
        Err(Errno::ENOSYS)
    }

    fn create(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        mode: u32,
        _: OpenFlags,
    ) -> Result<(Entry, Opened), Errno> {
        let entry = self.make(request, parent, name, NewInode::File, mode)?;
        Ok((entry, just_made()))
    }

    fn tmpfile(&self, request: &Request, parent: u64, mode: u32, _: OpenFlags) -> Result<(Entry, Opened), Errno> {
        let made = self.volume.make_unnamed(Inode(parent), permissions(request, mode), creator(request));
        let (inode, attributes) = made.map_err(errno)?;
        let entry = self.named(inode, &attributes);
        self.orphaned(Some(inode))?;
        Ok((entry, just_made()))
    }

    fn read(
        &self,
        request: &Request,
        node: u64,
        _: u64,
        offset: u64,
        buffer: &mut [u8],
        options: ReadOptions,
    ) -> Result<usize, Errno> {
        let length = match request.may_wait() {
            Ok(()) => self.volume.read(Inode(node), offset, buffer).map_err(errno)?,
            Err(later) => self.volume.read_at_hand(Inode(node), offset, buffer).map_err(errno)?.ok_or(later)?,
        };
        if !options.open_flags.contains(libc::O_NOATIME) {
            self.accessed(node);
        }
        Ok(length)
    }

    fn write(
        &self,
        request: &Request,
        node: u64,
        _: u64,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize, Errno> {
        let privileges = privileges::of_write(&self.volume, request, Inode(node), options);
        self.volume.write(Inode(node), offset, data, privileges).map_err(errno)?;
        Ok(data.len())
    }

    fn fsync(&self, request: &Request, _: u64, _: u64, _: bool) -> Result<(), Errno> {
        request.may_wait()?;
        self.volume.sync().map_err(errno)
    }

    fn fsyncdir(&self, request: &Request, _: u64, _: u64, _: bool) -> Result<(), Errno> {
        request.may_wait()?;
        self.volume.sync().map_err(errno)
    }

    fn syncfs(&self, request: &Request, _: u64) -> Result<(), Errno> {
        request.may_wait()?;
        self.volume.settle_accesses();
        self.volume.sync().map_err(errno)
    }

    fn readdir(
        &self,
        _: &Request,
        node: u64,
        _: u64,
        cookie: u64,
        entries: &mut DirectoryBuffer<'_>,
    ) -> Result<(), Errno> {
        self.accessed(node);
        list(&self.volume, Inode(node), cookie, |entry| {
            Ok(entries.push(entry.inode.0, entry.cookie, convert::file_kind(entry.kind), &entry.name))
        })
    }

    fn readdirplus(
        &self,
        _: &Request,
        node: u64,
        _: u64,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<(), Errno> {
        self.accessed(node);
        list(&self.volume, Inode(node), cookie, |entry| {
            let is_dot = matches!(&*entry.name, b"." | b"..");
            if is_dot {
                let kind = convert::file_kind(entry.kind);
                return Ok(entries.push_name(entry.inode.0, entry.cookie, kind, &entry.name));
            }
            if !entries.fits(entry.name.len()) {
                return Ok(false);
            }
            match self.volume.attributes(entry.inode) {
                Ok(attributes) => Ok(entries.push(&self.named(entry.inode, &attributes), entry.cookie, &entry.name)),
                // Removed since the name was read.
                Err(Error::NotFound) => Ok(true),
                Err(error) => Err(errno(error)),
            }
        })
    }

    fn statfs(&self, _: &Request, _: u64) -> Result<StatFs, Errno> {
        let space = self.volume.space().map_err(errno)?;
        let shape = StatFs::default();
        let blocks = |bytes: u64| bytes / shape.block_size as u64;
        Ok(StatFs {
            blocks: blocks(space.total_bytes()),
            blocks_free: blocks(space.free_bytes()),
            blocks_available: blocks(space.free_bytes()),
            files: space.inodes + space.inodes_free,
            files_free: space.inodes_free,
            ..shape
        })
    }

    fn setxattr(
        &self,
        _: &Request,
        node: u64,
        name: &[u8],
        value: &[u8],
        options: SetXattrOptions,
    ) -> Result<(), Errno> {
        if let Some(kind) = AccessListKind::of_xattr(name) {
            let set_group_id = if options.acl_kill_sgid { SetGroupId::Drop } else { SetGroupId::Keep };
            return self.volume.set_access_list(Inode(node), kind, value, set_group_id).map_err(errno);
        }
        xattr_name::check(name)?;
        let mode = match options.mode {
            SetXattrMode::Set => XattrMode::Set,
            SetXattrMode::Create => XattrMode::Create,
            SetXattrMode::Replace => XattrMode::Replace,
            SetXattrMode::CreateAndReplace => XattrMode::CreateAndReplace,
        };
        self.volume.set_xattr(Inode(node), name, value, mode).map_err(errno)
    }

    fn getxattr(&self, _: &Request, node: u64, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        if AccessListKind::of_xattr(name).is_none() {
            xattr_name::check(name)?;
        }
        value.append(&self.volume.xattr(Inode(node), name).map_err(errno)?)
    }

    fn listxattr(&self, request: &Request, node: u64, names: &mut NameBuffer<'_>) -> Result<(), Errno> {
        let all = self.volume.xattr_names(Inode(node)).map_err(errno)?;
        let listed = all.iter().filter(|name| xattr_name::is_listed(name, request.uid()));
        listed.into_iter().try_for_each(|name| names.push(name))
    }

    fn removexattr(&self, _: &Request, node: u64, name: &[u8]) -> Result<(), Errno> {
        if let Some(kind) = AccessListKind::of_xattr(name) {
            return self.volume.remove_access_list(Inode(node), kind).map_err(errno);
        }
        xattr_name::check(name)?;
        self.volume.remove_xattr(Inode(node), name).map_err(errno)
    }

    fn ioctl(
        &self,
        _: &Request,
        node: u64,
        _: u64,
        ioctl: Ioctl,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoctlResult, Errno> {
        let result = inode_flags::ioctl(&self.volume, Inode(node), ioctl, input, output)?;
        if inode_flags::is_set_by(ioctl) {
            // The kernel keeps the attributes that it knows (`fuse_fileattr_set`), and with them the old time of change.
            self.notifications.offer([Notification::InvalidateInode { node, offset: -1, length: 0 }]);
        }
        Ok(result)
    }

    /// In steps, each of which is whole; who is interrupted finds a part of it done.
    fn fallocate(
        &self,
        request: &Request,
        node: u64,
        _: u64,
        offset: u64,
        length: u64,
        mode: u32,
    ) -> Result<(), Errno> {
        const KEEP_SIZE: u32 = libc::FALLOC_FL_KEEP_SIZE as u32;
        const PUNCH: u32 = libc::FALLOC_FL_PUNCH_HOLE as u32 | KEEP_SIZE;
        const ZERO: u32 = libc::FALLOC_FL_ZERO_RANGE as u32;
        const ZERO_KEEP_SIZE: u32 = ZERO | KEEP_SIZE;
        let mut done = 0;
        loop {
            let (offset, length) = (offset.saturating_add(done), length - done);
            let step = match mode {
                0 => self.volume.reserve(Inode(node), offset, length, ReserveSize::Extend),
                KEEP_SIZE => self.volume.reserve(Inode(node), offset, length, ReserveSize::Keep),
                PUNCH => self.volume.punch(Inode(node), offset, length),
                ZERO => self.volume.zero(Inode(node), offset, length, ReserveSize::Extend),
                ZERO_KEEP_SIZE => self.volume.zero(Inode(node), offset, length, ReserveSize::Keep),
                _ => return Err(Errno::EOPNOTSUPP),
            };
            done += step.map_err(errno)?;
            if done >= length {
                return Ok(());
            }
            if request.interrupted() {
                return Err(Errno::EINTR);
            }
        }
    }

    fn lseek(&self, _: &Request, node: u64, _: u64, offset: u64, seek: fuse::Seek) -> Result<u64, Errno> {
        self.volume.seek(Inode(node), offset, convert::seek(seek)).map_err(errno)
    }

    /// By reference, however long: in steps, each of which is whole. A failure behind the first one makes the copy a short one.
    fn copy_file_range(
        &self,
        request: &Request,
        from: CopyPoint,
        to: CopyPoint,
        length: u64,
        flags: u64,
    ) -> Result<u64, Errno> {
        let (from, to) = (file_point(Inode(from.node), from), file_point(Inode(to.node), to));
        copy_in_steps(request, length, flags, |done, length| {
            self.volume.clone_range(from.plus(done), to.plus(done), length, Privileges::Keep)
        })
    }
}

impl VolumeFilesystem {
    /// As `copy_file_range`, out of a kept state.
    pub(crate) fn copy_from(
        &self,
        request: &Request,
        (view, inode): (&View, Inode),
        from: CopyPoint,
        to: CopyPoint,
        length: u64,
        flags: u64,
    ) -> Result<u64, Errno> {
        let (from, to) = (file_point(inode, from), file_point(Inode(to.node), to));
        copy_in_steps(request, length, flags, |done, length| {
            self.volume.clone_out_of(view, from.plus(done), to.plus(done), length, Privileges::Keep)
        })
    }

    /// The inodes that the kernel knows.
    pub(crate) fn known_inodes(&self) -> Vec<Inode> {
        self.lookups.known()
    }
}

fn file_point(inode: Inode, point: CopyPoint) -> FilePoint {
    FilePoint { inode, offset: point.offset }
}

/// Copies from where the steps before ended, until nothing is left, nothing more comes, or somebody wants it to end.
fn copy_in_steps(
    request: &Request,
    length: u64,
    flags: u64,
    mut copy: impl FnMut(u64, u64) -> volume::Result<u64>,
) -> Result<u64, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    while done < length && !(done > 0 && request.interrupted()) {
        match copy(done, length - done) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(error) if done == 0 => return Err(errno(error)),
            Err(_) => break,
        }
    }
    Ok(done)
}
