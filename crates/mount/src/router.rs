//! Sends each request to the newest state or to the past, by the node that it names. The past refuses what would change it.

use crate::filesystem::VolumeFilesystem;
use crate::kernel_caches::KernelCaches;
use crate::notifications::Notifications;
use crate::past::{Past, SNAPSHOTS};
use crate::place::Place;
use fuse::{
    CachedAttr, CopyPoint, DirectoryBuffer, DirectoryPlusBuffer, Entry, Errno, Filesystem, Ioctl, IoctlResult,
    NameBuffer, OpenFlags, Opened, ReadOptions, RenameFlags, Request, SetAttr, SetXattrOptions, StatFs, Statx,
    StatxMask, StatxRequest, ValueBuffer, WriteOptions,
};
use std::sync::Arc;
use volume::{AccessTimes, Volume};

/// Everything that the kernel sees of a volume.
pub(crate) struct Router {
    live: Arc<VolumeFilesystem>,
    past: Arc<Past>,
    notifications: Arc<Notifications>,
}

impl Router {
    pub(crate) fn new(volume: Arc<Volume>, access_times: AccessTimes) -> Self {
        let notifications = Arc::<Notifications>::default();
        let past = Arc::new(Past::new(volume.clone(), notifications.clone()));
        let live = Arc::new(VolumeFilesystem::new(volume, access_times, notifications.clone()));
        Self { live, past, notifications }
    }

    /// The way to the kernel, for who has its end.
    pub(crate) fn notifications(&self) -> &Arc<Notifications> {
        &self.notifications
    }

    /// What the kernel knows of both.
    pub(crate) fn kernel_caches(&self) -> KernelCaches {
        KernelCaches { live: self.live.clone(), past: self.past.clone(), notifications: self.notifications.clone() }
    }

    /// Lets changes of the newest state through.
    fn live(&self, node: u64) -> Result<&VolumeFilesystem, Errno> {
        if !Place::of(node).is_live() {
            return Err(Errno::EROFS);
        }
        self.live.check_not_displaced(node)?;
        Ok(&self.live)
    }

    /// As [`Router::live`], for making a name, which cannot be that of the past.
    fn live_new(&self, node: u64, name: &[u8]) -> Result<&VolumeFilesystem, Errno> {
        let live = self.live(node)?;
        if name == SNAPSHOTS { Err(Errno::EEXIST) } else { Ok(live) }
    }

    /// As [`Router::live`], for taking away or replacing what has a name. A volume may have such a name from elsewhere.
    fn live_old(&self, node: u64, name: &[u8]) -> Result<&VolumeFilesystem, Errno> {
        let live = self.live(node)?;
        if name == SNAPSHOTS && !live.has(node, name)? { Err(Errno::EPERM) } else { Ok(live) }
    }
}

impl Filesystem for Router {
    fn lookup(&self, request: &Request, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        match Place::of(parent) {
            Place::Live(directory) if name == SNAPSHOTS && !self.live.has(parent, name)? => self.past.shelf(directory),
            Place::Live(_) => self.live.lookup(request, parent, name),
            Place::Shelf(directory) if name == b".." => self.live.lookup(request, directory.0, b"."),
            place => self.past.lookup(place, name),
        }
    }

    fn forget(&self, node: u64, count: u64) {
        match Place::of(node) {
            Place::Live(_) => self.live.forget(node, count),
            place => self.past.forget(place, count),
        }
    }

    fn destroy(&self) {
        self.live.destroy();
        self.past.destroy();
    }

