//! Renaming.

use crate::change::{Change, Dentry};
use crate::names::check_name;
use crate::{Attributes, Creator, Error, Inode, Kind, NewInode, Result, Volume};

/// What happens to what has the new name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// It is replaced.
    Replace,
    /// The rename fails (`RENAME_NOREPLACE`).
    NoReplace,
    /// It gets the old name (`RENAME_EXCHANGE`).
    Exchange,
}

/// A name and what it leads to.
struct Place<'a> {
    directory: Inode,
    name: &'a [u8],
}

impl Volume {
    /// Renames. Gives the inode that was replaced, if that was its last name: the caller reclaims it when nobody has it open.
    pub fn rename(&self, from: (Inode, &[u8]), to: (Inode, &[u8]), mode: RenameMode) -> Result<Option<Inode>> {
        self.rename_leaving(from, to, mode, None)
    }

    /// Renames, and leaves a whiteout at the old name (`RENAME_WHITEOUT`): a character device 0:0, which hides what a lower layer
    /// of an overlayfs(5) has under that name.
    pub fn rename_with_whiteout(
        &self,
        from: (Inode, &[u8]),
        to: (Inode, &[u8]),
        mode: RenameMode,
        creator: Creator,
    ) -> Result<Option<Inode>> {
        match mode {
            RenameMode::Exchange => Err(Error::Invalid("an exchange leaves no name for a whiteout")),
            RenameMode::Replace | RenameMode::NoReplace => self.rename_leaving(from, to, mode, Some(creator)),
        }
    }

    fn rename_leaving(
        &self,
        from: (Inode, &[u8]),
        to: (Inode, &[u8]),
        mode: RenameMode,
        whiteout: Option<Creator>,
    ) -> Result<Option<Inode>> {
        let from = Place { directory: from.0, name: from.1 };
        let to = Place { directory: to.0, name: to.1 };
        for place in [&from, &to] {
            match check_name(place.name) {
                Err(Error::Exists) => return Err(Error::Invalid("`.` and `..` cannot be renamed")),
                checked => checked?,
            }
        }
        let _operation = self.begin()?;
        let _moving = (from.directory != to.directory).then(|| self.moving.lock());
        loop {
            let source = self.dentry(from.directory, from.name)?.ok_or(Error::NotFound)?;
            let target = self.dentry(to.directory, to.name)?;
            let mut inodes = vec![from.directory, to.directory, Inode(source.inode)];
            inodes.extend(target.map(|target| Inode(target.inode)));
            let _locks = self.locks.write_all(&inodes);
            let is_unchanged = self.dentry(from.directory, from.name)? == Some(source)
                && self.dentry(to.directory, to.name)? == target;
            if is_unchanged {
                return self.rename_locked(&from, source, &to, target, mode, whiteout);
            }
        }
    }

    fn rename_locked(
        &self,
        from: &Place<'_>,
        source: Dentry,
        to: &Place<'_>,
        target: Option<Dentry>,
        mode: RenameMode,
        whiteout: Option<Creator>,
    ) -> Result<Option<Inode>> {
        self.living_directory(to.directory)?;
        self.check_not_below(source, from.directory, to.directory)?;
        match (mode, target) {
            (RenameMode::NoReplace, Some(_)) => Err(Error::Exists),
            (RenameMode::Exchange, None) => Err(Error::NotFound),
            (RenameMode::Exchange, Some(target)) => {
                self.check_not_below(target, to.directory, from.directory)?;
                self.exchange(from, source, to, target)?;
                Ok(None)
            }
            (_, Some(target)) if target.inode == source.inode => Ok(None),
            (_, target) => self.replace(from, source, to, target, whiteout),
        }
    }

    /// A directory cannot be moved to a place below itself. If the directories differ, the caller holds `moving`, so that nobody
    /// else changes who is below whom.
    fn check_not_below(&self, moved: Dentry, from: Inode, to: Inode) -> Result<()> {
        if moved.kind != Kind::Directory || from == to {
            return Ok(());
        }
        let mut ancestor = to;
        while ancestor != Inode::ROOT {
            if ancestor.0 == moved.inode {
                return Err(Error::Invalid("a directory cannot go below itself"));
            }
            ancestor = Inode(self.directory(ancestor)?.parent);
        }
        Ok(())
    }

