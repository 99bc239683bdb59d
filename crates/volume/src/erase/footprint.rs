//! What one state has of some inodes: all of their records, their names, and what has to change where these were.

use crate::change::Dentry;
use crate::codec::Malformed;
use crate::key::{self, Subject};
use crate::{Attributes, Error, Inode, Result, record};
use block::Name;
use bytes::Bytes;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use tree::{Edit, Tree};

/// Where inodes had names in states that were looked at: they have them there in others too, as a rule.
#[derive(Default)]
pub(super) struct Names(HashMap<Inode, BTreeSet<Bytes>>);

/// The name of an inode.
pub(super) struct Named {
    pub(super) directory: Inode,
    pub(super) name: Box<[u8]>,
    pub(super) inode: Inode,
}

/// What goes from one state.
pub(super) struct Footprint {
    tree: Tree,
    targets: BTreeSet<Inode>,
    /// Directories come before what is in them.
    inodes: Vec<(Inode, Attributes)>,
    /// Keys of the names of these, with what each leads to.
    names: BTreeMap<Bytes, Inode>,
}

impl Footprint {
    /// Of inodes, and of all that is below those that are directories.
    pub(super) fn of(tree: &Tree, targets: &BTreeSet<Inode>, known: &mut Names) -> Result<Self> {
        let (tree, targets) = (tree.clone(), targets.clone());
        let mut footprint = Self { tree, targets, inodes: Vec::new(), names: BTreeMap::new() };
        footprint.add_inodes()?;
        footprint.add_names(known)?;
        Ok(footprint)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }

    pub(super) fn inodes(&self) -> impl DoubleEndedIterator<Item = (Inode, &Attributes)> {
        self.inodes.iter().map(|(inode, attributes)| (*inode, attributes))
    }

    /// Those that are here for themselves, and not only because they are in a directory that goes.
    pub(super) fn top_inodes(&self) -> impl Iterator<Item = Inode> {
        let is_top = |(inode, attributes): &(Inode, &Attributes)| self.targets.contains(inode) && attributes.links > 0;
        self.inodes().filter(is_top).map(|(inode, _)| inode)
    }

    /// All names, but for the notes on those that have none any more.
    pub(super) fn names(&self) -> impl Iterator<Item = Named> {
        self.names.iter().filter_map(|(key, inode)| {
            let (directory, _, rest) = key::parse(key).filter(|(directory, ..)| *directory != Inode::ORPHANS)?;
            let (_, name) = key::parse_dentry(rest)?;
            Some(Named { directory, name: name.into(), inode: *inode })
        })
    }

