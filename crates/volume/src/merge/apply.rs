//! Brings a plan into the tree of ours.
//!
//! What is taken from theirs keeps its number, unless ours may have given that to something else: then it gets a new one.

use super::Merged;
use super::objects::{Object, Objects, Spot};
use super::plan::{Action, Conflict, Plan, Told};
use crate::change::Dentry;
use crate::journal::Counters;
use crate::key::{self, Subject};
use crate::limits::INODE_LANE_BITS;
use crate::paths::Paths;
use crate::xattrs::taken_bytes;
use crate::{Attributes, Error, Inode, Result, View, record};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use tree::{Edit, Mapped, Tree};

pub(super) fn apply(plan: Plan<'_>, ours: &View, theirs: &View, counters: Counters) -> Result<Merged> {
    let Plan { objects, actions, names, told } = plan;
    let mut building = Building {
        objects: &objects,
        ours,
        theirs,
        counters,
        numbers: HashMap::new(),
        gone: BTreeSet::new(),
        taken: BTreeSet::new(),
        attributes: BTreeMap::new(),
        records: BTreeMap::new(),
        cleared: BTreeSet::new(),
    };
    building.leave_orphans()?;
    building.give_numbers(&actions)?;
    actions.into_iter().try_for_each(|action| building.act(action))?;
    building.set_names(&names)?;
    let counters = building.counters;
    let numbers = building.numbers.clone();
    let tree = building.into_tree()?;
    let merged = View::new(tree.root(), ours.hash_seed, ours.contents.clone());
    let number = |object: Object| numbers.get(&object).copied().or_else(|| objects.versions(object).ours);
    let conflicts = conflicts(&merged, told, &number)?;
    Ok(Merged { tree, counters, conflicts })
}

struct Building<'a, 'b> {
    objects: &'a Objects<'b>,
    ours: &'a View,
    theirs: &'a View,
    counters: Counters,
    /// Those that are not where ours has them.
    numbers: HashMap<Object, Inode>,
    /// Inodes of ours that go.
    gone: BTreeSet<Inode>,
    /// Inodes that come.
    taken: BTreeSet<Inode>,
    /// Those that change.
    attributes: BTreeMap<Inode, Attributes>,
    records: BTreeMap<Bytes, Option<Mapped>>,
    /// Inodes of which nothing stays that the tree has now.
    cleared: BTreeSet<Inode>,
}

impl Building<'_, '_> {
    /// What has no name is the business of the place where somebody has it open.
    fn leave_orphans(&mut self) -> Result<()> {
        for dentry in orphans(self.ours)? {
            let inode = Inode(dentry.inode);
            if let Some(attributes) = self.ours.layers.attributes(inode)? {
                self.goes(inode, &attributes);
            }
        }
        self.cleared.insert(Inode::ORPHANS);
        Ok(())
    }

    fn goes(&mut self, inode: Inode, attributes: &Attributes) {
        self.counters.inodes -= 1;
        self.counters.allocated_bytes -= attributes.counted_bytes();
        self.cleared.insert(inode);
        self.gone.insert(inode);
    }

    fn give_numbers(&mut self, actions: &[Action]) -> Result<()> {
        for action in actions {
            let (Action::Take { object, theirs } | Action::Replace { object, theirs, .. }) = *action else { continue };
            let wants_own = !matches!(object, Object::Copy(_));
            let number = if wants_own && self.is_free(object, theirs)? { theirs } else { self.new_number()? };
            self.taken.insert(number);
            self.numbers.insert(object, number);
        }
        Ok(())
    }

    /// Whether a number of theirs stands for nothing else here, and never did.
    fn is_free(&self, object: Object, theirs: Inode) -> Result<bool> {
        let was_ours_too = self.objects.versions(object).base == Some(theirs);
        let lane = |number: u64| number >> INODE_LANE_BITS;
        let next = self.counters.next_inode;
        let may_be_given = lane(theirs.0) == lane(next) && !was_ours_too;
        let is_there = self.ours.layers.attributes(theirs)?.is_some_and(|attributes| attributes.links > 0);
        Ok(!may_be_given && !is_there && !self.taken.contains(&theirs))
    }

    fn new_number(&mut self) -> Result<Inode> {
        let number = self.counters.next_inode;
        if number >= crate::limits::INODE_NUMBER_MAX {
            return Err(Error::NotSupported("more inodes than have numbers"));
        }
        self.counters.next_inode += 1;
        Ok(Inode(number))
    }