    fn replace(
        &self,
        from: &Place<'_>,
        source: Dentry,
        to: &Place<'_>,
        target: Option<Dentry>,
        whiteout: Option<Creator>,
    ) -> Result<Option<Inode>> {
        let moved = self.existing(Inode(source.inode))?;
        let mut parent = self.directory(from.directory)?;
        parent.check_may_lose_names()?;
        moved.check_unprotected()?;
        let gaining = self.directory(to.directory)?;
        let replaces_directory = target.is_some_and(|target| target.kind == Kind::Directory);
        if moved.is_directory() && from.directory != to.directory && !replaces_directory {
            gaining.check_may_gain_link()?;
        }
        match target {
            Some(target) => {
                let replaced = self.existing(Inode(target.inode))?;
                gaining.check_may_lose_names()?;
                replaced.check_unprotected()?;
                check_replaceable(&moved, &replaced)?;
            }
            None => gaining.check_may_gain_names()?,
        }
        parent.links = parent.links.saturating_sub(moved.is_directory() as u32);
        match whiteout {
            None => self.remove_dentry(from.directory, &mut parent, from.name),
            Some(creator) => self.leave_whiteout(from, &mut parent, creator)?,
        }
        let mut parent = self.directory(to.directory)?;
        let mut orphan = None;
        if let Some(target) = target {
            let replaced = self.existing(Inode(target.inode))?;
            parent.links = parent.links.saturating_sub(replaced.is_directory() as u32);
            parent.size = parent.size.saturating_sub(1);
            orphan = self.drop_link(Inode(target.inode), replaced).then_some(Inode(target.inode));
        }
        parent.links += moved.is_directory() as u32;
        self.add_dentry(to.directory, &mut parent, to.name, Inode(source.inode), source.kind);
        self.moved(Inode(source.inode), moved, to.directory);
        Ok(orphan)
    }

    fn leave_whiteout(&self, place: &Place<'_>, parent: &mut Attributes, creator: Creator) -> Result<()> {
        let whiteout = NewInode::CharacterDevice(0);
        let (inode, attributes) = self.new_inode(place.directory, parent, whiteout, 0.into(), creator)?;
        let dentry = Dentry { inode: inode.0, kind: attributes.kind };
        self.set_dentry(place.directory, parent, place.name, Some(dentry));
        Ok(())
    }

    fn exchange(&self, from: &Place<'_>, source: Dentry, to: &Place<'_>, target: Dentry) -> Result<()> {
        let one = self.existing(Inode(source.inode))?;
        let other = self.existing(Inode(target.inode))?;
        for directory in [from.directory, to.directory] {
            self.directory(directory)?.check_may_lose_names()?;
        }
        one.check_unprotected()?;
        other.check_unprotected()?;
        if from.directory != to.directory && one.is_directory() != other.is_directory() {
            let gaining = if one.is_directory() { to.directory } else { from.directory };
            self.directory(gaining)?.check_may_gain_link()?;
        }
        let mut parent = self.directory(from.directory)?;
        parent.links = (parent.links + other.is_directory() as u32).saturating_sub(one.is_directory() as u32);
        self.set_dentry(from.directory, &mut parent, from.name, Some(target));
        let mut parent = self.directory(to.directory)?;
        parent.links = (parent.links + one.is_directory() as u32).saturating_sub(other.is_directory() as u32);
        self.set_dentry(to.directory, &mut parent, to.name, Some(source));
        self.moved(Inode(source.inode), one, to.directory);
        if source.inode != target.inode {
            self.moved(Inode(target.inode), other, from.directory);
        }
        Ok(())
    }

    /// Notes where a renamed inode is now.
    fn moved(&self, inode: Inode, mut attributes: Attributes, directory: Inode) {
        attributes.parent = directory.0;
        attributes.changed = self.now();
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
    }
}

fn check_replaceable(moved: &Attributes, replaced: &Attributes) -> Result<()> {
    match (moved.is_directory(), replaced.is_directory()) {
        (true, false) => Err(Error::NotADirectory),
        (false, true) => Err(Error::IsADirectory),
        (true, true) if replaced.size > 0 => Err(Error::NotEmpty),
        _ => Ok(()),
    }
}
