//! Reading and setting attributes.

use crate::change::Change;
use crate::{Attributes, Error, Inode, Kind, Result, Timestamp, Volume};

/// What [`Volume::set_attributes`] sets; `None` leaves things as they are.
#[derive(Clone, Debug, Default)]
pub struct AttributeChanges {
    /// The permission bits (07777).
    pub permissions: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// The length of a file.
    pub size: Option<u64>,
    /// When it was last read.
    pub accessed: Option<TimeChange>,
    /// When its content last changed.
    pub modified: Option<TimeChange>,
    /// What becomes of set-user-id and set-group-id.
    pub set_id: SetId,
}

/// What a change of a file does to its set-user-id and set-group-id bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetId {
    /// They stay.
    #[default]
    Keep,
    /// Set-user-id goes, and set-group-id where the group may execute: somebody without the right to keep them changes the file.
    Clear,
}

/// Goes whenever content or owner change: what was checked may run as another program now.
const CAPABILITY_XATTR: &[u8] = b"security.capability";

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeChange {
    /// The moment of the operation.
    Now,
    /// This one.
    To(Timestamp),
}

impl TimeChange {
    fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::To(time) => time,
        }
    }
}

impl Volume {
    /// The attributes of an inode.
    pub fn attributes(&self, inode: Inode) -> Result<Attributes> {
        self.existing(inode)
    }

    /// Sets attributes, all at one moment; gives all of them as they are then.
    pub fn set_attributes(&self, inode: Inode, changes: &AttributeChanges) -> Result<Attributes> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        let now = self.now();
        if let Some(size) = changes.size {
            self.check_resizable(&attributes)?;
            self.resize(inode, &mut attributes, size)?;
            attributes.modified = now;
        }
        if changes.size.is_some() || changes.uid.is_some() || changes.gid.is_some() {
            self.drop_privileges(inode, &mut attributes, changes.set_id)?;
        }
        if let Some(permissions) = changes.permissions {
            attributes.permissions = permissions & 0o7777;
        }
        attributes.uid = changes.uid.unwrap_or(attributes.uid);
        attributes.gid = changes.gid.unwrap_or(attributes.gid);
        if let Some(time) = changes.accessed {
            attributes.accessed = time.resolve(now);
        }
        if let Some(time) = changes.modified {
            attributes.modified = time.resolve(now);
        }
        attributes.changed = now;
        self.layers.overlay.change(inode, Change::Attributes(attributes.clone().into()));
        Ok(attributes)
    }

    /// Takes away what a file must not keep when somebody changes it.
    pub(crate) fn drop_privileges(&self, inode: Inode, attributes: &mut Attributes, set_id: SetId) -> Result<()> {
        if set_id == SetId::Clear {
            attributes.permissions = without_set_id(attributes.permissions);
        }
        if self.layers.xattr(inode, CAPABILITY_XATTR)?.is_some() {
            self.layers.overlay.change(inode, Change::Xattr { name: CAPABILITY_XATTR.into(), value: None });
        }
        Ok(())
    }

    fn check_resizable(&self, attributes: &Attributes) -> Result<()> {
        match attributes.kind {
            Kind::File => Ok(()),
            Kind::Directory => Err(Error::IsADirectory),
            _ => Err(Error::Invalid("only regular files have a length to set")),
        }
    }
}

/// Without set-group-id a group that may not execute keeps the bit: there it means mandatory locking.
fn without_set_id(permissions: u32) -> u32 {
    let set_group_id = if permissions & libc::S_IXGRP != 0 { libc::S_ISGID } else { 0 };
    permissions & !(libc::S_ISUID | set_group_id)
}
