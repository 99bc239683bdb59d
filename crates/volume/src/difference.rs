//! What differs between two states of a volume, in the words of its users: names that came, went and changed, and what is behind
//! them.
//!
//! The trees are walked at once, and what they share is skipped unread. So the time follows the difference: what is behind each
//! difference, and one path to it. Two names of one inode, one gone and one new, are a rename; a name that leads to a new inode where
//! another was before is a change, as programs save files by renaming new ones over old ones.

use crate::change::Dentry;
use crate::codec::Malformed;
use crate::key::{self, Subject};
use crate::paths::Paths;
use crate::{Attributes, Error, Inode, Kind, Result, View, record};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use tree::Mapped;

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happened {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is new, and the inode had another one before.
    Renamed,
    /// What it leads to is not the same.
    Changed,
}

/// A name that differs between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What became of it.
    pub happened: Happened,
    /// The path: in the second state, but for a removed one.
    pub path: Vec<u8>,
    /// The path in the first state, if it was renamed.
    pub path_before: Option<Vec<u8>>,
    /// What it leads to.
    pub kind: Kind,
    /// Whether the content is another one; for a new or removed name, whether there is or was any.
    pub content: bool,
    /// Whether owner, permissions, flags, extended attributes or times of content are others, without the content being so.
    pub attributes: bool,
    /// Bytes in the first state, if it was there.
    pub size_before: Option<u64>,
    /// Bytes in the second state, if it is there.
    pub size: Option<u64>,
}

/// What differs from one state of a volume to another, in the order of paths.
pub fn differences(before: &View, after: &View) -> Result<Vec<Difference>> {
    let mut found = Found::default();
    let mut failed = None;
    let (tree_before, tree_after) = (before.layers.base.load(), after.layers.base.load());
    tree_before.tree.diff(&tree_after.tree, &mut |difference| match found.take(difference) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let sides = Sides { before, after, paths_before: Paths::new(before), paths_after: Paths::new(after) };
    sides.tell(found)
}

/// A name: its directory and what it is called there.
type Place = (Inode, Box<[u8]>);

/// Records that differ.
#[derive(Default)]
struct Found {
    names: BTreeMap<Place, Pair<Dentry>>,
    inodes: BTreeMap<Inode, Touched>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair<T> {
    before: Option<T>,
    after: Option<T>,
}

/// What differs of an inode beside its attributes.
#[derive(Clone, Copy, Default)]
struct Touched {
    content: bool,
    xattrs: bool,
}

impl Found {
    fn take(&mut self, tree::Difference { key, before, after }: tree::Difference) -> Result<()> {
        let Some((inode, subject, rest)) = key::parse(&key) else { return Ok(()) };
        match subject {
            Subject::Dentry if inode == Inode::ORPHANS => {}
            Subject::Dentry => {
                let damaged = || Error::Damaged { inode: inode.0, what: "a directory entry's key" };
                let (_, name) = key::parse_dentry(rest).ok_or_else(damaged)?;
                let pair = Pair { before: dentry(inode, before)?, after: dentry(inode, after)? };
                self.names.insert((inode, name.into()), pair);
            }
            Subject::Inline | Subject::Extent => self.inodes.entry(inode).or_default().content = true,
            Subject::Xattr => self.inodes.entry(inode).or_default().xattrs = true,
            Subject::Attributes | Subject::Reserved => drop(self.inodes.entry(inode).or_default()),
        }
        Ok(())
    }
}

fn dentry(directory: Inode, mapped: Option<Mapped>) -> Result<Option<Dentry>> {
    let parse = |(value, _): (Bytes, _)| record::whole(&value, record::dentry);
    let damaged = |malformed: Malformed| malformed.in_inode(directory, "a directory entry");
    mapped.map(parse).transpose().map_err(damaged)
}

struct Sides<'a> {
    before: &'a View,
    after: &'a View,
    paths_before: Paths<'a>,
    paths_after: Paths<'a>,
}

impl Sides<'_> {
    fn tell(mut self, found: Found) -> Result<Vec<Difference>> {
        let (mut gone, mut came) = (HashMap::<_, Vec<Place>>::new(), HashMap::<_, Vec<Place>>::new());
        for (place, pair) in &found.names {
            let inode = |dentry: Option<Dentry>| dentry.map(|dentry| Inode(dentry.inode));
            if inode(pair.before) == inode(pair.after) {
                continue;
            }
            inode(pair.before).into_iter().for_each(|inode| gone.entry(inode).or_default().push(place.clone()));
            inode(pair.after).into_iter().for_each(|inode| came.entry(inode).or_default().push(place.clone()));
        }
        let mut told = Vec::new();
        let mut moved = HashMap::new();
        for (inode, new) in &mut came {
            while let Some((new, old)) = pop_pair(new, gone.get_mut(inode)) {
                told.push(self.renamed(*inode, old, new, &found)?);
                moved.insert(*inode, ());
            }
        }
        let mut removed: HashMap<Place, Inode> = HashMap::new();
        removed
            .extend(gone.into_iter().flat_map(|(inode, places)| places.into_iter().map(move |place| (place, inode))));
        for (inode, places) in came {
            for place in places {
                told.push(match removed.remove(&place) {
                    Some(old) => self.replaced(old, inode, place)?,
                    None => self.added(inode, place)?,
                });
            }
        }
        for (place, inode) in removed {
            told.push(self.removed(inode, place)?);
        }
        // An inode that changed, and whose name took the place of another one's, is told once.
        let is_replaced = |(_, told): &(usize, &Difference)| told.happened == Happened::Changed;
        let replaced = told.iter().enumerate().filter(is_replaced).map(|(index, told)| (told.path.clone(), index));
        let replaced: HashMap<_, _> = replaced.collect();
        for inode in found.inodes.keys().filter(|inode| !moved.contains_key(inode)) {
            let Some(changed) = self.changed(*inode, &found)? else { continue };
            match replaced.get(&changed.path) {
                Some(index) => told[*index].also(&changed),
                None => told.push(changed),
            }
        }
        told.sort_by(|a, b| (&a.path, a.happened).cmp(&(&b.path, b.happened)));
        Ok(told)
    }

    fn renamed(&mut self, inode: Inode, old: Place, new: Place, found: &Found) -> Result<Difference> {
        let (before, after) = (self.before.existing(inode)?, self.after.existing(inode)?);
        let (content, attributes) = what_changed(inode, &before, &after, found);
        Ok(Difference {
            happened: Happened::Renamed,
            path: path(self.paths_after.path_in(new.0, &new.1)?, &new)?,
            path_before: Some(path(self.paths_before.path_in(old.0, &old.1)?, &old)?),
            kind: after.kind,
            content,
            attributes,
            size_before: Some(before.size),
            size: Some(after.size),
        })
    }

    fn replaced(&mut self, old: Inode, new: Inode, place: Place) -> Result<Difference> {
        let (before, after) = (self.before.existing(old)?, self.after.existing(new)?);
        Ok(Difference {
            happened: Happened::Changed,
            path: path(self.paths_after.path_in(place.0, &place.1)?, &place)?,
            path_before: None,
            kind: after.kind,
            content: true,
            attributes: differ(&before, &after),
            size_before: Some(before.size),
            size: Some(after.size),
        })
    }

    fn added(&mut self, inode: Inode, place: Place) -> Result<Difference> {
        let attributes = self.after.existing(inode)?;
        let path = path(self.paths_after.path_in(place.0, &place.1)?, &place)?;
        Ok(Difference { size: Some(attributes.size), ..single(Happened::Added, path, &attributes) })
    }

    fn removed(&mut self, inode: Inode, place: Place) -> Result<Difference> {
        let attributes = self.before.existing(inode)?;
        let path = path(self.paths_before.path_in(place.0, &place.1)?, &place)?;
        Ok(Difference { size_before: Some(attributes.size), ..single(Happened::Removed, path, &attributes) })
    }

    /// An inode that has a name in both states and is not the same.
    fn changed(&mut self, inode: Inode, found: &Found) -> Result<Option<Difference>> {
        let linked = |view: &View| Ok(view.layers.attributes(inode)?.filter(|attributes| attributes.links > 0));
        let (before, after): (Result<_>, Result<_>) = (linked(self.before), linked(self.after));
        let (Some(before), Some(after)) = (before?, after?) else { return Ok(None) };
        let (content, attributes) = what_changed(inode, &before, &after, found);
        if !content && !attributes {
            return Ok(None);
        }
        let Some(path) = self.paths_after.path(inode)? else { return Ok(None) };
        Ok(Some(Difference {
            happened: Happened::Changed,
            path,
            path_before: None,
            kind: after.kind,
            content,
            attributes,
            size_before: Some(before.size),
            size: Some(after.size),
        }))
    }
}

