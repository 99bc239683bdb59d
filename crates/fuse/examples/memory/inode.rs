//! One file, directory, link or device.

use crate::data::Data;
use crate::directory::Directory;
use fuse::{Attr, Errno, SetAttr, Timestamp};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// An inode; everything in it that changes is behind its own lock.
pub(crate) struct Inode {
    pub(crate) state: RwLock<State>,
    /// How often the kernel has looked it up.
    lookups: AtomicU64,
}

pub(crate) struct State {
    pub(crate) attr: Attr,
    pub(crate) body: Body,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What an inode holds.
pub(crate) enum Body {
    File(Data),
    Directory(Directory),
    Link(Vec<u8>),
    Special,
}

impl Inode {
    pub(crate) fn new(attr: Attr, body: Body) -> Self {
        Self { state: RwLock::new(State { attr, body, xattrs: BTreeMap::new() }), lookups: AtomicU64::new(0) }
    }

    /// The attributes, as one more lookup by the kernel.
    pub(crate) fn look_up(&self) -> Attr {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.state.read().attr()
    }

    /// Takes lookups back; tells whether the inode is of no use to anyone now.
    pub(crate) fn forget(&self, count: u64) -> bool {
        let before = self.lookups.fetch_sub(count, Ordering::AcqRel);
        before <= count && self.state.read().attr.nlink == 0
    }

    /// Whether the kernel knows it.
    pub(crate) fn is_known(&self) -> bool {
        self.lookups.load(Ordering::Acquire) > 0
    }
}

impl State {
    pub(crate) fn attr(&self) -> Attr {
        let (size, allocated) = match &self.body {
            Body::File(data) => (data.len(), data.allocated()),
            Body::Link(target) => (target.len() as u64, 0),
            Body::Directory(_) | Body::Special => (0, 0),
        };
        Attr { size, blocks: allocated.div_ceil(512), ..self.attr }
    }

    pub(crate) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(crate) fn directory_mut(&mut self) -> Result<&mut Directory, Errno> {
        match &mut self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(crate) fn data(&self) -> Result<&Data, Errno> {
        match &self.body {
            Body::File(data) => Ok(data),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(crate) fn data_mut(&mut self) -> Result<&mut Data, Errno> {
        match &mut self.body {
            Body::File(data) => Ok(data),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The content changed.
    pub(crate) fn touch(&mut self) {
        self.attr.mtime = Timestamp::now();
        self.attr.ctime = self.attr.mtime;
    }

    pub(crate) fn change(&mut self, changes: &SetAttr) -> Result<(), Errno> {
        if let Some(size) = changes.size {
            self.data_mut()?.set_len(size);
            self.touch();
        }
        let attr = &mut self.attr;
        attr.mode = changes.mode.map_or(attr.mode, |mode| (attr.mode & libc::S_IFMT) | (mode & 0o7777));
        attr.uid = changes.uid.unwrap_or(attr.uid);
        attr.gid = changes.gid.unwrap_or(attr.gid);
        attr.atime = changes.atime.map_or(attr.atime, fuse::SetTime::resolve);
        attr.mtime = changes.mtime.map_or(attr.mtime, fuse::SetTime::resolve);
        attr.ctime = Timestamp::now();
        Ok(())
    }
}
