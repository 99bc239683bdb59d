//! Adding and removing names; what happens to an inode that no name leads to any more.
//!
//! Such an inode is an orphan: it stays, whole, until the caller says that nobody has it open ([`Volume::reclaim`]). Orphans are
//! listed in a directory of their own, so that those which a crash leaves behind are found and reclaimed.

use crate::change::{Change, Dentry};
use crate::limits::LINKS_MAX;
use crate::names::check_name;
use crate::{Attributes, Error, Inode, Kind, Result, Volume};

impl Attributes {
    /// One more name can lead to it; for a directory: one more directory can be in it.
    pub(crate) fn check_may_gain_link(&self) -> Result<()> {
        if self.links < LINKS_MAX { Ok(()) } else { Err(Error::TooManyLinks) }
    }
}

impl Volume {
    /// Gives an inode one more name, or its first. Who removed the last one does not get it back that way: the kernel sees to it.
    pub fn link(&self, inode: Inode, directory: Inode, name: &[u8]) -> Result<Attributes> {
        check_name(name)?;
        let _operation = self.begin()?;
        let _locks = self.locks.write_all(&[inode, directory]);
        let mut parent = self.living_directory(directory)?;
        let mut attributes = self.existing(inode)?;
        if attributes.is_directory() {
            return Err(Error::NotPermitted("a directory has one name"));
        }
        if self.dentry(directory, name)?.is_some() {
            return Err(Error::Exists);
        }
        parent.check_may_gain_names()?;
        attributes.check_unprotected()?;
        attributes.check_may_gain_link()?;
        if attributes.links == 0 {
            self.set_orphan(inode, None);
        }
        attributes.links += 1;
        attributes.parent = directory.0;
        attributes.changed = self.now();
        self.layers.overlay.change(inode, Change::Attributes(attributes.clone().into()));
        self.add_dentry(directory, &mut parent, name, inode, attributes.kind);
        Ok(attributes)
    }

    /// Removes a name of anything but a directory. Gives the inode if that was its last name: the caller reclaims it when nobody
    /// has it open.
    pub fn unlink(&self, directory: Inode, name: &[u8]) -> Result<Option<Inode>> {
        self.remove(directory, name, |attributes| match attributes.kind {
            Kind::Directory => Err(Error::IsADirectory),
            _ => Ok(()),
        })
    }

    /// Removes an empty directory. Gives its inode: the caller reclaims it when nobody has it open.
    pub fn remove_directory(&self, directory: Inode, name: &[u8]) -> Result<Option<Inode>> {
        match name {
            b"." => return Err(Error::Invalid("`.` cannot be removed")),
            b".." => return Err(Error::NotEmpty),
            _ => {}
        }
        self.remove(directory, name, |attributes| match (attributes.kind, attributes.size) {
            (Kind::Directory, 0) => Ok(()),
            (Kind::Directory, _) => Err(Error::NotEmpty),
            _ => Err(Error::NotADirectory),
        })
    }

    fn remove(
        &self,
        directory: Inode,
        name: &[u8],
        may_go: impl Fn(&Attributes) -> Result<()>,
    ) -> Result<Option<Inode>> {
        let _operation = self.begin()?;
        loop {
            let inode = self.find_name(directory, name)?;
            let _locks = self.locks.write_all(&[directory, inode]);
            if self.dentry(directory, name)?.map(|dentry| dentry.inode) != Some(inode.0) {
                continue;
            }
            let mut parent = self.directory(directory)?;
            let attributes = self.existing(inode)?;
            parent.check_may_lose_names()?;
            attributes.check_unprotected()?;
            may_go(&attributes)?;
            if attributes.is_directory() {
                parent.links = parent.links.saturating_sub(1);
            }
            self.remove_dentry(directory, &mut parent, name);
            return Ok(self.drop_link(inode, attributes).then_some(inode));
        }
    }

    /// Takes away a link; a directory loses both of its own. Gives whether the inode is an orphan now. The caller holds the
    /// inode's lock.
    pub(crate) fn drop_link(&self, inode: Inode, mut attributes: Attributes) -> bool {
        attributes.links = if attributes.is_directory() { 0 } else { attributes.links.saturating_sub(1) };
        attributes.changed = self.now();
        let is_orphan = attributes.links == 0;
        if is_orphan {
            self.set_orphan(inode, Some(Dentry { inode: inode.0, kind: attributes.kind }));
        }
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        is_orphan
    }

