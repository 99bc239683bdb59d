//! Everything that can be seen of a tree: names, facts, links, targets, attributes and contents.

use super::data;
use super::facts::{self, Facts};
use super::name::Name;
use super::xattrs;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many different entries are told.
const SHOWN_MAX: usize = 4;

#[derive(Clone, Default, PartialEq)]
pub(super) struct Tree {
    entries: BTreeMap<Name, Entry>,
}

#[derive(Clone, PartialEq)]
struct Entry {
    facts: Facts,
    /// The first path that leads to the same inode.
    link_to: Name,
    content: String,
    xattrs: Vec<(Name, Vec<u8>)>,
}

/// Sees the whole tree below a directory, as whoever calls. Attributes come from the file system, not from the kernel's cache.
pub(super) fn see(top: &Name) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut first_paths = HashMap::new();
    tree.add(top, &Name::from(""), &mut first_paths)?;
    Ok(tree)
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn add(&mut self, path: &Name, shown: &Name, first_paths: &mut HashMap<u64, Name>) -> Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_FORCE_SYNC;
        let (facts, identity) = facts::at(&path.0, flags)?;
        let entry = Entry {
            link_to: first_paths.entry(identity.inode).or_insert_with(|| shown.clone()).clone(),
            content: content(path, facts.kind)?,
            xattrs: xattrs::all(path)?,
            facts,
        };
        let kind = entry.facts.kind;
        self.entries.insert(shown.clone(), entry);
        if kind == FileType::Directory {
            for name in names(path)? {
                self.add(&path.join(&name.0), &shown.join(&name.0), first_paths)?;
            }
        }
        Ok(())
    }

    /// In what respects the trees differ, whatever the paths.
    pub(super) fn signature(&self, other: &Tree) -> String {
        let mut respects = BTreeSet::new();
        for path in self.different_paths(other) {
            match (self.entries.get(path), other.entries.get(path)) {
                (Some(one), Some(other)) => respects.extend(one.differing(other)),
                _ => drop(respects.insert("names")),
            }
        }
        Vec::from_iter(respects).join(" ")
    }

    /// What of the first different entries differs, for both.
    pub(super) fn tell_both(&self, other: &Tree) -> (String, String) {
        let paths: Vec<&Name> = self.different_paths(other).collect();
        let tell = |tree: &Tree| {
            let entries = paths.iter().take(SHOWN_MAX).map(|path| match tree.entries.get(*path) {
                Some(entry) => format!("{path:?} {}", entry.words()),
                None => format!("{path:?} is not there"),
            });
            entries.collect::<Vec<_>>().join("; ")
        };
        (tell(self), tell(other))
    }

    fn different_paths<'a>(&'a self, other: &'a Tree) -> impl Iterator<Item = &'a Name> {
        let paths: BTreeSet<&Name> = self.entries.keys().chain(other.entries.keys()).collect();
        paths.into_iter().filter(|path| self.entries.get(*path) != other.entries.get(*path))
    }
}

impl Entry {
    fn differing(&self, other: &Entry) -> Vec<&'static str> {
        let mut differing = self.facts.differing(&other.facts);
        let rest = [
            ("link", self.link_to != other.link_to),
            ("content", self.content != other.content),
            ("xattrs", self.xattrs != other.xattrs),
        ];
        differing.extend(rest.iter().filter(|(_, differs)| *differs).map(|(name, _)| name));
        differing
    }

    fn words(&self) -> String {
        let xattrs = self.xattrs.iter().map(|(name, value)| format!("{name:?} of {} bytes", value.len()));
        let xattrs: Vec<String> = xattrs.collect();
        format!("({}, link to {:?}, content {}, xattrs {xattrs:?})", self.facts, self.link_to, self.content)
    }
}

/// The content in a few words that are different for different contents.
fn content(path: &Name, kind: FileType) -> Result<String> {
    match kind {
        FileType::RegularFile => {
            let file = rustix::fs::open(&path.0, OFlags::RDONLY | OFlags::NOATIME | OFlags::CLOEXEC, Mode::empty())?;
            data::digest(&file)
        }
        FileType::Symlink => {
            let mut target = [0; 5000];
            let length = rustix::fs::readlinkat_raw(CWD, &path.0, &mut target[..])?;
            Ok(target[..length].escape_ascii().to_string())
        }
        _ => Ok(String::new()),
    }
}

/// The sorted names of a directory, without `.` and `..`.
pub(super) fn names(path: &Name) -> Result<Vec<Name>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, &path.0, flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(directory)? {
        names.push(Name(entry?.file_name().to_bytes().to_vec()));
    }
    for dot in [".", ".."].map(Name::from) {
        let place = names.iter().position(|name| *name == dot).ok_or(Errno::STALE)?;
        names.swap_remove(place);
    }
    names.sort();
    Ok(names)
}
