//! What one side did since the base: names and inodes that are not the same.

use crate::change::Dentry;
use crate::codec::Malformed;
use crate::key::{self, Subject};
use crate::{Attributes, Error, Inode, Result, View, record};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use tree::Mapped;

/// A name: its directory and what it is called there.
pub(super) type Place = (Inode, Box<[u8]>);

/// A thing before and after; `None` where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair<T> {
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self { before: None, after: None }
    }
}

/// What became of an inode. One without a name counts as gone: who has it open keeps it elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) attributes: Pair<Attributes>,
    /// Whether its content is another one.
    pub(super) content: bool,
    /// The records of its content that differ, if it was there before.
    pub(super) content_records: Vec<(Bytes, Option<Mapped>)>,
    /// The extended attributes that differ, as they are now.
    pub(super) xattrs: BTreeMap<Box<[u8]>, Option<Mapped>>,
}

impl Touched {
    pub(super) fn is_new(&self) -> bool {
        self.attributes.before.is_none() && self.attributes.after.is_some()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.attributes.after.is_none()
    }
}

/// What one side did.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) names: BTreeMap<Place, Pair<Dentry>>,
    pub(super) inodes: BTreeMap<Inode, Touched>,
}

impl Changes {
    pub(super) fn is_new(&self, inode: Inode) -> bool {
        self.inodes.get(&inode).is_some_and(Touched::is_new)
    }

    pub(super) fn is_gone(&self, inode: Inode) -> bool {
        self.inodes.get(&inode).is_some_and(Touched::is_gone)
    }
}

/// What differs from one state to another.
pub(super) fn between(before: &View, after: &View) -> Result<Changes> {
    let mut changes = Changes::default();
    let mut failed = None;
    let (tree_before, tree_after) = (before.layers.base.load(), after.layers.base.load());
    tree_before.tree.diff(&tree_after.tree, &mut |difference| match changes.take(difference) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    for (inode, touched) in &mut changes.inodes {
        let is_told = touched.attributes != Pair::default();
        if !is_told {
            let same = before.layers.attributes(*inode)?;
            touched.attributes = Pair { before: same.clone(), after: same };
        }
        let has_name = |attributes: &Attributes| attributes.links > 0;
        touched.attributes.before.take_if(|attributes| !has_name(attributes));
        touched.attributes.after.take_if(|attributes| !has_name(attributes));
    }
    changes.inodes.retain(|_, touched| touched.attributes != Pair::default());
    Ok(changes)
}

impl Changes {
    fn take(&mut self, tree::Difference { key, before, after }: tree::Difference) -> Result<()> {
        let Some((inode, subject, rest)) = key::parse(&key) else { return Ok(()) };
        if inode == Inode::ORPHANS {
            return Ok(());
        }
        if subject == Subject::Dentry {
            let damaged = || Error::Damaged { inode: inode.0, what: "a directory entry's key" };
            let (_, name) = key::parse_dentry(rest).ok_or_else(damaged)?;
            let pair = Pair { before: dentry(inode, before)?, after: dentry(inode, after)? };
            self.names.insert((inode, name.into()), pair);
            return Ok(());
        }
        let touched = self.inodes.entry(inode).or_default();
        match subject {
            Subject::Attributes => {
                touched.attributes = Pair { before: attributes(inode, before)?, after: attributes(inode, after)? };
            }
            Subject::Xattr => drop(touched.xattrs.insert(rest.into(), after)),
            Subject::Reserved | Subject::Inline | Subject::Extent => {
                touched.content |= subject != Subject::Reserved;
                // What is new is read as a whole, later.
                if touched.attributes.before.is_some() || touched.attributes.after.is_none() {
                    touched.content_records.push((key, after));
                }
            }
            Subject::Dentry => {}
        }
        if let Pair { before: Some(before), after: Some(after) } = &touched.attributes {
            touched.content |= !after.is_directory() && before.size != after.size;
        }
        Ok(())
    }
}

fn dentry(directory: Inode, mapped: Option<Mapped>) -> Result<Option<Dentry>> {
    let parse = |(value, _): Mapped| record::whole(&value, record::dentry);
    let damaged = |malformed: Malformed| malformed.in_inode(directory, "a directory entry");
    mapped.map(parse).transpose().map_err(damaged)
}

fn attributes(inode: Inode, mapped: Option<Mapped>) -> Result<Option<Attributes>> {
    let parse = |(value, _): Mapped| record::whole(&value, record::attributes);
    let damaged = |malformed: Malformed| malformed.in_inode(inode, "its attributes");
    mapped.map(parse).transpose().map_err(damaged)
}
