//! Going back, cloning, differences and versions, held against the dumps of the states.

use crate::kept::time;
use crate::model::Model;
use crate::place::{OWNER, main_volume, open_pool, open_pool_at};
use crate::workload::{FILE_BYTES_MAX, Workload, dump};
use sim::SimDisk;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use volume::{
    Difference, Happened, Inode, KeptRoot, NewInode, Pool, Privileges, RenameMode, SnapshotError, View, Volume,
    differences,
};

/// Goes back to a snapshot whose model is known; it becomes that of the workload. Gives from which second on, if there is one.
pub(crate) fn roll_back(
    volume: &Volume,
    workload: &mut Workload,
    models: &BTreeMap<String, Model>,
    number: usize,
) -> Option<u64> {
    let names: Vec<_> = volume.snapshots().unwrap().map(|snapshot| snapshot.unwrap().name).collect();
    let names: Vec<_> = names.into_iter().filter(|name| models.contains_key(name)).collect();
    if names.is_empty() {
        return None;
    }
    let to = &names[workload.random.below(names.len() as u64) as usize];
    let before = workload.model.dump();
    let kept = volume.roll_back(&volume.snapshot(to).unwrap().root, &format!("before-{number}")).unwrap();
    assert_eq!(dump(&volume.open_kept(&kept.root).unwrap(), Inode::ROOT).unwrap(), before);
    workload.model = models[to].clone();
    assert_eq!(dump(volume, Inode::ROOT).unwrap(), workload.model.dump());
    volume.delete_snapshot(&kept.name).unwrap();
    Some(kept.taken.seconds as u64 + 1)
}

/// Clones a snapshot, works in the clone, and deletes it.
pub(crate) fn clone(pool: &Pool, volume: &Volume, models: &BTreeMap<String, Model>, seed: u64) {
    let Some(snapshot) = volume.snapshots().unwrap().map(Result::unwrap).find(|s| models.contains_key(&s.name)) else {
        return;
    };
    let info = pool.clone_volume(volume, &snapshot.root, "clone").unwrap();
    let clone = pool.volume(info.id).unwrap();
    let mut workload = Workload::new(Inode::ROOT, seed, FILE_BYTES_MAX);
    workload.model = models[&snapshot.name].clone();
    assert_eq!(dump(&clone, Inode::ROOT).unwrap(), workload.model.dump());
    (0..20).for_each(|_| workload.step(&clone).unwrap());
    clone.checkpoint().unwrap();
    assert_eq!(dump(&clone, Inode::ROOT).unwrap(), workload.model.dump());
    assert_eq!(clone.space().unwrap().inodes, workload.model.nodes.len() as u64);
    assert_eq!(dump(&volume.open_kept(&snapshot.root).unwrap(), Inode::ROOT).unwrap(), models[&snapshot.name].dump());
    pool.delete_volume("clone").unwrap();
}

/// What a dump says of an inode at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    inode: u64,
    parent: u64,
    is_directory: bool,
    permissions: String,
    content: String,
    xattrs: String,
}

fn parse(dump: &[String]) -> BTreeMap<String, Line> {
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for text in dump {
        let words: Vec<_> = text.splitn(9, ' ').collect();
        let (path, inode) = (words[0].trim_start_matches('/').to_owned(), words[1][1..].parse().unwrap());
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let line = Line {
            inode,
            parent: if path.is_empty() { 0 } else { lines[parent].inode },
            is_directory: words[2] == "Directory",
            permissions: words[3].to_owned(),
            content: words[7..].join(" ").split(' ').next().unwrap().to_owned() + words[6],
            xattrs: words[8].split_once('[').unwrap().1.to_owned(),
        };
        lines.insert(path, line);
    }
    lines
}

type Entry = (u64, String, u64);

fn entry(path: &str, line: &Line) -> Entry {
    (line.parent, path.rsplit('/').next().unwrap().to_owned(), line.inode)
}

fn text(path: &[u8]) -> &str {
    std::str::from_utf8(path).unwrap()
}

