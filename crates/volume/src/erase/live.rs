//! The newest state loses inodes: by the operations that anybody could use, so that locks, quotas and caches stay right.

use super::footprint::{Footprint, Named, Names};
use super::{EraseError, Result};
use crate::limits::ERASE_PASSES_MAX;
use crate::{AttributeChanges, Error, Inode, Kind, Volume};
use std::collections::{BTreeSet, HashMap};

impl Volume {
    /// Refuses what cannot be erased from the newest state, or from what is kept.
    pub(super) fn check_erasable(&self, targets: &BTreeSet<Inode>) -> Result<()> {
        let newest = Footprint::of(&self.layers.base.load().tree, targets, &mut Names::default())?;
        let has_names = newest.inodes().any(|(_, attributes)| attributes.links > 0);
        if has_names && self.is_replica() {
            return Err(EraseError::Replica);
        }
        let directories = newest.names().map(|named| named.directory);
        for inode in newest.inodes().map(|(inode, _)| inode).chain(directories) {
            if self.existing(inode)?.check_unprotected().is_err() {
                let path = self.path(inode)?.unwrap_or_default();
                return Err(EraseError::Protected { path: String::from_utf8_lossy(&path).into_owned() });
            }
        }
        Ok(())
    }

    /// Takes inodes out of the newest state, durably. Those that are open have no name and no content any more.
    pub(super) fn erase_live(&self, targets: &BTreeSet<Inode>) -> Result<()> {
        let mut names = Names::default();
        for _ in 0..ERASE_PASSES_MAX {
            self.checkpoint()?;
            let newest = Footprint::of(&self.layers.base.load().tree, targets, &mut names)?;
            if newest.inodes().all(|(_, attributes)| attributes.links == 0) {
                self.tell_watchers(|watcher| watcher.state_replaced());
                return Ok(());
            }
            self.remove_footprint(&newest)?;
        }
        Err(EraseError::MadeAnew)
    }

    /// How many of them are still open.
    pub(super) fn open_erased(&self, targets: &BTreeSet<Inode>) -> Result<u64> {
        self.checkpoint()?;
        let newest = Footprint::of(&self.layers.base.load().tree, targets, &mut Names::default())?;
        Ok(newest.inodes().count() as u64)
    }

    /// What somebody changes meanwhile is left to the next pass.
    fn remove_footprint(&self, newest: &Footprint) -> Result<()> {
        let kinds: HashMap<Inode, Kind> = newest.inodes().map(|(inode, attributes)| (inode, attributes.kind)).collect();
        for (inode, attributes) in newest.inodes().filter(|(_, attributes)| !attributes.is_directory()) {
            passed_by(self.empty(inode, attributes.kind))?;
        }
        let (directories, others): (Vec<_>, Vec<_>) =
            newest.names().partition(|named| kinds.get(&named.inode) == Some(&Kind::Directory));
        for named in others {
            let orphan = passed_by(self.unlink(named.directory, &named.name))?.flatten();
            self.let_go_of(&named, orphan)?;
        }
        let order: HashMap<Inode, usize> = newest.inodes().map(|(inode, _)| inode).zip(0..).collect();
        let mut directories = directories;
        directories.sort_by_key(|named| std::cmp::Reverse(order.get(&named.inode).copied()));
        for named in directories {
            let orphan = passed_by(self.remove_directory(named.directory, &named.name))?.flatten();
            self.let_go_of(&named, orphan)?;
        }
        Ok(())
    }

    /// Takes away the content and the extended attributes: somebody may have it open.
    fn empty(&self, inode: Inode, kind: Kind) -> crate::Result<()> {
        if kind == Kind::File {
            self.set_attributes(inode, &AttributeChanges { size: Some(0), ..AttributeChanges::default() })?;
        }
        self.xattr_names(inode)?.iter().try_for_each(|name| match self.remove_xattr(inode, name) {
            Err(Error::NoAttribute) => Ok(()),
            removed => removed,
        })
    }

    /// Who has it open keeps it, without a name. The kernel has to forget the name first: else it keeps what nobody has open.
    fn let_go_of(&self, named: &Named, orphan: Option<Inode>) -> Result<()> {
        let Some(inode) = orphan else { return Ok(()) };
        match self.may_be_in_use(inode) {
            true => self.tell_watchers(|watcher| watcher.orphaned(&[inode])),
            false => self.reclaim(inode)?,
        }
        self.tell_watchers(|watcher| watcher.name_removed(named.directory, &named.name, inode));
        Ok(())
    }
}

fn passed_by<T>(done: crate::Result<T>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::NotFound | Error::NotEmpty | Error::IsADirectory | Error::NotADirectory) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
