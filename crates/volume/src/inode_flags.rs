//! Flags of an inode (chattr(1)), and what they forbid.
//!
//! They bind everybody, root too, so they are checked here and not by whoever checks permissions. Who may change them is the
//! caller's business.

use crate::change::Change;
use crate::{Attributes, Error, Inode, Result, Volume};

/// A set of flags, numbered as in a stored inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InodeFlags(u32);

impl InodeFlags {
    /// Nothing of it may change.
    pub const IMMUTABLE: Self = Self(1 << 0);
    /// Its content may only grow at the end; a directory only gets new names.
    pub const APPEND_ONLY: Self = Self(1 << 1);
    /// Backups leave it out.
    pub const NO_DUMP: Self = Self(1 << 2);
    /// Reading leaves its time of access alone.
    pub const NO_ACCESS_TIME: Self = Self(1 << 3);

    /// Space is reserved for it. Kept here by whoever reserves it; nobody sets it.
    pub(crate) const RESERVED: Self = Self(1 << 4);

    /// What a new inode takes over from its directory.
    const INHERITED: Self = Self(Self::NO_DUMP.0 | Self::NO_ACCESS_TIME.0);

    const KNOWN: u32 = (1 << 5) - 1;

    /// The set with these bits; `None` if this version does not know one of them.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits & !Self::KNOWN == 0).then_some(Self(bits))
    }

    /// The bits as they are stored.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all flags of another set are in this one.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets a flag, or takes it away.
    pub(crate) fn set(&mut self, flag: Self, is_set: bool) {
        self.0 = if is_set { self.0 | flag.0 } else { self.0 & !flag.0 };
    }

    /// Whether one of the flags is set that keep an inode as it is.
    fn protects(self) -> bool {
        self.0 & (Self::IMMUTABLE.0 | Self::APPEND_ONLY.0) != 0
    }

    /// What an inode gets that is made in a directory with these flags.
    pub(crate) fn inherited(self) -> Self {
        Self(self.0 & Self::INHERITED.0)
    }
}

impl std::ops::BitOr for InodeFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Volume {
    /// Sets the flags of an inode.
    pub fn set_flags(&self, inode: Inode, flags: InodeFlags) -> Result<()> {
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        let is_reserved = attributes.flags.contains(InodeFlags::RESERVED);
        attributes.flags = flags;
        attributes.flags.set(InodeFlags::RESERVED, is_reserved);
        attributes.changed = self.now();
        self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        Ok(())
    }
}

/// What its flags allow.
impl Attributes {
    /// Names can be added to this directory.
    pub(crate) fn check_may_gain_names(&self) -> Result<()> {
        allowed(!self.flags.contains(InodeFlags::IMMUTABLE), "the directory is immutable")
    }

    /// Names of this directory can be removed or led elsewhere.
    pub(crate) fn check_may_lose_names(&self) -> Result<()> {
        allowed(!self.flags.protects(), "the directory is immutable or append-only")
    }

    /// Names can be added to this inode, or taken from it, and its owner, mode and extended attributes can change.
    pub(crate) fn check_unprotected(&self) -> Result<()> {
        allowed(!self.flags.protects(), "it is immutable or append-only")
    }

    /// Its times can be set to the present.
    pub(crate) fn check_mutable(&self) -> Result<()> {
        allowed(!self.flags.contains(InodeFlags::IMMUTABLE), "it is immutable")
    }

    /// Bytes from an offset on can be written.
    pub(crate) fn check_may_write(&self, offset: u64) -> Result<()> {
        self.check_mutable()?;
        let only_appends = self.flags.contains(InodeFlags::APPEND_ONLY);
        allowed(!only_appends || offset >= self.size, "it is append-only")
    }
}

fn allowed(is_allowed: bool, why: &'static str) -> Result<()> {
    if is_allowed { Ok(()) } else { Err(Error::NotPermitted(why)) }
}
