//! Extended attributes.

use crate::change::Change;
use crate::limits::{XATTR_LIST_BYTES_MAX, XATTR_NAME_BYTES_MAX, XATTR_VALUE_BYTES_MAX};
use crate::{Attributes, Error, Inode, Result, View, Volume};
use bytes::Bytes;

/// What [`Volume::set_xattr`] does with an attribute that is there, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrMode {
    /// Makes or replaces it.
    Set,
    /// Fails if it is there (`XATTR_CREATE`).
    Create,
    /// Fails if it is not there (`XATTR_REPLACE`).
    Replace,
    /// Fails: it is there, or it is not.
    CreateAndReplace,
}

impl View {
    /// The value of an extended attribute.
    pub fn xattr(&self, inode: Inode, name: &[u8]) -> Result<Bytes> {
        self.layers.xattr(inode, name)?.ok_or(Error::NoAttribute)
    }

    /// The names of an inode's extended attributes.
    pub fn xattr_names(&self, inode: Inode) -> Result<Vec<Box<[u8]>>> {
        self.existing(inode)?;
        self.layers.xattr_names(inode)
    }
}

impl Volume {
    /// Sets an extended attribute. To the value that it has, this changes nothing, not even a time.
    pub fn set_xattr(&self, inode: Inode, name: &[u8], value: &[u8], mode: XattrMode) -> Result<()> {
        if name.is_empty() || name.len() > XATTR_NAME_BYTES_MAX {
            return Err(Error::OutOfRange);
        }
        if value.len() > XATTR_VALUE_BYTES_MAX {
            return Err(Error::ValueTooLarge);
        }
        let value = Bytes::copy_from_slice(value);
        self.with_room(|| {
            self.change_xattr(inode, name, Some(value.clone()), |is_there| match (mode, is_there) {
                (XattrMode::Create | XattrMode::CreateAndReplace, true) => Err(Error::Exists),
                (XattrMode::Replace | XattrMode::CreateAndReplace, false) => Err(Error::NoAttribute),
                _ => Ok(()),
            })
        })
    }

    /// Removes an extended attribute.
    pub fn remove_xattr(&self, inode: Inode, name: &[u8]) -> Result<()> {
        self.change_xattr(inode, name, None, |is_there| if is_there { Ok(()) } else { Err(Error::NoAttribute) })
    }

    fn change_xattr(
        &self,
        inode: Inode,
        name: &[u8],
        value: Option<Bytes>,
        check: impl FnOnce(bool) -> Result<()>,
    ) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        attributes.check_unprotected()?;
        let before = self.layers.xattr(inode, name)?;
        let is_there = before.is_some();
        check(is_there)?;
        if is_there && value == before {
            return Ok(());
        }
        let taken = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| taken_bytes(name, value));
        let _admission = self.admit(taken(&value).saturating_sub(taken(&before)))?;
        if let Some(value) = &value {
            self.check_room(value.len() as u64)?;
        }
        if value.is_some() && !is_there {
            let names = self.layers.xattr_names(inode)?;
            let bytes: usize = names.iter().map(|name| name.len() + 1).sum();
            if bytes + name.len() + 1 > XATTR_LIST_BYTES_MAX {
                return Err(Error::ValueTooLarge);
            }
        }
        let counted = attributes.counted_bytes();
        self.put_xattr(inode, &mut attributes, name, value)?;
        attributes.changed = self.now();
        self.counts.allocation_changed(counted, attributes.counted_bytes());
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }

    /// Sets or removes an attribute, whatever is there. The caller holds the gate and the inode's lock, counts and puts the attributes.
    pub(crate) fn put_xattr(
        &self,
        inode: Inode,
        attributes: &mut Attributes,
        name: &[u8],
        value: Option<Bytes>,
    ) -> Result<()> {
        let removed = self.layers.xattr(inode, name)?.map_or(0, |value| taken_bytes(name, &value));
        let added = value.as_ref().map_or(0, |value| taken_bytes(name, value));
        attributes.xattr_bytes = attributes.xattr_bytes.saturating_sub(removed) + added;
        self.layers.overlay.change(inode, Change::Xattr { name: name.into(), value });
        Ok(())
    }
}

/// What an attribute counts, in bytes.
pub(crate) fn taken_bytes(name: &[u8], value: &[u8]) -> u64 {
    (name.len() + value.len()) as u64
}
