//! Extended attributes.

use crate::change::Change;
use crate::limits::{XATTR_LIST_BYTES_MAX, XATTR_NAME_BYTES_MAX, XATTR_VALUE_BYTES_MAX};
use crate::{Error, Inode, Result, View, Volume};
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
    /// Sets an extended attribute.
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
                (XattrMode::Create, true) => Err(Error::Exists),
                (XattrMode::Replace, false) => Err(Error::NoAttribute),
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
        let is_there = self.layers.xattr(inode, name)?.is_some();
        check(is_there)?;
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
        attributes.changed = self.now();
        self.layers.overlay.change(inode, Change::Xattr { name: name.into(), value });
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }
}
