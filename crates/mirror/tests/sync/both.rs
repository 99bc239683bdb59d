//! Two writable volumes that go on apart, and two-way syncs between them: after each, both have one tree in which nothing that only one
//! side did is lost, nothing that was deleted is back, and of what both did both is there.

use crate::world::{CREATE, Clock, OWNER, Place, dump, edit, run};
use mirror::{Both, BothOptions, LineKind, LocalPeer, sync_both};
use sim::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use volume::{AttributeChanges, Inode, Kind, NewInode, Privileges, Role, Volume, XattrMode};

/// Two places with a past in common.
pub(crate) fn pair(random: &mut Random, edits: u64) -> (Place, Place) {
    pair_beginning(|clock| Place::new(1, clock, true), random, edits)
}

fn pair_beginning(first: impl FnOnce(&Arc<Clock>) -> Place, random: &mut Random, edits: u64) -> (Place, Place) {
    let clock = Arc::new(Clock::default());
    let (here, there) = (first(&clock), Place::new(2, &clock, false));
    (0..edits).for_each(|_| edit(&here.volume(), random));
    run(&here, &there, CREATE).unwrap();
    there.pool.set_role("main", Role::Primary).unwrap();
    there.unlock();
    // The clock of these tests runs fast: the state that was synced is gone from the history soon.
    [&here, &there].into_iter().for_each(keep_little);
    (here, there)
}

/// Has a place forget its history as soon as can be.
pub(crate) fn keep_little(place: &Place) {
    place.pool.set_volume("main", &[("retention".to_owned(), "1m:all".to_owned())]).unwrap();
}

pub(crate) fn sync(here: &Place, there: &Place) -> mirror::Result<Both> {
    let (ours, theirs) = (LocalPeer::open(&here.pool, "main")?, LocalPeer::open(&there.pool, "main")?);
    sync_both(&ours, &theirs, &BothOptions { label: "there", ..BothOptions::default() })
}

/// Does something at random, also what [`edit`] does not.
fn change(volume: &Volume, random: &mut Random) {
    let (files, directories) = (tree(volume).files(), tree(volume).directories());
    let directory = directories[random.below(directories.len() as u64) as usize];
    let file = files.get(random.below(files.len().max(1) as u64) as usize).copied();
    let name = format!("name{}", random.below(10)).into_bytes();
    let number = random.below(1 << 20);
    match (random.below(10), file) {
        (0, Some(file)) => drop(volume.link(file, directory, &name)),
        (1, Some(file)) => {
            let permissions = Some(0o600 | random.below(64) as u32);
            volume.set_attributes(file, &AttributeChanges { permissions, ..AttributeChanges::default() }).unwrap();
        }
        (2, Some(file)) => {
            let name = format!("user.name{}", random.below(3)).into_bytes();
            volume.set_xattr(file, &name, &number.to_le_bytes(), XattrMode::Set).unwrap();
        }
        (3, Some(file)) => {
            let size = Some(random.below(60_000));
            volume.set_attributes(file, &AttributeChanges { size, ..AttributeChanges::default() }).unwrap();
        }
        (4, _) => replace(volume, directory, &name, random),
        (5, _) => drop(volume.make(directory, &name, NewInode::Symlink(&number.to_le_bytes()), 0o777, OWNER)),
        _ => edit(volume, random),
    }
}

/// Saves a file as programs do.
fn replace(volume: &Volume, directory: Inode, name: &[u8], random: &mut Random) {
    if let Ok((_, attributes)) = volume.lookup(directory, name)
        && attributes.kind != Kind::File
    {
        return;
    }
    let new = format!("new{}", random.below(1 << 30)).into_bytes();
    let (inode, _) = volume.make(directory, &new, NewInode::File, 0o644, OWNER).unwrap();
    let length = 1 + random.below(5000) as usize;
    volume.write(inode, 0, &random.bytes(length), Privileges::default()).unwrap();
    volume.rename((directory, &new), (directory, name), volume::RenameMode::Replace).unwrap();
}

/// Everything of a volume that has a name.
#[derive(Default)]
pub(crate) struct Tree {
    /// By path: the inode, its kind, its content.
    paths: BTreeMap<String, (Inode, Kind, Vec<u8>)>,
}

