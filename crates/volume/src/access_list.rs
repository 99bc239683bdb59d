//! POSIX access control lists (acl(5)): who may do what beyond owner, group and others.
//!
//! They are extended attributes in the form in which the kernel passes them (`linux/posix_acl_xattr.h`): a version, then entries of
//! tag, permissions and id, in the order of their tags. The kernel checks them; here they are kept in step with the mode, and handed
//! on to what is made in a directory.
//!
//! Invariant: an access list and the mode say the same of owner, others, and of the mask, or, without one, of the group. A list that
//! says nothing beyond the mode is not kept.

use crate::change::Change;
use crate::codec::{Reader, Writer};
use crate::names::NewPermissions;
use crate::xattrs::taken_bytes;
use crate::{Attributes, Error, Inode, Kind, Result, Volume};
use bytes::Bytes;

/// Which of an inode's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessListKind {
    /// The one that rules access to it.
    Access,
    /// A directory's, for what is made in it.
    Default,
}

/// What becomes of set-group-id when an access list is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetGroupId {
    /// It stays: who sets the list is in the file's group, or may do everything.
    Keep,
    /// It goes.
    Drop,
}

impl AccessListKind {
    /// The list that an extended attribute stands for.
    pub fn of_xattr(name: &[u8]) -> Option<Self> {
        [Self::Access, Self::Default].into_iter().find(|kind| kind.xattr() == name)
    }

    fn xattr(self) -> &'static [u8] {
        match self {
            Self::Access => b"system.posix_acl_access",
            Self::Default => b"system.posix_acl_default",
        }
    }
}

/// The version of the kernel's form (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;

/// What an entry is about (`ACL_*` of `linux/posix_acl.h`).
mod tag {
    pub(super) const OWNER: u16 = 0x01;
    pub(super) const USER: u16 = 0x02;
    pub(super) const OWNING_GROUP: u16 = 0x04;
    pub(super) const GROUP: u16 = 0x08;
    pub(super) const MASK: u16 = 0x10;
    pub(super) const OTHERS: u16 = 0x20;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    /// Read 4, write 2, execute 1.
    permissions: u16,
    id: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AccessList(Vec<Entry>);

impl AccessList {
    fn parse(bytes: &[u8]) -> Result<Self> {
        const BAD: Error = Error::Invalid("not an access control list");
        let mut reader = Reader(bytes);
        if reader.u32() != Ok(VERSION) {
            return Err(BAD);
        }
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let mut entry =
                || Some(Entry { tag: reader.u16().ok()?, permissions: reader.u16().ok()?, id: reader.u32().ok()? });
            entries.push(entry().filter(Entry::is_sound).ok_or(BAD)?);
        }
        let list = Self(entries);
        let count = |tag| list.0.iter().filter(|entry| entry.tag == tag).count();
        let has_one_of_each = [tag::OWNER, tag::OWNING_GROUP, tag::OTHERS].into_iter().all(|tag| count(tag) == 1);
        let needs_mask = count(tag::USER) + count(tag::GROUP) > 0;
        let is_masked = count(tag::MASK) == 1 || count(tag::MASK) == 0 && !needs_mask;
        if has_one_of_each && is_masked { Ok(list) } else { Err(BAD) }
    }

    fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(4 + 8 * self.0.len());
        bytes.put_u32(VERSION);
        for entry in &self.0 {
            bytes.put_u16(entry.tag);
            bytes.put_u16(entry.permissions);
            bytes.put_u32(entry.id);
        }
        bytes.into()
    }

    /// Whether it says nothing that a mode does not say.
    fn is_mode(&self) -> bool {
        self.0.iter().all(|entry| matches!(entry.tag, tag::OWNER | tag::OWNING_GROUP | tag::OTHERS))
    }

    /// The entries that the mode's nine bits stand for, each with the place of its three.
    fn mode_entries(&mut self) -> impl Iterator<Item = (&mut Entry, u32)> {
        let group = if self.0.iter().any(|entry| entry.tag == tag::MASK) { tag::MASK } else { tag::OWNING_GROUP };
        self.0.iter_mut().filter_map(move |entry| match entry.tag {
            tag::OWNER => Some((entry, 6)),
            tag if tag == group => Some((entry, 3)),
            tag::OTHERS => Some((entry, 0)),
            _ => None,
        })
    }

    /// The nine bits of the mode that goes with it.
    fn mode(&mut self) -> u32 {
        self.mode_entries().map(|(entry, shift)| (entry.permissions as u32) << shift).sum()
    }

    /// Brings it in step with a new mode.
    fn set_mode(&mut self, mode: u32) {
        self.mode_entries().for_each(|(entry, shift)| entry.permissions = (mode >> shift & 7) as u16);
    }

    /// Takes away what the mode that an inode is made with does not give.
    fn restrict_to(&mut self, mode: u32) {
        self.mode_entries().for_each(|(entry, shift)| entry.permissions &= (mode >> shift & 7) as u16);
    }
}

impl Entry {
    fn is_sound(&self) -> bool {
        let is_known =
            [tag::OWNER, tag::USER, tag::OWNING_GROUP, tag::GROUP, tag::MASK, tag::OTHERS].contains(&self.tag);
        is_known && self.permissions <= 7
    }
}

/// What a new inode gets from the default list of its directory.
pub(crate) struct Inherited {
    pub(crate) permissions: u32,
    access: Option<Bytes>,
    default: Option<Bytes>,
}

impl Inherited {
    fn lists(self) -> impl Iterator<Item = (AccessListKind, Bytes)> {
        let lists = [(AccessListKind::Access, self.access), (AccessListKind::Default, self.default)];
        lists.into_iter().filter_map(|(kind, list)| Some((kind, list?)))
    }

    /// What the lists count, in bytes.
    pub(crate) fn counted_bytes(&self) -> u64 {
        let bytes = |kind: AccessListKind, list: &Option<Bytes>| {
            list.as_ref().map_or(0, |list| taken_bytes(kind.xattr(), list))
        };
        bytes(AccessListKind::Access, &self.access) + bytes(AccessListKind::Default, &self.default)
    }
}

impl Volume {
    /// Sets a list, given in the kernel's form. An access list changes the mode. What is set already changes nothing, not even
    /// a time.
    pub fn set_access_list(
        &self,
        inode: Inode,
        kind: AccessListKind,
        value: &[u8],
        set_group_id: SetGroupId,
    ) -> Result<()> {
        let mut list = AccessList::parse(value)?;
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        attributes.check_unprotected()?;
        if kind == AccessListKind::Default && !attributes.is_directory() {
            return Err(Error::Invalid("only directories have default lists"));
        }
        let before = attributes.permissions;
        let mut kept = Some(list.to_bytes());
        if kind == AccessListKind::Access {
            attributes.permissions = attributes.permissions & !0o777 | list.mode();
            if set_group_id == SetGroupId::Drop {
                attributes.permissions &= !libc::S_ISGID;
            }
            kept = kept.filter(|_| !list.is_mode());
        }
        let held = self.layers.xattr(inode, kind.xattr())?;
        if kept == held && attributes.permissions == before {
            return Ok(());
        }
        let taken = |list: &Option<Bytes>| list.as_ref().map_or(0, |list| taken_bytes(kind.xattr(), list));
        let _admission = self.admit(taken(&kept).saturating_sub(taken(&held)))?;
        self.put_access_list(inode, attributes, kind, kept, held.is_some())
    }