    fn number(&self, object: Object) -> Option<Inode> {
        self.numbers.get(&object).copied().or_else(|| self.objects.versions(object).ours)
    }

    fn act(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Drop { ours } => {
                let attributes = self.ours.existing(ours)?;
                self.goes(ours, &attributes);
            }
            Action::Take { object, theirs } => self.take(object, theirs)?,
            Action::Replace { object, ours, theirs } => {
                let attributes = self.ours.existing(ours)?;
                self.goes(ours, &attributes);
                self.take(object, theirs)?;
                self.keep_our_xattrs(object, ours, theirs)?;
            }
            Action::Write { ours, theirs } => {
                let touched = self.objects.their_changes.inodes.get(&theirs);
                let records = touched.into_iter().flat_map(|touched| touched.content_records.iter().cloned());
                debug_assert_eq!(ours, theirs, "what was written in place");
                self.records.extend(records);
            }
            Action::SetAttributes { object, attributes } => self.set_attributes(object, attributes)?,
            Action::SetXattrs { object, theirs, names } => {
                let touched = &self.objects.their_changes.inodes[&theirs];
                let Some(number) = self.number(object) else { return Ok(()) };
                for name in names {
                    let (old, new) = (self.ours.layers.xattr(number, &name)?, self.theirs.layers.xattr(theirs, &name)?);
                    self.records.insert(key::xattr(number, &name), touched.xattrs[&name].clone());
                    self.count_xattr(number, &name, old, new)?;
                }
            }
        }
        Ok(())
    }

    /// Everything of an inode of theirs, but its names and, if it is a directory, the names in it.
    fn take(&mut self, object: Object, theirs: Inode) -> Result<()> {
        let number = self.numbers[&object];
        let tree = self.theirs.layers.base.load().tree.clone();
        for entry in tree.range(&key::first_of(theirs), Bound::Excluded(&key::end_of(theirs)))? {
            let (key, value, link) = entry?;
            let subject = key::parse(&key).map(|(_, subject, _)| subject);
            if !matches!(subject, Some(Subject::Attributes | Subject::Dentry) | None) {
                self.records.insert([&number.0.to_be_bytes(), &key[8..]].concat().into(), Some((value, link)));
            }
        }
        let mut attributes = self.theirs.existing(theirs)?;
        self.counters.inodes += 1;
        self.counters.allocated_bytes += attributes.counted_bytes();
        attributes.links = if attributes.is_directory() { 2 } else { 0 };
        if attributes.is_directory() {
            attributes.size = 0;
        }
        self.attributes.insert(number, attributes);
        Ok(())
    }

    /// Ours wrote nothing, but may have set extended attributes.
    fn keep_our_xattrs(&mut self, object: Object, ours: Inode, theirs: Inode) -> Result<()> {
        let number = self.numbers[&object];
        let touched = self.objects.our_changes.inodes.get(&ours);
        for (name, value) in touched.into_iter().flat_map(|touched| &touched.xattrs) {
            let (old, new) = (self.theirs.layers.xattr(theirs, name)?, self.ours.layers.xattr(ours, name)?);
            self.records.insert(key::xattr(number, name), value.clone());
            self.count_xattr(number, name, old, new)?;
        }
        Ok(())
    }

    fn count_xattr(&mut self, number: Inode, name: &[u8], old: Option<Bytes>, new: Option<Bytes>) -> Result<()> {
        let taken = |value: Option<Bytes>| value.map_or(0, |value| taken_bytes(name, &value));
        let attributes = self.attributes_of(number)?;
        let before = attributes.xattr_bytes;
        attributes.xattr_bytes = before.saturating_sub(taken(old)) + taken(new);
        let after = attributes.xattr_bytes;
        self.counters.allocated_bytes = self.counters.allocated_bytes - before + after;
        Ok(())
    }

    /// What names say of it comes later.
    fn set_attributes(&mut self, object: Object, attributes: Attributes) -> Result<()> {
        let Some(number) = self.number(object) else { return Ok(()) };
        let now = self.attributes_of(number)?;
        let (before, is_directory) = (now.allocated_bytes, now.is_directory());
        let allocated_bytes = if is_directory { before } else { attributes.allocated_bytes };
        let size = if is_directory { now.size } else { attributes.size };
        let Attributes { links, parent, xattr_bytes, .. } = *now;
        *now = Attributes { links, parent, xattr_bytes, size, allocated_bytes, ..attributes };
        self.counters.allocated_bytes = self.counters.allocated_bytes - before + allocated_bytes;
        Ok(())
    }

    fn attributes_of(&mut self, number: Inode) -> Result<&mut Attributes> {
        if !self.attributes.contains_key(&number) {
            self.attributes.insert(number, self.ours.existing(number)?);
        }
        Ok(self.attributes.get_mut(&number).expect("it was put there just above"))
    }

    fn set_names(&mut self, names: &BTreeMap<Spot, (Option<Object>, Option<Object>)>) -> Result<()> {
        for ((directory, name), (before, after)) in names {
            let was = before.and_then(|object| self.objects.versions(object).ours);
            let is = after.and_then(|object| self.number(object));
            let Some(number) = self.number(*directory).filter(|number| !self.is_gone(*number)) else { continue };
            let is_new_directory = self.taken.contains(&number);
            let was = was.filter(|_| !is_new_directory);
            if was == is {
                continue;
            }
            if let Some(inode) = was {
                self.name_goes(number, inode)?;
            }
            let value = is.map(|inode| self.name_comes(number, inode)).transpose()?;
            let (hash, name) = self.ours.dentry_key(name);
            self.records.insert(key::dentry(number, hash, &name), value);
        }
        Ok(())
    }

    fn is_gone(&self, number: Inode) -> bool {
        self.gone.contains(&number) && !self.taken.contains(&number)
    }

    fn name_goes(&mut self, directory: Inode, inode: Inode) -> Result<()> {
        let is_directory = self.ours.existing(inode)?.is_directory();
        let parent = self.attributes_of(directory)?;
        parent.size -= 1;
        parent.links -= is_directory as u32;
        if !is_directory && !self.gone.contains(&inode) {
            self.attributes_of(inode)?.links -= 1;
        }
        Ok(())
    }

    fn name_comes(&mut self, directory: Inode, inode: Inode) -> Result<Mapped> {
        let attributes = self.attributes_of(inode)?;
        let kind = attributes.kind;
        let is_directory = attributes.is_directory();
        attributes.parent = directory.0;
        if !is_directory {
            attributes.links += 1;
        }
        let parent = self.attributes_of(directory)?;
        parent.size += 1;
        parent.links += is_directory as u32;
        let mut value = Vec::new();
        record::put_dentry(&mut value, Dentry { inode: inode.0, kind });
        Ok((value.into(), None))
    }

    fn into_tree(self) -> Result<Tree> {
        let mut records = self.records;
        for (inode, attributes) in self.attributes {
            let mut value = Vec::new();
            record::put_attributes(&mut value, &attributes);
            records.insert(key::attributes(inode), Some((value.into(), None)));
        }
        let clear = |inode: &Inode| Edit::Clear { from: key::first_of(*inode), to: key::end_of(*inode) };
        let put = |(key, value)| match value {
            Some((value, link)) => Edit::Put { key, value, link },
            None => Edit::Delete { key },
        };
        let mut edits: Vec<_> = self.cleared.iter().map(clear).chain(records.into_iter().map(put)).collect();
        // Stable: what is cleared comes before what is put there.
        edits.sort_by(|a, b| position(a).cmp(position(b)));
        Ok(self.ours.layers.base.load().tree.apply(edits)?)
    }
}

