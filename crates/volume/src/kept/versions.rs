//! The versions of one file over everything that is kept, and what was deleted from a directory.
//!
//! Each kept root costs a few lookups, whatever the volume's size, and roots of equal states cost nothing.

use super::KeptRoot;
use crate::view::View;
use crate::{Attributes, Inode, Kind, Result, Timestamp, Volume};
use block::Name;
use std::collections::BTreeMap;

/// A file as it was for some time.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its path then.
    pub path: Vec<u8>,
    /// Its inode.
    pub inode: Inode,
    /// Its attributes, as the newest root has them that keeps this version.
    pub attributes: Attributes,
    /// The kept roots that have it, the newest first; none if only the newest state has it.
    pub roots: Vec<KeptRoot>,
    /// Whether it is what there is now.
    pub is_live: bool,
}

/// A name that a directory had.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The name.
    pub name: Box<[u8]>,
    /// What it led to.
    pub kind: Kind,
    /// Attributes of that when it was last kept.
    pub attributes: Attributes,
    /// The newest root that has it.
    pub root: KeptRoot,
    /// Where it is now, if it was not deleted but moved.
    pub moved_to: Option<Vec<u8>>,
}

/// A file in one state.
#[derive(Clone)]
struct Seen {
    path: Vec<u8>,
    inode: Inode,
    attributes: Attributes,
}

impl Seen {
    fn is_same_version(&self, other: &Self) -> bool {
        let of = |seen: &Self| (seen.inode, seen.attributes.size, seen.attributes.modified, seen.attributes.kind);
        of(self) == of(other) && self.path == other.path
    }

    fn at_path(view: &View, path: &[u8]) -> Result<Option<Self>> {
        let attributes = match view.resolve(path).and_then(|inode| Ok((inode, view.existing(inode)?))) {
            Ok(found) => found,
            Err(crate::Error::NotFound | crate::Error::NotADirectory | crate::Error::NameTooLong) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { path: path.into(), inode: attributes.0, attributes: attributes.1 }))
    }

    fn with_inode(view: &View, inode: Inode) -> Result<Option<Self>> {
        let Some(attributes) = view.layers.attributes(inode)?.filter(|attributes| attributes.links > 0) else {
            return Ok(None);
        };
        Ok(view.path(inode)?.map(|path| Self { path, inode, attributes }))
    }
}

impl Volume {
    /// The distinct versions of the file at a path from the top, the newest first: by that path, and where it leads nowhere, by the
    /// inode that it leads to at another time. Empty if nothing ever had the path.
    pub fn versions(&self, path: &[u8]) -> Result<Vec<Version>> {
        let path = &normal(path)[..];
        let roots = self.kept_newest_first()?;
        let live = Seen::at_path(self, path)?;
        let mut seen: Vec<Option<Seen>> = Vec::with_capacity(roots.len());
        let mut known = live.as_ref().map(|live| live.inode);
        let mut before: Option<(Option<Name>, Option<Seen>)> = None;
        for root in &roots {
            let found = match &before {
                Some((tree, found)) if *tree == root.tree => found.clone(),
                _ => self.seen_in(root, path, known)?,
            };
            known = found.as_ref().map(|found| found.inode).or(known);
            before = Some((root.tree, found.clone()));
            seen.push(found);
        }
        let live = self.find_where_it_went(&roots, live, &mut seen)?;
        Ok(group(roots, live, seen))
    }

    fn kept_newest_first(&self) -> Result<Vec<KeptRoot>> {
        let mut roots = self.kept_roots(Timestamp::FIRST, Timestamp::LAST)?.collect::<Result<Vec<_>>>()?;
        roots.reverse();
        Ok(roots)
    }

    fn seen_in(&self, root: &KeptRoot, path: &[u8], known: Option<Inode>) -> Result<Option<Seen>> {
        // What went since the list was read is not kept any more.
        let view = match self.open_kept(root) {
            Err(crate::Error::NotFound) => return Ok(None),
            view => view?,
        };
        match (Seen::at_path(&view, path)?, known) {
            (None, Some(known)) => Seen::with_inode(&view, known),
            (found, _) => Ok(found),
        }
    }

