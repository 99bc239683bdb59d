//! What a plan has to ask about the two sides beside what they changed.

use super::changes::Place;
use crate::paths::Paths;
use crate::{Attributes, Inode, Kind, Result, View};

/// Answers about states that do not change.
pub(super) trait Known {
    /// Whether an inode of ours and one of theirs have the same content and extended attributes.
    fn is_same(&self, ours: Inode, theirs: Inode) -> Result<bool>;

    /// Whether a directory of ours has a name.
    fn is_taken_by_us(&self, directory: Inode, name: &[u8]) -> Result<bool>;

    /// Whether a directory of theirs has a name.
    fn is_taken_by_them(&self, directory: Inode, name: &[u8]) -> Result<bool>;

    /// The directory that holds a directory of ours.
    fn parent(&self, ours: Inode) -> Result<Inode>;

    /// A name of an inode of ours.
    fn place(&self, ours: Inode) -> Result<Option<Place>>;
}

/// Two states.
pub(super) struct Views<'a> {
    pub(super) ours: &'a View,
    pub(super) theirs: &'a View,
}

/// Bytes that are compared at a time.
const COMPARED_BYTES: usize = 128 << 10;

impl Known for Views<'_> {
    fn is_same(&self, ours: Inode, theirs: Inode) -> Result<bool> {
        let (a, b) = (self.ours.existing(ours)?, self.theirs.existing(theirs)?);
        let what = |attributes: &Attributes| (attributes.kind, attributes.device, attributes.size);
        if what(&a) != what(&b) || !self.has_same_xattrs(ours, theirs)? {
            return Ok(false);
        }
        match a.kind {
            Kind::File => self.has_same_bytes(ours, theirs, a.size),
            Kind::Symlink => Ok(self.ours.read_link(ours)? == self.theirs.read_link(theirs)?),
            Kind::Directory => Ok(false),
            Kind::Fifo | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => Ok(true),
        }
    }

    fn is_taken_by_us(&self, directory: Inode, name: &[u8]) -> Result<bool> {
        Ok(self.ours.dentry(directory, name)?.is_some())
    }

    fn is_taken_by_them(&self, directory: Inode, name: &[u8]) -> Result<bool> {
        Ok(self.theirs.dentry(directory, name)?.is_some())
    }

    fn parent(&self, ours: Inode) -> Result<Inode> {
        Ok(Inode(self.ours.directory(ours)?.parent))
    }

    fn place(&self, ours: Inode) -> Result<Option<Place>> {
        Paths::new(self.ours).name(ours)
    }
}

impl Views<'_> {
    fn has_same_xattrs(&self, ours: Inode, theirs: Inode) -> Result<bool> {
        let names = self.ours.layers.xattr_names(ours)?;
        if names != self.theirs.layers.xattr_names(theirs)? {
            return Ok(false);
        }
        for name in &names {
            if self.ours.layers.xattr(ours, name)? != self.theirs.layers.xattr(theirs, name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_same_bytes(&self, ours: Inode, theirs: Inode, size: u64) -> Result<bool> {
        let (mut a, mut b) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
        let mut offset = 0;
        while offset < size {
            let (length, other) = (self.ours.read(ours, offset, &mut a)?, self.theirs.read(theirs, offset, &mut b)?);
            if length == 0 || a[..length] != b[..other] {
                return Ok(false);
            }
            offset += length as u64;
        }
        Ok(true)
    }
}