fn position(edit: &Edit) -> &[u8] {
    match edit {
        Edit::Put { key, .. } | Edit::Delete { key } => key,
        Edit::Clear { from, .. } => from,
    }
}

/// The inodes without a name that somebody has open.
pub(crate) fn orphans(view: &View) -> Result<Vec<Dentry>> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let batch = view.layers.dentries(Inode::ORPHANS, from, crate::limits::DIRECTORY_BATCH_ENTRIES)?;
        let Some(((last, _), _)) = batch.last_key_value() else { return Ok(all) };
        from = last + 1;
        all.extend(batch.values().copied());
    }
}

fn conflicts(merged: &View, told: Vec<Told>, number: &dyn Fn(Object) -> Option<Inode>) -> Result<Vec<Conflict>> {
    let mut paths = Paths::new(merged);
    let mut path = |(directory, name): &Spot| -> Result<Vec<u8>> {
        let directory = number(*directory).unwrap_or(Inode::ROOT);
        let found = paths.path_in(directory, name)?;
        Ok(found.unwrap_or_else(|| name.to_vec()))
    };
    let mut conflicts = Vec::new();
    for Told { kind, spot, other } in told {
        let other = other.as_ref().map(&mut path).transpose()?;
        conflicts.push(Conflict { kind, path: path(&spot)?, other });
    }
    conflicts.sort_by(|a, b| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
    conflicts.dedup();
    Ok(conflicts)
}
