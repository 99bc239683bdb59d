//! Which inodes of the two sides are the same object, and where each object has names.

use super::changes::Changes;
use crate::{Inode, Kind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the merged state has: an inode of the base or of ours, one that they made, or the copy that a conflict makes of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Object {
    Ours(Inode),
    Theirs(Inode),
    Copy(Inode),
}

/// A place in the merged state: a directory and a name in it.
pub(super) type Spot = (Object, Box<[u8]>);

/// The inode that an object is on each side, if it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) base: Option<Inode>,
    pub(super) ours: Option<Inode>,
    pub(super) theirs: Option<Inode>,
}

/// What has a name, in the base and on each side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    pub(super) base: Option<Object>,
    pub(super) ours: Option<Object>,
    pub(super) theirs: Option<Object>,
}

/// The names of an object among those that somebody changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) base: BTreeSet<Spot>,
    pub(super) ours: BTreeSet<Spot>,
    pub(super) theirs: BTreeSet<Spot>,
}

/// Both sides' inodes as objects.
pub(super) struct Objects<'a> {
    pub(super) our_changes: &'a Changes,
    pub(super) their_changes: &'a Changes,
    /// Inodes that ours made, and the inode of the base that each replaced.
    our_alias: HashMap<Inode, Inode>,
    our_version: HashMap<Inode, Inode>,
    /// Inodes that they made, and the object that each is.
    their_alias: HashMap<Inode, Object>,
    their_version: HashMap<Object, Inode>,
}

impl<'a> Objects<'a> {
    /// What replaced an inode of the base under its name is that object.
    pub(super) fn new(our_changes: &'a Changes, their_changes: &'a Changes) -> Self {
        let our_version = replacements(our_changes);
        let mut their_version: HashMap<_, _> =
            replacements(their_changes).into_iter().map(|(old, new)| (Object::Ours(old), new)).collect();
        if their_changes.is_new(Inode::ROOT) {
            // There is no base. The top is the top all the same.
            their_version.insert(Object::Ours(Inode::ROOT), Inode::ROOT);
        }
        Self {
            our_changes,
            their_changes,
            our_alias: our_version.iter().map(|(old, new)| (*new, *old)).collect(),
            our_version,
            their_alias: their_version.iter().map(|(object, new)| (*new, *object)).collect(),
            their_version,
        }
    }

    /// From now on what they made is this object, which has no other version of theirs.
    pub(super) fn join(&mut self, theirs: Inode, object: Object) {
        self.their_alias.insert(theirs, object);
        self.their_version.insert(object, theirs);
    }

    pub(super) fn of_ours(&self, inode: Inode) -> Object {
        Object::Ours(self.our_alias.get(&inode).copied().unwrap_or(inode))
    }

    pub(super) fn of_theirs(&self, inode: Inode) -> Object {
        match self.their_alias.get(&inode) {
            Some(object) => *object,
            None if self.their_changes.is_new(inode) => Object::Theirs(inode),
            None => Object::Ours(inode),
        }
    }

    pub(super) fn versions(&self, object: Object) -> Versions {
        let inode = match object {
            Object::Theirs(inode) | Object::Copy(inode) => {
                return Versions { theirs: Some(inode), ..Versions::default() };
            }
            Object::Ours(inode) => inode,
        };
        let theirs = self.their_version.get(&object).copied();
        if self.our_changes.is_new(inode) {
            return Versions { base: None, ours: Some(inode), theirs };
        }
        let ours = self.our_version.get(&inode).copied();
        Versions {
            base: Some(inode),
            ours: ours.or((!self.our_changes.is_gone(inode)).then_some(inode)),
            theirs: theirs.or((!self.their_changes.is_gone(inode)).then_some(inode)),
        }
    }

    /// Whether ours is not the content of the base.
    pub(super) fn have_we_written(&self, versions: &Versions) -> bool {
        versions.ours.is_some_and(|inode| is_written(self.our_changes, versions.base, inode))
    }