    /// A file that had the path and has another one now is looked for by its inode in what is newer.
    fn find_where_it_went(
        &self,
        roots: &[KeptRoot],
        live: Option<Seen>,
        seen: &mut [Option<Seen>],
    ) -> Result<Option<Seen>> {
        let Some(newest) = seen.iter().position(Option::is_some).filter(|_| live.is_none()) else { return Ok(live) };
        let inode = seen[newest].as_ref().map(|seen| seen.inode);
        for (root, seen) in roots.iter().zip(seen.iter_mut()).take(newest) {
            if let (Some(inode), Ok(view)) = (inode, self.open_kept(root)) {
                *seen = Seen::with_inode(&view, inode)?;
            }
        }
        inode.map_or(Ok(None), |inode| Seen::with_inode(self, inode))
    }

    /// The names that a directory had and has no more, with the newest state that has each, in the order of names. The directory is
    /// the one at a path from the top, or was there when it was last kept.
    pub fn deleted_from(&self, path: &[u8]) -> Result<Option<Vec<Deleted>>> {
        let path = &normal(path)[..];
        let live = Seen::at_path(self, path)?.filter(|seen| seen.attributes.is_directory());
        let (mut deleted, mut was_there) = (BTreeMap::new(), live.is_some());
        let mut known = live.as_ref().map(|live| live.inode);
        let mut before: Option<(Inode, Timestamp, u64)> = None;
        for root in self.kept_newest_first()? {
            let Some(seen) = self.seen_in(&root, path, known)?.filter(|seen| seen.attributes.is_directory()) else {
                continue;
            };
            known = Some(seen.inode);
            was_there = true;
            let state = (seen.inode, seen.attributes.modified, seen.attributes.size);
            if before.replace(state) != Some(state) {
                self.add_deleted(&root, &seen, live.as_ref(), &mut deleted)?;
            }
        }
        Ok(was_there.then(|| deleted.into_values().collect()))
    }

    fn add_deleted(
        &self,
        root: &KeptRoot,
        directory: &Seen,
        live: Option<&Seen>,
        deleted: &mut BTreeMap<Box<[u8]>, Deleted>,
    ) -> Result<()> {
        let Ok(view) = self.open_kept(root) else { return Ok(()) };
        let mut names = Vec::new();
        view.each_name(directory.inode, &mut |name, inode, kind| {
            if !deleted.contains_key(name) {
                names.push((Box::<[u8]>::from(name), inode, kind));
            }
            true
        })?;
        for (name, inode, kind) in names {
            let is_there =
                live.map_or(Ok(false), |live| self.dentry(live.inode, &name).map(|dentry| dentry.is_some()))?;
            if !is_there {
                let attributes = view.existing(inode)?;
                let moved_to = Seen::with_inode(self, inode)?.map(|seen| seen.path);
                deleted.insert(name.clone(), Deleted { name, kind, attributes, root: root.clone(), moved_to });
            }
        }
        Ok(())
    }
}

/// A path without what means nothing in it.
fn normal(path: &[u8]) -> Vec<u8> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.collect::<Vec<_>>().join(&b'/')
}

/// Puts what is the same from one root to the next older one together.
fn group(roots: Vec<KeptRoot>, live: Option<Seen>, seen: Vec<Option<Seen>>) -> Vec<Version> {
    let mut versions: Vec<(Seen, Version)> = Vec::new();
    let version = |seen: Seen, roots, is_live| {
        let Seen { path, inode, attributes } = seen.clone();
        (seen, Version { path, inode, attributes, roots, is_live })
    };
    versions.extend(live.map(|live| version(live, Vec::new(), true)));
    for (root, seen) in roots.into_iter().zip(seen) {
        let Some(seen) = seen else { continue };
        match versions.last_mut().filter(|(last, _)| last.is_same_version(&seen)) {
            Some((_, last)) => last.roots.push(root),
            None => versions.push(version(seen, vec![root], false)),
        }
    }
    versions.into_iter().map(|(_, version)| version).collect()
}