/// Holds differences against those of the dumps: each name that went or came is told once, and each inode that changed.
fn check_differences(before: &View, after: &View) {
    let told = differences(before, after).unwrap();
    let dumps = [before, after].map(|view| parse(&dump(view, Inode::ROOT).unwrap()));
    let entries = |side: usize| -> BTreeSet<Entry> {
        dumps[side].iter().filter(|(path, _)| !path.is_empty()).map(|(path, line)| entry(path, line)).collect()
    };
    let at = |side: usize, path: &[u8]| entry(text(path), &dumps[side][text(path)]);
    let (entries_before, entries_after) = (entries(0), entries(1));
    let (mut gone, mut came) = (BTreeSet::new(), BTreeSet::new());
    for Difference { happened, path, path_before, .. } in &told {
        match happened {
            Happened::Added => assert!(came.insert(at(1, path))),
            Happened::Removed => assert!(gone.insert(at(0, path))),
            Happened::Renamed => {
                assert!(came.insert(at(1, path)));
                assert!(gone.insert(at(0, path_before.as_ref().unwrap())));
            }
            Happened::Changed if path.is_empty() => {}
            Happened::Changed => {
                let (directory, name, inode) = at(1, path);
                let replaced = entries_before.iter().find(|entry| entry.0 == directory && entry.1 == name);
                if let Some(replaced) = replaced.filter(|replaced| replaced.2 != inode) {
                    assert!(gone.insert(replaced.clone()));
                    assert!(came.insert((directory, name, inode)));
                }
            }
        }
    }
    assert_eq!(gone, entries_before.difference(&entries_after).cloned().collect(), "{told:#?}");
    assert_eq!(came, entries_after.difference(&entries_before).cloned().collect(), "{told:#?}");
    let by_inode =
        |side: usize| -> BTreeMap<u64, &Line> { dumps[side].values().map(|line| (line.inode, line)).collect() };
    let (lines_before, lines_after) = (by_inode(0), by_inode(1));
    for (inode, line) in &lines_after {
        let Some(old) = lines_before.get(inode) else { continue };
        let is_told = |wanted: &dyn Fn(&Difference) -> bool| {
            told.iter().any(|difference| {
                let is_there = !matches!(difference.happened, Happened::Removed | Happened::Added);
                is_there && dumps[1][text(&difference.path)].inode == *inode && wanted(difference)
            })
        };
        if !line.is_directory && line.content != old.content {
            assert!(is_told(&|difference| difference.content), "content of {inode}: {told:#?}");
        }
        if (&line.permissions, &line.xattrs) != (&old.permissions, &old.xattrs) {
            assert!(is_told(&|difference| difference.attributes), "attributes of {inode}: {told:#?}");
        }
    }
}

