//! One change of one record of an inode: what operations do to the overlay, what the journal holds, and what a checkpoint turns
//! into edits of the tree.

use crate::extent::Extent;
use crate::{Attributes, Kind};
use bytes::Bytes;

/// A directory's entry, as its value in the tree has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dentry {
    pub(crate) inode: u64,
    /// Kept here too, so that a listing need not read the inode.
    pub(crate) kind: Kind,
}

/// Changes one record of an inode; `None` removes it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The inode is gone, with all records it had.
    Drop,
    /// Extents that start at or behind `from` are gone.
    Clear {
        from: u64,
    },
    Attributes(Box<Attributes>),
    Inline(Option<Bytes>),
    /// The ranges that are reserved.
    Reserved(Option<Bytes>),
    Xattr {
        name: Box<[u8]>,
        value: Option<Bytes>,
    },
    Dentry {
        hash: u64,
        name: Box<[u8]>,
        dentry: Option<Dentry>,
    },
    Extent {
        offset: u64,
        extent: Option<Extent>,
    },
}
