//! From inodes back to names.
//!
//! An inode knows a directory that held a name of it when it last got one (`Attributes::parent`); the name is found there. For a
//! directory that is always right. Another inode may have lost that name since and have more elsewhere, or come from a program that
//! noted no directory: then all directories are searched, once.

use crate::limits::DIRECTORY_BATCH_ENTRIES;
use crate::{Inode, Kind, Result, View};
use std::collections::HashMap;

/// Where each inode has a name: the directory, and what it is called there.
type Names = HashMap<Inode, (Inode, Box<[u8]>)>;

/// Finds paths in a state that does not change.
pub(crate) struct Paths<'a> {
    view: &'a View,
    known: HashMap<Inode, Vec<u8>>,
    /// All names, once all directories were searched.
    searched: Option<Names>,
}

impl<'a> Paths<'a> {
    pub(crate) fn new(view: &'a View) -> Self {
        Self { view, known: HashMap::from([(Inode::ROOT, Vec::new())]), searched: None }
    }

    /// A path to an inode from the top, without a slash at its beginning; `None` if no name leads to it.
    pub(crate) fn path(&mut self, inode: Inode) -> Result<Option<Vec<u8>>> {
        let (mut inode, mut below) = (inode, Vec::new());
        while !self.known.contains_key(&inode) {
            let Some((directory, name)) = self.name(inode)? else { return Ok(None) };
            below.push((inode, name));
            inode = directory;
        }
        let mut path = self.known[&inode].clone();
        for (inode, name) in below.into_iter().rev() {
            path = join(&path, &name);
            self.known.insert(inode, path.clone());
        }
        Ok(Some(path))
    }

    /// A path to a name in a directory.
    pub(crate) fn path_in(&mut self, directory: Inode, name: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.path(directory)?.map(|directory| join(&directory, name)))
    }

    pub(crate) fn name(&mut self, inode: Inode) -> Result<Option<(Inode, Box<[u8]>)>> {
        let Some(attributes) = self.view.layers.attributes(inode)?.filter(|attributes| attributes.links > 0) else {
            return Ok(None);
        };
        let directory = Inode(attributes.parent);
        if directory.0 != 0
            && let Some(name) = self.view.name_in(directory, inode)?
        {
            return Ok(Some((directory, name)));
        }
        if self.searched.is_none() {
            self.searched = Some(self.view.all_names()?);
        }
        Ok(self.searched.as_ref().and_then(|names| names.get(&inode).cloned()))
    }
}

/// A path to what a name leads to in a directory at a path.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.into() } else { [directory, b"/", name].concat() }
}

impl View {
    /// The inode at a path from the top; empty components count for nothing. `NotFound` if there is none. Links are not followed.
    pub fn resolve(&self, path: &[u8]) -> Result<Inode> {
        let mut inode = Inode::ROOT;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".") {
            inode = self.lookup(inode, name)?.0;
        }
        Ok(inode)
    }

    /// A path from the top to an inode; `None` if no name leads to it.
    pub fn path(&self, inode: Inode) -> Result<Option<Vec<u8>>> {
        Paths::new(self).path(inode)
    }

    fn name_in(&self, directory: Inode, inode: Inode) -> Result<Option<Box<[u8]>>> {
        let mut found = None;
        self.each_name(directory, &mut |name, child, _| {
            if child == inode {
                found = Some(name.into());
            }
            found.is_none()
        })?;
        Ok(found)
    }

    fn all_names(&self) -> Result<Names> {
        let (mut names, mut directories) = (HashMap::new(), vec![Inode::ROOT]);
        while let Some(directory) = directories.pop() {
            self.each_name(directory, &mut |name, child, kind| {
                names.insert(child, (directory, name.into()));
                if kind == Kind::Directory {
                    directories.push(child);
                }
                true
            })?;
        }
        Ok(names)
    }

    /// Shows the names of a directory until `visit` has seen enough.
    pub(crate) fn each_name(&self, directory: Inode, visit: &mut dyn FnMut(&[u8], Inode, Kind) -> bool) -> Result<()> {
        let mut from = 0;
        loop {
            let batch = self.layers.dentries(directory, from, DIRECTORY_BATCH_ENTRIES)?;
            let Some(((last, _), _)) = batch.last_key_value() else { return Ok(()) };
            from = last + 1;
            for ((_, name), dentry) in &batch {
                if !visit(name, Inode(dentry.inode), dentry.kind) {
                    return Ok(());
                }
            }
        }
    }
}