fn all_kept(volume: &Volume) -> Vec<KeptRoot> {
    volume.kept_roots(time(i64::MIN), time(i64::MAX)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn differences_between_any_two_states_are_those_of_what_users_see() {
    for seed in 0..6 {
        println!("seed {seed}");
        let pool = open_pool(&SimDisk::new(), true).unwrap();
        let volume = main_volume(&pool);
        let mut workload = Workload::new(Inode::ROOT, seed, 40 << 10);
        for _ in 0..30 {
            (0..1 + workload.random.below(12)).for_each(|_| workload.step(&volume).unwrap());
            volume.checkpoint().unwrap();
        }
        let views: Vec<_> = all_kept(&volume).iter().map(|root| volume.open_kept(root).unwrap()).collect();
        for _ in 0..60 {
            let [before, after] = [(), ()].map(|()| workload.random.below(views.len() as u64) as usize);
            check_differences(&views[before], &views[after]);
        }
    }
}

#[test]
fn every_state_of_a_path_is_among_its_versions() {
    for seed in 0..4 {
        let pool = open_pool(&SimDisk::new(), true).unwrap();
        let volume = main_volume(&pool);
        let mut workload = Workload::new(Inode::ROOT, seed, 40 << 10);
        for _ in 0..40 {
            (0..1 + workload.random.below(6)).for_each(|_| workload.step(&volume).unwrap());
            volume.checkpoint().unwrap();
        }
        let states: Vec<_> = all_kept(&volume)
            .into_iter()
            .map(|root| (parse(&dump(&volume.open_kept(&root).unwrap(), Inode::ROOT).unwrap()), root))
            .collect();
        let paths: BTreeSet<_> = states.iter().flat_map(|(lines, _)| lines.keys().cloned()).collect();
        for path in paths {
            let versions = volume.versions(path.as_bytes()).unwrap();
            for (lines, root) in &states {
                let Some(line) = lines.get(&path) else { continue };
                let holding = versions.iter().find(|version| version.roots.contains(root));
                let version = holding.unwrap_or_else(|| panic!("{path} at {} is in no version", root.id()));
                assert_eq!((text(&version.path), version.inode.0), (&path[..], line.inode));
            }
            let live = states.last().unwrap().0.get(&path);
            assert_eq!(
                live.is_some(),
                versions.first().is_some_and(|first| first.is_live && text(&first.path) == path)
            );
            let names = |version: &volume::Version| (version.inode, version.attributes.modified, version.path.clone());
            assert!(
                versions.windows(2).all(|pair| names(&pair[0]) != names(&pair[1])),
                "{path}: a version comes twice"
            );
        }
    }
}

#[test]
fn a_file_is_found_again_under_its_other_name_and_what_was_deleted_is_listed() {
    let pool = open_pool(&SimDisk::new(), true).unwrap();
    let volume = main_volume(&pool);
    let (folder, _) = volume.make(Inode::ROOT, b"folder", NewInode::Directory, 0o755, OWNER).unwrap();
    for name in [&b"moved"[..], b"deleted", b"stays"] {
        let (file, _) = volume.make(folder, name, NewInode::File, 0o600, OWNER).unwrap();
        volume.write(file, 0, name, Privileges::Keep).unwrap();
    }
    volume.checkpoint().unwrap();
    volume.rename((folder, b"moved"), (Inode::ROOT, b"elsewhere"), RenameMode::Replace).unwrap();
    let orphan = volume.unlink(folder, b"deleted").unwrap().unwrap();
    volume.reclaim(orphan).unwrap();
    volume.checkpoint().unwrap();
    for path in ["folder/moved", "elsewhere", "/elsewhere/"] {
        let versions = volume.versions(path.as_bytes()).unwrap();
        let paths: Vec<_> = versions.iter().map(|version| text(&version.path)).collect();
        assert_eq!(paths, ["elsewhere", "folder/moved"], "{path}");
    }
    let deleted = volume.deleted_from(b"folder").unwrap().unwrap();
    let found: Vec<_> =
        deleted.iter().map(|deleted| (text(&deleted.name), deleted.moved_to.as_deref().map(text))).collect();
    assert_eq!(found, [("deleted", None), ("moved", Some("elsewhere"))]);
    assert!(volume.versions(b"never").unwrap().is_empty());
    assert!(volume.deleted_from(b"never").unwrap().is_none());
}

/// Numbers of inodes that came after the state gone back to are not given again, or a cache would take one file for another.
#[test]
fn going_back_gives_no_inode_number_twice() {
    let pool = open_pool(&SimDisk::new(), true).unwrap();
    let volume = main_volume(&pool);
    let first = volume.create_snapshot("first", false).unwrap();
    let make = |name: &[u8]| volume.make(Inode::ROOT, name, NewInode::File, 0o600, OWNER).unwrap().0;
    let before = make(b"one");
    volume.roll_back(&first.root, "before").unwrap();
    assert!(make(b"two") > before);
    let again = volume.roll_back(&first.root, "before");
    assert!(matches!(again, Err(SnapshotError::NameTaken { .. })));
}

#[test]
fn a_crash_while_going_back_leaves_the_state_before_or_the_state_gone_back_to() {
    let prepare = |disk: &SimDisk| {
        let pool = open_pool(disk, true).unwrap();
        let volume = main_volume(&pool);
        let mut workload = Workload::new(Inode::ROOT, 3, 40 << 10);
        (0..40).for_each(|_| workload.step(&volume).unwrap());
        let then = volume.create_snapshot("then", false).unwrap();
        let state_then = workload.model.dump();
        (0..40).for_each(|_| workload.step(&volume).unwrap());
        volume.sync().unwrap();
        (pool, volume, then, state_then, workload.model.dump())
    };
    let whole = SimDisk::new();
    let (_pool, volume, then, ..) = prepare(&whole);
    let from = whole.operations();
    volume.roll_back(&then.root, "before").unwrap();
    let mut outcomes = BTreeSet::new();
    for operation in from..whole.operations() + 1 {
        let disk = SimDisk::new();
        let (_pool, volume, then, state_then, state_before) = prepare(&disk);
        disk.stop_at(operation);
        let done = volume.roll_back(&then.root, "before").is_ok();
        for survival in 0..3 {
            let pool = open_pool(&disk.crash(survival), false).unwrap();
            let volume = main_volume(&pool);
            let found = dump(&volume, Inode::ROOT).unwrap();
            match volume.snapshot("before") {
                Ok(before) => {
                    assert_eq!(found, state_then);
                    assert_eq!(dump(&volume.open_kept(&before.root).unwrap(), Inode::ROOT).unwrap(), state_before);
                    outcomes.insert("back");
                }
                Err(_) => {
                    assert!(!done, "it was durable");
                    assert_eq!(found, state_before);
                    outcomes.insert("before");
                }
            }
        }
    }
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}

/// A clone that nothing finished leaves nothing, and one that is finished is there after a crash.
#[test]
fn a_clone_is_there_after_a_crash_once_it_was_made() {
    let disk = SimDisk::new();
    let clock = Arc::default();
    let pool = open_pool_at(&disk, true, &clock).unwrap();
    let volume = main_volume(&pool);
    let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, OWNER).unwrap();
    volume.write(file, 0, &[7; 50_000], Privileges::Keep).unwrap();
    let snapshot = volume.create_snapshot("then", false).unwrap();
    let expected = dump(&volume, Inode::ROOT).unwrap();
    let info = pool.clone_volume(&volume, &snapshot.root, "clone").unwrap();
    let pool = open_pool_at(&disk.crash(1), false, &clock).unwrap();
    assert_eq!(dump(&pool.volume(info.id).unwrap(), Inode::ROOT).unwrap(), expected);
    assert_eq!(all_kept(&pool.volume(info.id).unwrap()).len(), 1, "a clone begins a history of its own");
}
