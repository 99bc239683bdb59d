//! Finding and making what has a name.

use crate::change::{Change, Dentry};
use crate::dirty_inode::DentryKey;
use crate::limits::{NAME_BYTES_MAX, NAME_HASH_MAX, NAME_HASH_MIN, QUOTA_INODE_BYTES, SYMLINK_BYTES_MAX};
use crate::{Attributes, Error, Inode, Kind, Result, View, Volume};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Who makes an inode.
#[derive(Clone, Copy, Debug)]
pub struct Creator {
    /// The owner it gets.
    pub uid: u32,
    /// The group it gets, unless its directory has set-group-id.
    pub gid: u32,
}

/// The permissions that an inode is to be made with.
#[derive(Clone, Copy, Debug)]
pub struct NewPermissions {
    /// What the caller asked for (07777).
    pub mode: u32,
    /// What the caller's umask takes away, unless the directory has a default access list.
    pub umask: u32,
}

impl From<u32> for NewPermissions {
    /// These, whatever the umask.
    fn from(mode: u32) -> Self {
        Self { mode, umask: 0 }
    }
}

/// What [`Volume::make`] makes.
#[derive(Clone, Copy, Debug)]
pub enum NewInode<'a> {
    /// An empty regular file.
    File,
    /// An empty directory.
    Directory,
    /// A symbolic link to this path.
    Symlink(&'a [u8]),
    /// A fifo.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A character device with this number.
    CharacterDevice(u32),
    /// A block device with this number.
    BlockDevice(u32),
}

impl NewInode<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::File => Kind::File,
            Self::Directory => Kind::Directory,
            Self::Symlink(_) => Kind::Symlink,
            Self::Fifo => Kind::Fifo,
            Self::Socket => Kind::Socket,
            Self::CharacterDevice(_) => Kind::CharacterDevice,
            Self::BlockDevice(_) => Kind::BlockDevice,
        }
    }

    fn device(&self) -> u32 {
        match self {
            Self::CharacterDevice(device) | Self::BlockDevice(device) => *device,
            _ => 0,
        }
    }
}

impl View {
    /// The inode that a name of a directory leads to.
    pub fn lookup(&self, directory: Inode, name: &[u8]) -> Result<(Inode, Attributes)> {
        let inode = self.find_name(directory, name)?;
        Ok((inode, self.existing(inode)?))
    }

    /// As [`View::lookup`], for who needs no attributes.
    pub(crate) fn find_name(&self, directory: Inode, name: &[u8]) -> Result<Inode> {
        check_length(name)?;
        match self.dentry(directory, name)? {
            Some(dentry) => Ok(Inode(dentry.inode)),
            None => self.directory(directory).and(Err(Error::NotFound)),
        }
    }

    /// What a symbolic link points to.
    pub fn read_link(&self, inode: Inode) -> Result<Bytes> {
        match self.existing(inode)?.kind {
            Kind::Symlink => Ok(self.layers.inline(inode)?.unwrap_or_default()),
            _ => Err(Error::Invalid("not a symbolic link")),
        }
    }

    /// A directory in which names can be made: one that is not removed.
    pub(crate) fn living_directory(&self, inode: Inode) -> Result<Attributes> {
        let attributes = self.directory(inode)?;
        if attributes.links == 0 { Err(Error::NotFound) } else { Ok(attributes) }
    }

    pub(crate) fn dentry(&self, directory: Inode, name: &[u8]) -> Result<Option<Dentry>> {
        self.layers.dentry(directory, &self.dentry_key(name))
    }

    /// Where a name stands in its directory. The top bit of the hash is clear, so that a listing's cookie is a positive `off_t`.
    pub(crate) fn dentry_key(&self, name: &[u8]) -> DentryKey {
        let hash = xxh3_64_with_seed(name, self.hash_seed) >> 1;
        (hash.clamp(NAME_HASH_MIN, NAME_HASH_MAX), name.into())
    }
}

impl Volume {
    /// Makes an inode and gives it a name.
    pub fn make(
        &self,
        directory: Inode,
        name: &[u8],
        new: NewInode<'_>,
        permissions: impl Into<NewPermissions>,
        creator: Creator,
    ) -> Result<(Inode, Attributes)> {
        check_name(name)?;
        if let NewInode::Symlink(target) = new
            && target.len() > SYMLINK_BYTES_MAX
        {
            return Err(Error::NameTooLong);
        }
        let permissions = permissions.into();
        self.with_room(|| self.make_in(directory, name, new, permissions, creator))
    }