    /// What goes from the counts of the state: inodes, and bytes.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.inodes.len() as u64, self.inodes().map(|(_, attributes)| attributes.counted_bytes()).sum())
    }

    /// Shows the blocks of content: of files, and of extended attributes.
    pub(super) fn blocks<E: From<tree::Error>>(
        &self,
        visit: &mut dyn FnMut(Name) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        for (inode, _) in self.inodes() {
            for entry in self.tree.range(&key::first_of(inode), Bound::Excluded(&key::end_of(inode)))? {
                if let (.., Some(link)) = entry? {
                    visit(link)?;
                }
            }
        }
        Ok(())
    }

    /// The batch that takes it out of the state. The times of directories stay: nobody did anything there at that time.
    pub(super) fn edits(&self) -> Result<Vec<Edit>> {
        let going: BTreeMap<Inode, bool> =
            self.inodes().map(|(inode, attributes)| (inode, attributes.is_directory())).collect();
        let clear = |inode: &Inode| Edit::Clear { from: key::first_of(*inode), to: key::end_of(*inode) };
        let mut edits: BTreeMap<Bytes, Edit> =
            going.keys().map(|inode| (key::first_of(*inode), clear(inode))).collect();
        let mut directories: BTreeMap<Inode, Attributes> = BTreeMap::new();
        for (key, inode) in &self.names {
            let (directory, ..) = key::parse(key).ok_or_else(|| damaged(*inode, "a directory entry's key"))?;
            if going.contains_key(&directory) {
                continue;
            }
            edits.insert(key.clone(), Edit::Delete { key: key.clone() });
            if directory == Inode::ORPHANS {
                continue;
            }
            let parent = match directories.entry(directory) {
                Entry::Occupied(parent) => parent.into_mut(),
                Entry::Vacant(place) => {
                    let found = attributes(&self.tree, directory)?;
                    place.insert(found.ok_or_else(|| damaged(directory, "its attributes are missing"))?)
                }
            };
            parent.size = parent.size.saturating_sub(1);
            parent.links =
                parent.links.saturating_sub(going.get(inode).is_some_and(|is_directory| *is_directory) as u32);
        }
        for (directory, attributes) in directories {
            let mut value = Vec::new();
            record::put_attributes(&mut value, &attributes);
            let key = key::attributes(directory);
            edits.insert(key.clone(), Edit::Put { key, value: value.into(), link: None });
        }
        Ok(edits.into_values().collect())
    }

    fn add_inodes(&mut self) -> Result<()> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<Inode> = self.targets.iter().copied().collect();
        while let Some(inode) = next.pop() {
            if !seen.insert(inode) {
                continue;
            }
            let Some(attributes) = attributes(&self.tree, inode)? else {
                match self.targets.contains(&inode) {
                    true => continue,
                    false => return Err(damaged(inode, "its attributes are missing")),
                }
            };
            if attributes.is_directory() {
                for (key, dentry) in dentries(&self.tree, inode)? {
                    next.push(Inode(dentry.inode));
                    self.names.insert(key, Inode(dentry.inode));
                }
            }
            self.inodes.push((inode, attributes));
        }
        Ok(())
    }

    /// Finds the names that lie elsewhere than in directories that go.
    fn add_names(&mut self, known: &mut Names) -> Result<()> {
        let mut lacking = BTreeMap::new();
        let mut found: HashMap<Inode, u32> = HashMap::new();
        self.names.values().for_each(|inode| *found.entry(*inode).or_default() += 1);
        let inodes: Vec<_> = self.inodes.iter().map(|(inode, of)| (*inode, of.clone())).collect();
        for (inode, attributes) in inodes {
            // Its own and those of the directories in it count for a directory. It has one name.
            let links = if attributes.is_directory() { attributes.links.min(1) } else { attributes.links };
            let here = found.get(&inode).copied().unwrap_or(0);
            if links == 0 {
                self.names.insert(key::dentry(Inode::ORPHANS, inode.0, b""), inode);
            } else if here < links {
                let missing = links - here - self.add_likely_names(inode, &attributes, links - here, known)?;
                if missing > 0 {
                    lacking.insert(inode, missing);
                }
            }
        }
        if lacking.is_empty() { Ok(()) } else { self.search_names(lacking, known) }
    }

    /// Looks where it had names in other states, and in the directory that it notes. Gives how many it found.
    fn add_likely_names(
        &mut self,
        inode: Inode,
        attributes: &Attributes,
        up_to: u32,
        known: &mut Names,
    ) -> Result<u32> {
        let mut found = 0;
        for key in known.0.get(&inode).into_iter().flatten() {
            if !self.names.contains_key(key) && leads_to(&self.tree, key)? == Some(inode) {
                self.names.insert(key.clone(), inode);
                found += 1;
            }
        }
        if found < up_to && attributes.parent != 0 {
            for (key, dentry) in dentries(&self.tree, Inode(attributes.parent))? {
                if dentry.inode == inode.0 && !self.names.contains_key(&key) {
                    known.0.entry(inode).or_default().insert(key.clone());
                    self.names.insert(key, inode);
                    found += 1;
                }
            }
        }
        Ok(found.min(up_to))
    }

    /// Goes through all directories for the rest.
    fn search_names(&mut self, mut lacking: BTreeMap<Inode, u32>, known: &mut Names) -> Result<()> {
        let tree = self.tree.clone();
        for entry in tree.range(&[], Bound::Unbounded)? {
            let (key, value, _) = entry?;
            let Some((directory, Subject::Dentry, _)) = key::parse(&key) else { continue };
            let inode = Inode(parse_dentry(directory, &value)?.inode);
            let Some(missing) = lacking.get_mut(&inode).filter(|_| directory != Inode::ORPHANS) else { continue };
            if self.names.contains_key(&key) {
                continue;
            }
            known.0.entry(inode).or_default().insert(key.clone());
            self.names.insert(key, inode);
            *missing -= 1;
            if *missing == 0 {
                lacking.remove(&inode);
            }
            if lacking.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

fn damaged(inode: Inode, what: &'static str) -> Error {
    Error::Damaged { inode: inode.0, what }
}

fn attributes(tree: &Tree, inode: Inode) -> Result<Option<Attributes>> {
    let malformed = |malformed: Malformed| malformed.in_inode(inode, "its attributes");
    let found = tree.get(&key::attributes(inode))?;
    found.map(|(value, _)| record::whole(&value, record::attributes).map_err(malformed)).transpose()
}

fn parse_dentry(directory: Inode, value: &[u8]) -> Result<Dentry> {
    record::whole(value, record::dentry).map_err(|malformed| malformed.in_inode(directory, "a directory entry"))
}

/// The names of a directory, by their keys.
fn dentries(tree: &Tree, directory: Inode) -> Result<Vec<(Bytes, Dentry)>> {
    let end = key::end_of_subject(directory, Subject::Dentry);
    let parse = |entry: tree::Result<(Bytes, Bytes, Option<Name>)>| {
        let (key, value, _) = entry?;
        Ok((key, parse_dentry(directory, &value)?))
    };
    tree.range(&key::dentry(directory, 0, b""), Bound::Excluded(&end))?.map(parse).collect()
}

/// What the name with a key leads to.
fn leads_to(tree: &Tree, key: &[u8]) -> Result<Option<Inode>> {
    let Some((directory, ..)) = key::parse(key) else { return Ok(None) };
    tree.get(key)?.map(|(value, _)| Ok(Inode(parse_dentry(directory, &value)?.inode))).transpose()
}