    /// Removes a list, if there is one. The mode stays. If there is none, nothing changes.
    pub fn remove_access_list(&self, inode: Inode, kind: AccessListKind) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let attributes = self.existing(inode)?;
        attributes.check_unprotected()?;
        match self.layers.xattr(inode, kind.xattr())? {
            Some(_) => self.put_access_list(inode, attributes, kind, None, true),
            None => Ok(()),
        }
    }

    /// Puts the attributes, too.
    fn put_access_list(
        &self,
        inode: Inode,
        mut attributes: Attributes,
        kind: AccessListKind,
        value: Option<Bytes>,
        is_there: bool,
    ) -> Result<()> {
        let counted = attributes.counted_bytes();
        if is_there || value.is_some() {
            self.put_xattr(inode, &mut attributes, kind.xattr(), value)?;
        }
        attributes.changed = self.now();
        self.counts.allocation_changed(counted, attributes.counted_bytes());
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }

    /// Brings an inode's access list in step with a new mode. It stays as long as it was. The caller holds the gate and the inode's
    /// lock, and sets the mode.
    pub(crate) fn change_mode_of_access_list(&self, inode: Inode, permissions: u32) -> Result<()> {
        let name = AccessListKind::Access.xattr();
        if let Some(value) = self.layers.xattr(inode, name)? {
            let mut list = AccessList::parse(&value)?;
            list.set_mode(permissions);
            self.layers.overlay.change(inode, Change::Xattr { name: name.into(), value: Some(list.to_bytes()) });
        }
        Ok(())
    }

    /// What an inode of a kind gets that is made in a directory: permissions by the umask or, if there is one, by the directory's
    /// default list.
    pub(crate) fn inherit(&self, directory: Inode, kind: Kind, permissions: NewPermissions) -> Result<Inherited> {
        if kind == Kind::Symlink {
            return Ok(Inherited { permissions: permissions.mode, access: None, default: None });
        }
        let Some(default) = self.layers.xattr(directory, AccessListKind::Default.xattr())? else {
            return Ok(Inherited { permissions: permissions.mode & !permissions.umask, access: None, default: None });
        };
        let mut list = AccessList::parse(&default)?;
        list.restrict_to(permissions.mode);
        Ok(Inherited {
            permissions: permissions.mode & !0o777 | list.mode(),
            access: (!list.is_mode()).then(|| list.to_bytes()),
            default: (kind == Kind::Directory).then_some(default),
        })
    }

    /// Gives a new inode its lists.
    pub(crate) fn put_inherited(&self, inode: Inode, inherited: Inherited) {
        for (kind, list) in inherited.lists() {
            self.layers.overlay.change(inode, Change::Xattr { name: kind.xattr().into(), value: Some(list) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> AccessList {
        AccessList(entries.iter().map(|&(tag, permissions, id)| Entry { tag, permissions, id }).collect())
    }

    fn extended() -> AccessList {
        let nobody = u32::MAX;
        list(&[
            (tag::OWNER, 7, nobody),
            (tag::USER, 6, 1000),
            (tag::OWNING_GROUP, 5, nobody),
            (tag::MASK, 6, nobody),
            (tag::OTHERS, 4, nobody),
        ])
    }

    #[test]
    fn the_mode_shows_the_mask_instead_of_the_group() {
        assert_eq!(extended().mode(), 0o764);
        let mut changed = extended();
        changed.set_mode(0o640);
        assert_eq!(changed.mode(), 0o640);
        assert_eq!(changed.0[2].permissions, 5, "the group itself keeps its permissions");
    }

    #[test]
    fn what_is_made_gets_no_more_than_its_mode() {
        let mut inherited = extended();
        inherited.restrict_to(0o640);
        assert_eq!(inherited.mode(), 0o640);
    }

    #[test]
    fn only_whole_lists_are_taken() {
        assert_eq!(AccessList::parse(&extended().to_bytes()).unwrap(), extended());
        let without_mask = AccessList(extended().0.into_iter().filter(|entry| entry.tag != tag::MASK).collect());
        assert!(AccessList::parse(&without_mask.to_bytes()).is_err());
        let without_others = AccessList(extended().0.into_iter().filter(|entry| entry.tag != tag::OTHERS).collect());
        assert!(AccessList::parse(&without_others.to_bytes()).is_err());
        let bytes = extended().to_bytes();
        assert!(AccessList::parse(&bytes[..bytes.len() - 1]).is_err());
        assert!(AccessList::parse(&[]).is_err());
    }
}