    fn make_in(
        &self,
        directory: Inode,
        name: &[u8],
        new: NewInode<'_>,
        permissions: NewPermissions,
        creator: Creator,
    ) -> Result<(Inode, Attributes)> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(directory);
        let mut parent = self.living_directory(directory)?;
        if self.dentry(directory, name)?.is_some() {
            return Err(Error::Exists);
        }
        parent.check_may_gain_names()?;
        if new.kind() == Kind::Directory {
            parent.check_may_gain_link()?;
        }
        self.check_room(QUOTA_INODE_BYTES)?;
        let (inode, attributes) = self.new_inode(directory, &parent, new, permissions, creator)?;
        if attributes.is_directory() {
            parent.links += 1;
        }
        self.add_dentry(directory, &mut parent, name, inode, attributes.kind);
        Ok((inode, attributes))
    }

    /// Makes an inode that no name leads to yet. The caller holds the gate and its directory's lock, and names it.
    pub(crate) fn new_inode(
        &self,
        directory: Inode,
        parent: &Attributes,
        new: NewInode<'_>,
        permissions: NewPermissions,
        creator: Creator,
    ) -> Result<(Inode, Attributes)> {
        let target_bytes = if let NewInode::Symlink(target) = new { target.len() as u64 } else { 0 };
        let inherited = self.inherit(directory, new.kind(), permissions)?;
        let _admission = self.admit(QUOTA_INODE_BYTES + target_bytes + inherited.counted_bytes())?;
        let inode = self.counts.new_inode().ok_or(Error::NotSupported("more inodes than have numbers"))?;
        let mut attributes = self.new_attributes(directory, parent, &new, inherited.permissions, creator);
        attributes.xattr_bytes = inherited.counted_bytes();
        self.layers.overlay.make(inode);
        self.put_inherited(inode, inherited);
        self.counts.allocation_changed(0, attributes.counted_bytes());
        if let NewInode::Symlink(target) = new {
            self.layers.overlay.change(inode, Change::Inline(Some(Bytes::copy_from_slice(target))));
        }
        self.layers.overlay.change(inode, Change::Attributes(attributes.clone().into()));
        Ok((inode, attributes))
    }

    /// Makes a regular file without a name (`O_TMPFILE`). It goes when the caller reclaims it, unless it was linked before.
    pub fn make_unnamed(
        &self,
        directory: Inode,
        permissions: impl Into<NewPermissions>,
        creator: Creator,
    ) -> Result<(Inode, Attributes)> {
        let permissions = permissions.into();
        self.with_room(|| self.make_unnamed_in(directory, permissions, creator))
    }

    fn make_unnamed_in(
        &self,
        directory: Inode,
        permissions: NewPermissions,
        creator: Creator,
    ) -> Result<(Inode, Attributes)> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(directory);
        let parent = self.living_directory(directory)?;
        parent.check_may_gain_names()?;
        self.check_room(QUOTA_INODE_BYTES)?;
        let (inode, mut attributes) = self.new_inode(directory, &parent, NewInode::File, permissions, creator)?;
        attributes.links = 0;
        self.layers.overlay.change(inode, Change::Attributes(attributes.clone().into()));
        self.set_orphan(inode, Some(Dentry { inode: inode.0, kind: attributes.kind }));
        Ok((inode, attributes))
    }

    fn new_attributes(
        &self,
        directory: Inode,
        parent: &Attributes,
        new: &NewInode<'_>,
        permissions: u32,
        creator: Creator,
    ) -> Attributes {
        let (kind, now) = (new.kind(), self.now());
        let inherits_group = parent.permissions & libc::S_ISGID != 0;
        let is_directory = kind == Kind::Directory;
        let inherited = if inherits_group && is_directory { libc::S_ISGID } else { 0 };
        let size = if let NewInode::Symlink(target) = new { target.len() as u64 } else { 0 };
        Attributes {
            kind,
            permissions: permissions & 0o7777 | inherited,
            uid: creator.uid,
            gid: if inherits_group { parent.gid } else { creator.gid },
            links: if is_directory { 2 } else { 1 },
            device: new.device(),
            size,
            allocated_bytes: size,
            xattr_bytes: 0,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
            parent: directory.0,
            flags: parent.flags.inherited(),
        }
    }

    pub(crate) fn add_dentry(
        &self,
        directory: Inode,
        attributes: &mut Attributes,
        name: &[u8],
        inode: Inode,
        kind: Kind,
    ) {
        attributes.size += 1;
        self.set_dentry(directory, attributes, name, Some(Dentry { inode: inode.0, kind }));
    }

    pub(crate) fn remove_dentry(&self, directory: Inode, attributes: &mut Attributes, name: &[u8]) {
        attributes.size = attributes.size.saturating_sub(1);
        self.set_dentry(directory, attributes, name, None);
    }

    /// Changes what a name leads to, and with it the directory's times and whatever of its attributes the caller changed.
    pub(crate) fn set_dentry(
        &self,
        directory: Inode,
        attributes: &mut Attributes,
        name: &[u8],
        dentry: Option<Dentry>,
    ) {
        attributes.touch_content(self.now());
        let (hash, name) = self.dentry_key(name);
        self.layers.overlay.change(directory, Change::Dentry { hash, name, dentry });
        self.layers.overlay.change(directory, Change::Attributes(attributes.clone().into()));
    }
}

fn check_length(name: &[u8]) -> Result<()> {
    if name.len() > NAME_BYTES_MAX { Err(Error::NameTooLong) } else { Ok(()) }
}

/// Refuses what can be no name of a new entry.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    check_length(name)?;
    match name {
        b"" => Err(Error::NotFound),
        b"." | b".." => Err(Error::Exists),
        name if name.contains(&b'/') || name.contains(&0) => Err(Error::Invalid("a name holds no slash and no NUL")),
        _ => Ok(()),
    }
}