impl Difference {
    fn also(&mut self, other: &Self) {
        self.content |= other.content;
        self.attributes |= other.attributes;
    }
}

fn pop_pair(new: &mut Vec<Place>, old: Option<&mut Vec<Place>>) -> Option<(Place, Place)> {
    let old = old.filter(|old| !old.is_empty() && !new.is_empty())?;
    new.pop().zip(old.pop())
}

fn path(found: Option<Vec<u8>>, place: &Place) -> Result<Vec<u8>> {
    found.ok_or(Error::Damaged { inode: place.0.0, what: "a directory that has entries and no name" })
}

fn single(happened: Happened, path: Vec<u8>, attributes: &Attributes) -> Difference {
    let content = attributes.kind != Kind::Directory && attributes.size > 0;
    Difference {
        happened,
        path,
        path_before: None,
        kind: attributes.kind,
        content,
        attributes: false,
        size_before: None,
        size: None,
    }
}

/// Whether content and attributes of an inode that is in both states differ. A directory's content are its names, which are told by
/// themselves.
fn what_changed(inode: Inode, before: &Attributes, after: &Attributes, found: &Found) -> (bool, bool) {
    let touched = found.inodes.get(&inode).copied().unwrap_or_default();
    let is_directory = after.kind == Kind::Directory;
    let content = !is_directory && (touched.content || before.size != after.size);
    let is_touched = !is_directory && !content && before.modified != after.modified;
    (content, touched.xattrs || is_touched || differ(before, after))
}

fn differ(before: &Attributes, after: &Attributes) -> bool {
    let of = |attributes: &Attributes| {
        let Attributes { kind, permissions, uid, gid, device, flags, .. } = *attributes;
        (kind, permissions, uid, gid, device, flags)
    };
    of(before) != of(after)
}
