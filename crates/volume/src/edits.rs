//! Turns what a checkpoint froze into a batch for the tree.

use crate::change::Dentry;
use crate::dirty_inode::DirtyInode;
use crate::extent::Extent;
use crate::journal::source_name;
use crate::key::{self, Subject};
use crate::limits::XATTR_INLINE_BYTES_MAX;
use crate::overlay::FrozenOverlay;
use crate::{Inode, Result, record};
use block::{Block, Blocks, Name};
use bytes::Bytes;
use tree::Edit;

/// The batch that brings a frozen overlay into the tree. Data in memory becomes blocks here.
pub(crate) fn edits(frozen: &FrozenOverlay, blocks: &dyn Blocks) -> Result<Vec<Edit>> {
    let mut batch = Batch { blocks, edits: Vec::new() };
    for (inode, dirty) in frozen.in_order() {
        batch.add_inode(inode, dirty)?;
    }
    Ok(batch.edits)
}

struct Batch<'a> {
    blocks: &'a dyn Blocks,
    edits: Vec<Edit>,
}

impl Batch<'_> {
    /// Adds an inode's changes in the order of its keys.
    fn add_inode(&mut self, inode: Inode, dirty: &DirtyInode) -> Result<()> {
        if dirty.is_dropped {
            if !dirty.is_new {
                self.edits.push(Edit::Clear { from: key::first_of(inode), to: key::end_of(inode) });
            }
            return Ok(());
        }
        if let Some(attributes) = &dirty.attributes {
            let mut value = Vec::new();
            record::put_attributes(&mut value, attributes);
            self.put(key::attributes(inode), value.into(), None);
        }
        if let Some(inline) = &dirty.inline {
            self.set(key::inline(inode), inline.clone().map(|content| (content, None)));
        }
        for (name, value) in &dirty.xattrs {
            let value = value.as_ref().map(|value| self.xattr_value(value)).transpose()?;
            self.set(key::xattr(inode, name), value);
        }
        for ((hash, name), dentry) in &dirty.dentries {
            self.set(key::dentry(inode, *hash, name), dentry.map(dentry_value));
        }
        self.add_extents(inode, dirty)?;
        if let Some(reserved) = &dirty.reserved {
            self.set(key::reserved(inode), reserved.clone().map(|ranges| (ranges, None)));
        }
        Ok(())
    }

    fn add_extents(&mut self, inode: Inode, dirty: &DirtyInode) -> Result<()> {
        let cleared_from = dirty.cleared_from.filter(|_| !dirty.is_new);
        let before_clear = dirty.extents.range(..cleared_from.unwrap_or(u64::MAX));
        let behind_clear = dirty.extents.range(cleared_from.unwrap_or(u64::MAX)..);
        for (offset, extent) in before_clear {
            self.add_extent(inode, *offset, extent.as_ref())?;
        }
        if let Some(from) = cleared_from {
            let to = key::end_of_subject(inode, Subject::Extent);
            self.edits.push(Edit::Clear { from: key::extent(inode, from), to });
        }
        for (offset, extent) in behind_clear {
            self.add_extent(inode, *offset, extent.as_ref())?;
        }
        Ok(())
    }

    fn add_extent(&mut self, inode: Inode, offset: u64, extent: Option<&Extent>) -> Result<()> {
        let value = match extent {
            Some(extent) => {
                let mut value = Vec::new();
                record::put_extent(&mut value, extent);
                Some((value.into(), Some(source_name(&extent.source, self.blocks)?)))
            }
            None => None,
        };
        self.set(key::extent(inode, offset), value);
        Ok(())
    }

    /// A first byte tells a value that follows (0) from one in a block of its own (1).
    fn xattr_value(&self, value: &Bytes) -> Result<(Bytes, Option<Name>)> {
        if value.len() > XATTR_INLINE_BYTES_MAX {
            let name = self.blocks.put(&Block::data(value.clone()))?;
            return Ok((Bytes::from_static(&[1]), Some(name)));
        }
        Ok(([&[0], &value[..]].concat().into(), None))
    }

    fn set(&mut self, key: Bytes, value: Option<(Bytes, Option<Name>)>) {
        match value {
            Some((value, link)) => self.put(key, value, link),
            None => self.edits.push(Edit::Delete { key }),
        }
    }

    fn put(&mut self, key: Bytes, value: Bytes, link: Option<Name>) {
        self.edits.push(Edit::Put { key, value, link });
    }
}

fn dentry_value(dentry: Dentry) -> (Bytes, Option<Name>) {
    let mut value = Vec::new();
    record::put_dentry(&mut value, dentry);
    (value.into(), None)
}
