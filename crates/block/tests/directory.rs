//! The store in a directory of this machine.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, Error, OpenMode, Record, RecordKind, Store, StoreOptions};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn options() -> StoreOptions {
    StoreOptions { segment_bytes: 1 << 20, ..StoreOptions::default() }
}

fn create(path: &Path) -> Store {
    Store::open_directory(path, options(), OpenMode::Create).unwrap()
}

fn reopen(path: &Path) -> block::Result<Store> {
    Store::open_directory(path, options(), OpenMode::MustExist)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn numbered(number: u32) -> Block {
    Block::data(number.to_string().repeat(100).into())
}

/// A closed store of some blocks and a root, synced, in part indexed.
fn filled(path: &Path) {
    let store = create(path);
    for number in 0..300 {
        store.put(&numbered(number)).unwrap();
        if number == 200 {
            store.sync().unwrap();
            store.flush_index().unwrap();
        }
    }
    store.append(&Record { kind: RecordKind::Root, stream: 5, links: Vec::new(), body: "state".into() }).unwrap();
    store.sync().unwrap();
}

fn assert_filled(store: &Store) {
    for number in 0..300 {
        assert_eq!(store.get(&numbered(number).name()).unwrap(), numbered(number));
    }
    assert_eq!(store.latest_root(5).unwrap().unwrap().record.body, "state");
    assert_eq!(store.statistics().blocks, 300);
}

fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_store_is_made_where_nothing_is_and_opened_again() {
    let folder = folder();
    let path = folder.path().join("deep/store");
    filled(&path);
    assert_eq!(names(&path), ["copies", "index", "lock", "segments", "store"]);
    let store = reopen(&path).unwrap();
    assert_filled(&store);
    assert!(store.space().unwrap().free_bytes > 0);
}

#[test]
fn the_identity_of_a_store_stays_and_differs_from_others() {
    let (one, two) = (folder(), folder());
    let id = create(one.path()).id();
    assert_eq!(reopen(one.path()).unwrap().id(), id);
    assert_ne!(create(two.path()).id(), id);
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let folder = folder();
    for name in ["photo.jpg", "store"] {
        let path = folder.path().join(name.replace('.', "-"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(name), "mine").unwrap();
        let error = Store::open_directory(&path, options(), OpenMode::Create).err().unwrap();
        assert!(matches!(error, Error::NotAStore { .. }), "{error}");
        assert_eq!(names(&path), [name]);
        assert_eq!(fs::read(path.join(name)).unwrap(), b"mine");
    }
}

#[test]
fn a_store_that_must_exist_is_not_made() {
    let folder = folder();
    let path = folder.path().join("absent");
    assert!(matches!(reopen(&path), Err(Error::NotAStore { .. })));
    assert!(!path.exists());
    assert!(matches!(reopen(folder.path()), Err(Error::NotAStore { .. })));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_path_that_is_a_file_is_named_in_the_error() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    let error = Store::open_directory(&path, options(), OpenMode::Create).err().unwrap();
    assert!(matches!(&error, Error::Disk { path: named, .. } if *named == path.display().to_string()), "{error}");
}

#[test]
fn a_store_opens_once() {
    let folder = folder();
    let store = create(folder.path());
    assert!(matches!(reopen(folder.path()), Err(Error::Locked { .. })));
    let owner = fs::read_to_string(folder.path().join("lock")).unwrap();
    assert_eq!(owner.trim(), std::process::id().to_string());
    drop(store);
    reopen(folder.path()).unwrap();
}

#[test]
fn a_lost_superblock_is_made_again() {
    let folder = folder();
    filled(folder.path());
    let superblock = folder.path().join("store");
    let before = fs::read(&superblock).unwrap();
    for damage in [None, Some("garbage")] {
        match damage {
            None => fs::remove_file(&superblock).unwrap(),
            Some(text) => fs::write(&superblock, text).unwrap(),
        }
        assert_filled(&reopen(folder.path()).unwrap());
        assert_eq!(fs::read(&superblock).unwrap(), before);
    }
}

#[test]
fn a_damaged_index_is_made_again() {
    let folder = folder();
    filled(folder.path());
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    assert_filled(&reopen(folder.path()).unwrap());
    fs::write(folder.path().join("index/version"), "nonsense").unwrap();
    assert_filled(&reopen(folder.path()).unwrap());
}

#[test]
fn reindexing_reads_the_whole_log_and_says_how_far_it_is() {
    let folder = folder();
    filled(folder.path());
    let mut steps = Vec::new();
    let store =
        Store::reindex_directory(folder.path(), options(), &mut |done, total| steps.push((done, total))).unwrap();
    assert_filled(&store);
    assert!(!steps.is_empty());
    assert!(steps.iter().all(|(done, total)| done <= total));
    drop(store);
    assert_filled(&reopen(folder.path()).unwrap());
}

#[test]
fn a_store_survives_that_its_process_ends_without_closing_it() {
    let folder = folder();
    let store = create(folder.path());
    let block = numbered(1);
    store.put(&block).unwrap();
    store.sync().unwrap();
    // What a process leaves that is killed: no index flush, nothing dropped. The lock goes with a process, so copy the files.
    let copy = folder.path().join("copy");
    fs::create_dir_all(copy.join("segments")).unwrap();
    fs::copy(folder.path().join("store"), copy.join("store")).unwrap();
    for name in names(&folder.path().join("segments")) {
        fs::copy(folder.path().join("segments").join(&name), copy.join("segments").join(&name)).unwrap();
    }
    assert_eq!(reopen(&copy).unwrap().get(&block.name()).unwrap(), block);
}

/// Found on a store of a million files: making the index anew left a note in its journal that cleared it at the next start.
#[test]
fn what_is_in_the_index_alone_is_there_after_every_start() {
    let folder = folder();
    filled(folder.path());
    for round in 0..3 {
        let store = match round {
            1 => Store::reindex_directory(folder.path(), options(), &mut |_, _| {}).unwrap(),
            _ => reopen(folder.path()).unwrap(),
        };
        assert_filled(&store);
        store.flush_index().unwrap();
        drop(store);
        assert_filled(&reopen(folder.path()).unwrap());
    }
}

/// Many notes at a time take another way into the index than few do.
#[test]
fn notes_are_what_was_noted_last_however_many_come_at_a_time() {
    let folder = folder();
    let mut expected = BTreeMap::new();
    let batches = [(0..3000_u32, 1), (1000..1010, 2), (500..2500, 0), (600..605, 3), (0..3000, 4), (2990..2995, 0)];
    for (numbers, content) in batches {
        let store = create(folder.path());
        let value = (content > 0).then(|| vec![content; 40]);
        let notes: Vec<_> = numbers.map(|number| (number.to_be_bytes().to_vec(), value.clone())).collect();
        store.write_notes(&notes).unwrap();
        for (key, value) in notes {
            match value {
                Some(value) => expected.insert(key, value),
                None => expected.remove(&key),
            };
        }
        let noted = |store: &Store| store.notes(&[], 4000).unwrap().into_iter().collect::<BTreeMap<_, _>>();
        assert_eq!(noted(&store), expected);
        store.sync().unwrap();
        drop(store);
        assert_eq!(noted(&reopen(folder.path()).unwrap()), expected);
    }
}