    /// Whether theirs is not the content of the base.
    pub(super) fn have_they_written(&self, versions: &Versions) -> bool {
        versions.theirs.is_some_and(|inode| is_written(self.their_changes, versions.base, inode))
    }

    /// Every name that somebody changed, and what has it.
    pub(super) fn spots(&self) -> BTreeMap<Spot, Holders> {
        let mut found: BTreeMap<Spot, (Holders, bool, bool)> = BTreeMap::new();
        let base = |inode| Object::Ours(Inode(inode));
        for ((directory, name), pair) in &self.our_changes.names {
            let (holders, by_us, _) = found.entry((self.of_ours(*directory), name.clone())).or_default();
            *by_us = true;
            holders.base = pair.before.map(|dentry| base(dentry.inode));
            holders.ours = pair.after.map(|dentry| self.of_ours(Inode(dentry.inode)));
        }
        for ((directory, name), pair) in &self.their_changes.names {
            let (holders, _, by_them) = found.entry((self.of_theirs(*directory), name.clone())).or_default();
            *by_them = true;
            holders.base = pair.before.map(|dentry| base(dentry.inode)).or(holders.base);
            holders.theirs = pair.after.map(|dentry| self.of_theirs(Inode(dentry.inode))).or(holders.theirs);
        }
        let whole = |(spot, (mut holders, by_us, by_them)): (_, (Holders, bool, bool))| {
            if !by_us {
                holders.ours = holders.base;
            }
            if !by_them {
                holders.theirs = holders.base;
            }
            (spot, holders)
        };
        found.into_iter().map(whole).collect()
    }

    /// The kinds of what has names that somebody changed.
    pub(super) fn kinds(&self) -> HashMap<Object, Kind> {
        let mut kinds = HashMap::new();
        for pair in self.our_changes.names.values() {
            kinds.extend(pair.before.map(|dentry| (Object::Ours(Inode(dentry.inode)), dentry.kind)));
            kinds.extend(pair.after.map(|dentry| (self.of_ours(Inode(dentry.inode)), dentry.kind)));
        }
        for pair in self.their_changes.names.values() {
            kinds.extend(pair.before.map(|dentry| (Object::Ours(Inode(dentry.inode)), dentry.kind)));
            kinds.extend(pair.after.map(|dentry| (self.of_theirs(Inode(dentry.inode)), dentry.kind)));
        }
        kinds
    }

    /// How many names an object has in the base.
    pub(super) fn links_in_base(&self, object: Object) -> usize {
        let Object::Ours(inode) = object else { return 0 };
        let before = |changes: &Changes| {
            let attributes = changes.inodes.get(&inode)?.attributes.before.as_ref()?;
            Some(if attributes.is_directory() { 1 } else { attributes.links })
        };
        let is_in_base = !self.our_changes.is_new(inode);
        before(self.our_changes).or_else(|| before(self.their_changes)).unwrap_or(is_in_base as u32) as usize
    }
}

/// A directory's content are its names, which count by themselves.
fn is_written(changes: &Changes, base: Option<Inode>, inode: Inode) -> bool {
    let Some(touched) = changes.inodes.get(&inode) else { return false };
    let is_directory = touched.attributes.after.as_ref().is_some_and(|attributes| attributes.is_directory());
    !is_directory && (base != Some(inode) || touched.content)
}

/// By name: files of the base that are gone, and the new file that has a name of each.
fn replacements(changes: &Changes) -> HashMap<Inode, Inode> {
    let mut replacements = HashMap::new();
    let mut taken = BTreeSet::new();
    for pair in changes.names.values() {
        let (Some(before), Some(after)) = (pair.before, pair.after) else { continue };
        let (old, new) = (Inode(before.inode), Inode(after.inode));
        let are_files = before.kind == Kind::File && after.kind == Kind::File;
        let is_replaced = are_files && changes.is_gone(old) && changes.is_new(new);
        if is_replaced && !replacements.contains_key(&old) && taken.insert(new) {
            replacements.insert(old, new);
        }
    }
    replacements
}
