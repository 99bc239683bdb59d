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
    /// What becomes of what lets a program do more than its user.
    pub privileges: Privileges,
}

impl AttributeChanges {
    /// Whether the inode's flags allow the changes (`may_setattr` of the kernel, and ext4's own check).
    fn check_allowed(&self, attributes: &Attributes) -> Result<()> {
        // As touch(1) has it. To set one of them alone to the present is an explicit change.
        let is_touched = (self.accessed, self.modified) == (Some(TimeChange::Now), Some(TimeChange::Now));
        let sets_times = self.accessed.is_some() || self.modified.is_some();
        let changes_what_is_protected = self.permissions.is_some()
            || self.uid.is_some()
            || self.gid.is_some()
            || self.size.is_some()
            || sets_times && !is_touched;
        if changes_what_is_protected { attributes.check_unprotected() } else { attributes.check_mutable() }
    }
}

/// What a change of a file does to what lets a program do more than its user. Directories keep all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privileges {
    /// It stays: somebody was asked before, or nothing that matters changes.
    #[default]
    Keep,
    /// File capabilities go.
    DropCapabilities,
    /// So do set-user-id and set-group-id.
    Drop,
    /// As [`Privileges::Drop`], by a member of the file's group: set-group-id stays where the group may not execute.
    DropAsMember,
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
    /// Sets attributes, all at one moment; gives all of them as they are then.
    pub fn set_attributes(&self, inode: Inode, changes: &AttributeChanges) -> Result<Attributes> {
        let tail = changes.size.map(|size| self.count_tail(inode, size)).transpose()?.flatten();
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        changes.check_allowed(&attributes)?;
        let now = self.now();
        if let Some(size) = changes.size {
            self.check_resizable(&attributes)?;
            self.resize(inode, &mut attributes, size, tail)?;
            attributes.modified = now;
        }
        let counted = attributes.counted_bytes();
        self.drop_privileges(inode, &mut attributes, changes.privileges)?;
        if let Some(permissions) = changes.permissions {
            self.change_mode_of_access_list(inode, permissions)?;
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
        self.counts.allocation_changed(counted, attributes.counted_bytes());
        self.layers.overlay.change(inode, Change::Attributes(attributes.clone().into()));
        if changes.accessed.is_some() {
            self.layers.accesses.forget(inode);
        }
        Ok(attributes)
    }

    /// Takes away what a file must not keep when somebody changes it. The caller counts and puts the attributes.
    pub(crate) fn drop_privileges(
        &self,
        inode: Inode,
        attributes: &mut Attributes,
        privileges: Privileges,
    ) -> Result<()> {
        if privileges == Privileges::Keep || attributes.is_directory() {
            return Ok(());
        }
        attributes.permissions &= !dropped_bits(attributes.permissions, privileges);
        if self.layers.xattr(inode, CAPABILITY_XATTR)?.is_some() {
            self.put_xattr(inode, attributes, CAPABILITY_XATTR, None)?;
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

fn dropped_bits(permissions: u32, privileges: Privileges) -> u32 {
    let group_may_execute = permissions & libc::S_IXGRP != 0;
    match privileges {
        Privileges::Keep | Privileges::DropCapabilities => 0,
        Privileges::DropAsMember if !group_may_execute => libc::S_ISUID,
        Privileges::Drop | Privileges::DropAsMember => libc::S_ISUID | libc::S_ISGID,
    }
}