    fn getattr(&self, request: &Request, node: u64, handle: Option<u64>) -> Result<CachedAttr, Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.getattr(request, node, handle),
            place => self.past.getattr(place),
        }
    }

    fn statx(&self, request: &Request, node: u64, wanted: StatxRequest) -> Result<Statx, Errno> {
        let place = Place::of(node);
        if place.is_live() {
            return self.live.statx(request, node, wanted);
        }
        let CachedAttr { attr, attr_valid } = self.past.getattr(place)?;
        let mask = StatxMask::BASIC | StatxMask::BTIME;
        Ok(Statx { attr, attr_valid, mask, attributes: 0, attributes_mask: 0 })
    }

    fn setattr(&self, request: &Request, node: u64, changes: &SetAttr) -> Result<CachedAttr, Errno> {
        self.live(node)?.setattr(request, node, changes)
    }

    fn readlink(&self, request: &Request, node: u64, target: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.readlink(request, node, target),
            place => self.past.readlink(place, target),
        }
    }

    fn symlink(&self, request: &Request, parent: u64, name: &[u8], target: &[u8]) -> Result<Entry, Errno> {
        self.live_new(parent, name)?.symlink(request, parent, name, target)
    }

    fn mknod(&self, request: &Request, parent: u64, name: &[u8], mode: u32, rdev: u32) -> Result<Entry, Errno> {
        self.live_new(parent, name)?.mknod(request, parent, name, mode, rdev)
    }

    fn mkdir(&self, request: &Request, parent: u64, name: &[u8], mode: u32) -> Result<Entry, Errno> {
        self.live_new(parent, name)?.mkdir(request, parent, name, mode)
    }

    fn unlink(&self, request: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.live_old(parent, name)?.unlink(request, parent, name)
    }

    fn rmdir(&self, request: &Request, parent: u64, name: &[u8]) -> Result<(), Errno> {
        self.live_old(parent, name)?.rmdir(request, parent, name)
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
        self.live_old(parent, name)?;
        self.live_old(new_parent, new_name)?.rename(request, parent, name, new_parent, new_name, flags)
    }

    fn link(&self, request: &Request, node: u64, new_parent: u64, new_name: &[u8]) -> Result<Entry, Errno> {
        self.live(node)?;
        self.live_new(new_parent, new_name)?.link(request, node, new_parent, new_name)
    }

    /// Once for all nodes.
    fn open(&self, request: &Request, node: u64, flags: OpenFlags) -> Result<Opened, Errno> {
        self.live.open(request, node, flags)
    }

    /// Once for all nodes.
    fn opendir(&self, request: &Request, node: u64, flags: OpenFlags) -> Result<Opened, Errno> {
        self.live.opendir(request, node, flags)
    }

    fn create(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened), Errno> {
        self.live_new(parent, name)?.create(request, parent, name, mode, flags)
    }

    fn tmpfile(&self, request: &Request, parent: u64, mode: u32, flags: OpenFlags) -> Result<(Entry, Opened), Errno> {
        self.live(parent)?.tmpfile(request, parent, mode, flags)
    }

    fn read(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        buffer: &mut [u8],
        options: ReadOptions,
    ) -> Result<usize, Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.read(request, node, handle, offset, buffer, options),
            place => self.past.read(request, place, offset, buffer),
        }
    }

    fn write(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        data: &[u8],
        options: WriteOptions,
    ) -> Result<usize, Errno> {
        self.live(node)?.write(request, node, handle, offset, data, options)
    }

    fn fsync(&self, request: &Request, node: u64, handle: u64, data_only: bool) -> Result<(), Errno> {
        self.live.fsync(request, node, handle, data_only)
    }

    fn fsyncdir(&self, request: &Request, node: u64, handle: u64, data_only: bool) -> Result<(), Errno> {
        self.live.fsyncdir(request, node, handle, data_only)
    }

    fn syncfs(&self, request: &Request, node: u64) -> Result<(), Errno> {
        self.live.syncfs(request, node)
    }

    fn readdir(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        cookie: u64,
        entries: &mut DirectoryBuffer<'_>,
    ) -> Result<(), Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.readdir(request, node, handle, cookie, entries),
            place => self.past.readdir(place, cookie, entries),
        }
    }

    fn readdirplus(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<(), Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.readdirplus(request, node, handle, cookie, entries),
            place => self.past.readdirplus(place, cookie, entries),
        }
    }

    fn statfs(&self, request: &Request, node: u64) -> Result<StatFs, Errno> {
        self.live.statfs(request, node)
    }

    fn setxattr(
        &self,
        request: &Request,
        node: u64,
        name: &[u8],
        value: &[u8],
        options: SetXattrOptions,
    ) -> Result<(), Errno> {
        self.live(node)?.setxattr(request, node, name, value, options)
    }

    fn getxattr(&self, request: &Request, node: u64, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.getxattr(request, node, name, value),
            place => self.past.getxattr(place, name, value),
        }
    }

    fn listxattr(&self, request: &Request, node: u64, names: &mut NameBuffer<'_>) -> Result<(), Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.listxattr(request, node, names),
            place => self.past.listxattr(request, place, names),
        }
    }

    fn removexattr(&self, request: &Request, node: u64, name: &[u8]) -> Result<(), Errno> {
        self.live(node)?.removexattr(request, node, name)
    }

    fn ioctl(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        ioctl: Ioctl,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoctlResult, Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.ioctl(request, node, handle, ioctl, input, output),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn fallocate(
        &self,
        request: &Request,
        node: u64,
        handle: u64,
        offset: u64,
        length: u64,
        mode: u32,
    ) -> Result<(), Errno> {
        self.live(node)?.fallocate(request, node, handle, offset, length, mode)
    }

    fn lseek(&self, request: &Request, node: u64, handle: u64, offset: u64, seek: fuse::Seek) -> Result<u64, Errno> {
        match Place::of(node) {
            Place::Live(_) => self.live.lseek(request, node, handle, offset, seek),
            place => self.past.seek(place, offset, crate::convert::seek(seek)),
        }
    }

    /// What is copied out of the past is shared with it.
    fn copy_file_range(
        &self,
        request: &Request,
        from: CopyPoint,
        to: CopyPoint,
        length: u64,
        flags: u64,
    ) -> Result<u64, Errno> {
        let live = self.live(to.node)?;
        match Place::of(from.node) {
            Place::Live(_) => live.copy_file_range(request, from, to, length, flags),
            place => self
                .past
                .with_file(place, |view, inode| live.copy_from(request, (view, inode), from, to, length, flags)),
        }
    }
}
