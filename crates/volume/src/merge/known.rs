//! What a plan has to ask about the two sides beside what they changed.

use super::changes::Place;
use crate::paths::Paths;
use crate::{Attributes, Inode, Kind, Result, View};

/// Answers about states that do not change.
pub(super) trait Known {
    /// Whether an inode of ours and one of theirs have the same content and extended attributes.
    fn is_same(&self, ours: Inode, theirs: Inode) -> Result<bool>;

    /// Whether what replaced an inode of the base on our side has the same content and extended attributes.
    fn have_we_left(&self, base: Inode, ours: Inode) -> Result<bool>;

    /// The same on their side.
    fn have_they_left(&self, base: Inode, theirs: Inode) -> Result<bool>;

    /// Whether a directory of ours has a name.
    fn is_taken_by_us(&self, directory: Inode, name: &[u8]) -> Result<bool>;

    /// Whether a directory of theirs has a name.
    fn is_taken_by_them(&self, directory: Inode, name: &[u8]) -> Result<bool>;

    /// The directory that holds a directory of ours.
    fn parent(&self, ours: Inode) -> Result<Inode>;

    /// A name of an inode of ours.
    fn place(&self, ours: Inode) -> Result<Option<Place>>;
}

/// The states.
pub(super) struct Views<'a> {
    pub(super) base: &'a View,
    pub(super) ours: &'a View,
    pub(super) theirs: &'a View,
}

/// Bytes that are compared at a time.
const COMPARED_BYTES: usize = 128 << 10;

impl Known for Views<'_> {
    fn is_same(&self, ours: Inode, theirs: Inode) -> Result<bool> {
        is_same((self.ours, ours), (self.theirs, theirs))
    }

    fn have_we_left(&self, base: Inode, ours: Inode) -> Result<bool> {
        is_same((self.base, base), (self.ours, ours))
    }

    fn have_they_left(&self, base: Inode, theirs: Inode) -> Result<bool> {
        is_same((self.base, base), (self.theirs, theirs))
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

/// An inode in a state.
type Seen<'a> = (&'a View, Inode);

fn is_same(one: Seen<'_>, other: Seen<'_>) -> Result<bool> {
    let (a, b) = (one.0.existing(one.1)?, other.0.existing(other.1)?);
    let what = |attributes: &Attributes| (attributes.kind, attributes.device, attributes.size);
    if what(&a) != what(&b) || !has_same_xattrs(one, other)? {
        return Ok(false);
    }
    match a.kind {
        Kind::File => has_same_bytes(one, other, a.size),
        Kind::Symlink => Ok(one.0.read_link(one.1)? == other.0.read_link(other.1)?),
        Kind::Directory => Ok(false),
        Kind::Fifo | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice => Ok(true),
    }
}

fn has_same_xattrs((a, one): Seen<'_>, (b, other): Seen<'_>) -> Result<bool> {
    let names = a.layers.xattr_names(one)?;
    if names != b.layers.xattr_names(other)? {
        return Ok(false);
    }
    for name in &names {
        if a.layers.xattr(one, name)? != b.layers.xattr(other, name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has_same_bytes(one: Seen<'_>, other: Seen<'_>, size: u64) -> Result<bool> {
    let (mut a, mut b) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    let mut offset = 0;
    while offset < size {
        let (length, found) = (one.0.read(one.1, offset, &mut a)?, other.0.read(other.1, offset, &mut b)?);
        if length == 0 || a[..length] != b[..found] {
            return Ok(false);
        }
        offset += length as u64;
    }
    Ok(true)
}