impl Tree {
    fn files(&self) -> Vec<Inode> {
        self.paths.values().filter(|(_, kind, _)| *kind == Kind::File).map(|(inode, ..)| *inode).collect()
    }

    fn directories(&self) -> Vec<Inode> {
        let below = self.paths.values().filter(|(_, kind, _)| *kind == Kind::Directory).map(|(inode, ..)| *inode);
        [Inode::ROOT].into_iter().chain(below).collect()
    }

    /// The content of files, with how often each is there.
    fn contents(&self) -> BTreeMap<&[u8], usize> {
        let mut contents = BTreeMap::new();
        for (_, kind, content) in self.paths.values() {
            if *kind == Kind::File && content.len() > 8 {
                *contents.entry(&content[..]).or_default() += 1;
            }
        }
        contents
    }

    /// A line for each path, with its content's name.
    pub(crate) fn describe(&self) -> Vec<String> {
        let line = |(path, (_, kind, content)): (&String, &(Inode, Kind, Vec<u8>))| {
            format!("{path} {kind:?} {}", block::Block::data(content.clone().into()).name())
        };
        self.paths.iter().map(line).collect()
    }

    /// All paths.
    pub(crate) fn names(&self) -> Vec<String> {
        self.paths.keys().cloned().collect()
    }

    fn names_of(&self, inode: Inode) -> Vec<&String> {
        self.paths.iter().filter(|(_, (other, ..))| *other == inode).map(|(path, _)| path).collect()
    }
}

pub(crate) fn tree(volume: &Volume) -> Tree {
    let mut tree = Tree::default();
    walk(volume, Inode::ROOT, "", &mut tree);
    tree
}

fn walk(volume: &Volume, directory: Inode, path: &str, tree: &mut Tree) {
    let mut from = 0;
    loop {
        let batch = volume.list(directory, from).unwrap();
        let Some(last) = batch.last() else { return };
        from = last.cookie;
        for entry in batch {
            let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name));
            let attributes = volume.attributes(entry.inode).unwrap();
            assert_eq!(attributes.kind, entry.kind, "{path}");
            let content = match entry.kind {
                Kind::File => {
                    let mut content = vec![0; attributes.size as usize];
                    assert_eq!(volume.read(entry.inode, 0, &mut content).unwrap(), content.len());
                    content
                }
                Kind::Symlink => volume.read_link(entry.inode).unwrap().to_vec(),
                _ => Vec::new(),
            };
            if entry.kind == Kind::Directory {
                assert_eq!(attributes.parent, directory.0, "{path}");
                walk(volume, entry.inode, &path, tree);
            }
            tree.paths.insert(path, (entry.inode, entry.kind, content));
        }
    }
}

/// What the tree says of itself is so.
pub(crate) fn check(volume: &Volume) {
    let tree = tree(volume);
    let (mut names, mut entries, mut inside) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (path, (inode, kind, _)) in &tree.paths {
        *names.entry(*inode).or_insert(0u32) += 1;
        let parent = path.rsplit_once('/').unwrap().0;
        let parent = if parent.is_empty() { Inode::ROOT } else { tree.paths[parent].0 };
        *entries.entry(parent).or_insert(0u64) += 1;
        *inside.entry(parent).or_insert(0u32) += (*kind == Kind::Directory) as u32;
    }
    for inode in names.keys().chain([&Inode::ROOT]) {
        let attributes = volume.attributes(*inode).unwrap();
        if attributes.kind == Kind::Directory {
            assert_eq!(attributes.size, entries.get(inode).copied().unwrap_or(0), "{inode:?}");
            assert_eq!(attributes.links, 2 + inside.get(inode).copied().unwrap_or(0), "{inode:?}");
        } else {
            assert_eq!(attributes.links, names[inode], "{inode:?}");
        }
    }
}

/// What a volume counts is what is there.
fn check_counts(place: &Place) {
    let fresh = place.reopen_on(place.disk.image()).unwrap();
    fresh.unlock();
    // What nobody has open and has no name goes.
    for role in [Role::Replica, Role::Primary] {
        fresh.pool.set_role("main", role).unwrap();
    }
    let volume = fresh.volume();
    volume.checkpoint().unwrap();
    let inodes: BTreeSet<_> = tree(&volume).paths.values().map(|(inode, ..)| *inode).chain([Inode::ROOT]).collect();
    let bytes = |inode: &Inode| {
        let attributes = volume.attributes(*inode).unwrap();
        attributes.allocated_bytes + attributes.xattr_bytes
    };
    let counted = (inodes.len() as u64, inodes.iter().map(bytes).sum::<u64>());
    assert_eq!((volume.state().inodes(), volume.state().logical_bytes()), counted);
}