    pub(crate) fn set_orphan(&self, inode: Inode, dentry: Option<Dentry>) {
        let change = Change::Dentry { hash: inode.0, name: Box::default(), dentry };
        self.layers.overlay.change(Inode::ORPHANS, change);
    }

    /// Says that nobody has an inode open: if no name leads to it either, it goes.
    pub fn reclaim(&self, inode: Inode) -> Result<()> {
        let is_orphan = |attributes: Option<Attributes>| attributes.filter(|attributes| attributes.links == 0);
        if is_orphan(self.layers.attributes(inode)?).is_none() {
            return Ok(());
        }
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let Some(attributes) = is_orphan(self.layers.attributes(inode)?) else {
            return Ok(());
        };
        self.counts.inode_gone(&attributes);
        self.layers.overlay.change(inode, Change::Drop);
        self.set_orphan(inode, None);
        Ok(())
    }

    /// Reclaims all orphans. Only while nobody can have one open: after the volume was opened.
    pub(crate) fn reclaim_orphans(&self) -> Result<()> {
        let mut from = 0;
        loop {
            let orphans = self.layers.dentries(Inode::ORPHANS, from, crate::limits::DIRECTORY_BATCH_ENTRIES)?;
            let Some(((last, _), _)) = orphans.last_key_value() else {
                return Ok(());
            };
            from = last + 1;
            for dentry in orphans.values() {
                self.reclaim(Inode(dentry.inode))?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Creator, NewInode, Pool, PoolOptions, RenameMode, VolumeId};
    use block::{MemoryIndex, Store, StoreOptions};
    use sim::SimDisk;
    use std::sync::Arc;

    /// Nobody makes so many: the inode is given the number.
    fn set_links(volume: &Volume, inode: Inode, links: u32) {
        let mut attributes = volume.existing(inode).unwrap();
        attributes.links = links;
        volume.layers.overlay.change(inode, Change::Attributes(attributes.into()));
    }

    #[test]
    fn what_has_as_many_links_as_can_be_gets_no_more() {
        let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
        let owner = Creator { uid: 0, gid: 0 };
        let options = PoolOptions { background: false, ..PoolOptions::new(owner) };
        let pool = Pool::open(Arc::new(store.unwrap()), options).unwrap();
        let volume = pool.volume(VolumeId::FIRST).unwrap();
        let make = |directory, name: &[u8], new| volume.make(directory, name, new, 0o700, owner);
        let refused = |result: Result<()>| assert_eq!(result.unwrap_err().errno(), libc::EMLINK);

        let (file, _) = make(Inode::ROOT, b"file", NewInode::File).unwrap();
        set_links(&volume, file, LINKS_MAX - 1);
        assert_eq!(volume.link(file, Inode::ROOT, b"last").unwrap().links, LINKS_MAX);
        refused(volume.link(file, Inode::ROOT, b"beyond").map(drop));
        volume.unlink(Inode::ROOT, b"last").unwrap();
        volume.link(file, Inode::ROOT, b"again").unwrap();

        let (full, _) = make(Inode::ROOT, b"full", NewInode::Directory).unwrap();
        let (moved, _) = make(Inode::ROOT, b"moved", NewInode::Directory).unwrap();
        make(full, b"inside", NewInode::Directory).unwrap();
        make(full, b"file", NewInode::File).unwrap();
        set_links(&volume, full, LINKS_MAX);
        refused(make(full, b"beyond", NewInode::Directory).map(drop));
        let rename = |name: &[u8], mode| volume.rename((Inode::ROOT, b"moved"), (full, name), mode);
        refused(rename(b"beyond", RenameMode::Replace).map(drop));
        refused(rename(b"file", RenameMode::Exchange).map(drop));
        make(full, b"another file", NewInode::File).unwrap();
        volume.rename((full, b"inside"), (full, b"renamed"), RenameMode::Replace).unwrap();
        rename(b"renamed", RenameMode::Replace).unwrap();
        assert_eq!(volume.attributes(moved).unwrap().parent, full.0);
        assert_eq!(volume.attributes(full).unwrap().links, LINKS_MAX);
    }
}