/// What counts of everything: content, attributes, extended attributes, by path.
pub(crate) fn assert_equal(here: &Place, there: &Place) {
    assert_eq!(dump(&here.volume()), dump(&there.volume()));
    let xattrs = |volume: &Volume| {
        let of = |inode| volume.xattr_names(inode).unwrap().into_iter().map(move |name| (inode, name));
        let all = tree(volume).files().into_iter().flat_map(of).collect::<BTreeSet<_>>();
        all.into_iter().map(|(inode, name)| (inode, volume.xattr(inode, &name).unwrap(), name)).collect::<Vec<_>>()
    };
    assert_eq!(xattrs(&here.volume()), xattrs(&there.volume()));
}

/// What a merge may not do, whatever else it does.
fn assert_merged(base: &Tree, ours: &Tree, theirs: &Tree, merged: &Tree, both: &Both) {
    let (before, after) = (base.contents(), merged.contents());
    for (side, other) in [(ours, theirs), (theirs, ours)] {
        for content in side.contents().keys() {
            let is_new = !before.contains_key(content);
            assert!(!is_new || after.contains_key(content), "a content of {} bytes is lost", content.len());
        }
        for (path, (inode, kind, content)) in &base.paths {
            let names = (base.names_of(*inode), side.names_of(*inode), other.names_of(*inode));
            let untouched =
                |tree: &Tree| tree.paths.get(path).is_some_and(|there| there == &(*inode, *kind, content.clone()));
            let is_alone = before.get(&content[..]) == Some(&1)
                && !side.contents().contains_key(&content[..])
                && other.contents().get(&content[..]) == Some(&1);
            // Deleted on one side, as it was on the other.
            if *kind == Kind::File && names.1.is_empty() && names.0 == names.2 && untouched(other) && is_alone {
                assert!(!after.contains_key(&content[..]), "{path} is back");
            }
            // Left alone on both.
            let is_there = untouched(side) && untouched(other);
            assert!(!is_there || *kind == Kind::Directory || untouched(merged), "{path} was touched");
        }
    }
    for line in both.lines.iter().filter(|line| matches!(line.kind, LineKind::Conflict(_))) {
        let path = format!("/{}", String::from_utf8_lossy(&line.path));
        assert!(merged.paths.contains_key(&path), "{path} is told and not there: {line:?}");
    }
}

fn round(here: &Place, there: &Place, base: &Tree) {
    let (ours, theirs) = (tree(&here.volume()), tree(&there.volume()));
    let both = sync(here, there).unwrap();
    let merged = tree(&here.volume());
    check(&here.volume());
    check(&there.volume());
    [here, there].into_iter().for_each(check_counts);
    assert_equal(here, there);
    assert_merged(base, &ours, &theirs, &merged, &both);
    let again = sync(there, here).unwrap();
    assert!(again.lines.is_empty(), "{:?}", again.lines);
    assert_equal(here, there);
}

#[test]
fn whatever_both_sides_did_they_have_one_tree_and_nothing_is_lost() {
    for seed in 0..crate::seeds("BOTH_SEEDS", 30) {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let (mut here, mut there) = match seed % 3 {
            2 => pair_beginning(|clock| Place::encrypted(1, clock), &mut random, 40),
            _ => pair(&mut random, 40),
        };
        for number in 0..6 {
            println!("round {number}");
            let base = tree(&here.volume());
            for place in [&here, &there] {
                let volume = place.volume();
                (0..random.below(25)).for_each(|_| change(&volume, &mut random));
                if random.percent(30) {
                    volume.checkpoint().unwrap();
                    (0..random.below(10)).for_each(|_| change(&volume, &mut random));
                }
            }
            if random.percent(50) {
                round(&here, &there, &base)
            } else {
                round(&there, &here, &base)
            }
            if random.percent(30) {
                here = here.reopen_on(here.disk.restart()).unwrap();
                there = there.reopen_on(there.disk.restart()).unwrap();
                [&here, &there].into_iter().for_each(Place::unlock);
            }
        }
    }
}
