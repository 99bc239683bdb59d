//! Two-way syncs between two nodes that are up, and with a store that nobody has open.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::outcome::Outcome;
use crate::pool::{Pool, eventually};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A pool, and another one that began as its replica and is mounted too.
pub(crate) struct Pair {
    pub(crate) pool: Pool,
    pub(crate) store: String,
    pub(crate) here: PathBuf,
    pub(crate) there: PathBuf,
}

impl Pair {
    pub(crate) fn new(fill: impl FnOnce(&Path)) -> Self {
        let pool = Pool::up();
        let home = pool.home().canonicalize().unwrap();
        let (store, there) = (home.join("laptop/pantala"), home.join("there"));
        fs::create_dir(home.join("laptop")).unwrap();
        fs::create_dir(&there).unwrap();
        let here = pool.mount().to_owned();
        fill(&here);
        let store = store.to_str().unwrap().to_owned();
        pool.run(&["mirror", "add", "main", &store, "--name", "laptop"]).succeeded();
        pool.run(&["mirror", "sync"]).succeeded();
        pool.run(&["mirror", "sync", "--both"]).failed_saying(&["is a replica", "promote"]);
        pool.run(&["up", "--store", &store, "--mount", there.to_str().unwrap()]).succeeded();
        pool.run(&["mirror", "promote", "main", "--store", &store]).succeeded();
        Self { pool, store, here, there }
    }

    pub(crate) fn sync(&self, more: &[&str]) -> Outcome {
        self.pool.run(&[&["mirror", "sync", "laptop", "--both"], more].concat())
    }

    pub(crate) fn take_down(&self) {
        self.pool.run(&["down", "--store", &self.store]).succeeded();
    }
}

/// Every name below a directory, with what is in it.
fn listing(top: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let (mut found, mut waiting) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let content = if path.is_dir() { None } else { Some(fs::read(&path).unwrap()) };
            if path.is_dir() {
                waiting.push(path.clone());
            }
            found.push((path.strip_prefix(top).unwrap().to_owned(), content));
        }
    }
    found.sort();
    found
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn both_mounts_show_what_each_did_and_conflicts_are_told_with_both_names() {
    let pair = Pair::new(|top| {
        fs::create_dir(top.join("old")).unwrap();
        for name in ["old/moved", "deleted", "both.txt", "theirs", "ours"] {
            fs::write(top.join(name), name).unwrap();
        }
    });
    let (here, there) = (&pair.here, &pair.there);
    // What a kernel has seen it must not go on to show.
    assert_eq!(listing(here), listing(there));
    fs::rename(here.join("old"), here.join("new")).unwrap();
    fs::write(there.join("old/moved"), "written there").unwrap();
    fs::remove_file(there.join("deleted")).unwrap();
    fs::write(here.join("ours"), "written here").unwrap();
    fs::write(there.join("theirs"), "written there").unwrap();
    fs::write(here.join("both.txt"), "here").unwrap();
    fs::write(there.join("both.txt"), "there").unwrap();

    let dry = json(&pair.sync(&["--dry-run", "--json"]).exited_with(4));
    assert_eq!(read(here.join("theirs")), "theirs", "a dry run changes nothing");
    let report = json(&pair.sync(&["--json"]).exited_with(4));
    for key in ["taken", "given", "conflicts"] {
        assert_eq!(dry[0][key], report[0][key], "what was foretold is done");
    }
    let conflicts = report[0]["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["path"]), (1, &"both.txt".into()));
    let other = conflicts[0]["other"].as_str().unwrap();
    assert!(other.starts_with("both (conflict ") && other.ends_with(" laptop).txt"), "{other}");

    eventually("both mounts show the same", || listing(here) == listing(there));
    for top in [here, there] {
        assert_eq!((read(top.join("both.txt")), read(top.join(other))), ("here".into(), "there".into()));
        assert_eq!(
            (read(top.join("new/moved")), read(top.join("theirs"))),
            ("written there".into(), "written there".into())
        );
        assert_eq!(read(top.join("ours")), "written here");
        assert!(!top.join("deleted").exists() && !top.join("old").exists());
    }
    assert!(pair.sync(&[]).succeeded().contains("0 changes from there, 0 changes to there, 0 conflicts"));
    let status = json(&pair.pool.run(&["mirror", "status", "--json"]).succeeded());
    assert_eq!(status[0]["state"], "joined");
    pair.take_down();
    // A store that nobody has open.
    fs::write(here.join("later"), "later").unwrap();
    let end = pair.sync(&[]).succeeded();
    assert!(end.contains("1 change to there") && end.contains("safe to unplug"), "{end}");
}

#[test]
fn what_is_open_is_not_lost_and_does_not_go_elsewhere() {
    let pair = Pair::new(|top| {
        for name in ["both", "deleted"] {
            fs::write(top.join(name), name).unwrap();
        }
    });
    let (here, there) = (&pair.here, &pair.there);
    let unnamed =
        File::options().create(true).truncate(true).read(true).write(true).open(here.join("unnamed")).unwrap();
    fs::remove_file(here.join("unnamed")).unwrap();
    unnamed.write_all_at(b"kept", 0).unwrap();
    let mut deleted = File::options().read(true).write(true).open(there.join("deleted")).unwrap();
    fs::remove_file(here.join("deleted")).unwrap();
    fs::write(here.join("both"), "here").unwrap();
    let mut both = File::options().append(true).open(there.join("both")).unwrap();
    both.write_all(b" there").unwrap();

    pair.sync(&[]).exited_with(4);
    let mut content = [0; 4];
    unnamed.read_exact_at(&mut content, 0).unwrap();
    assert_eq!(&content, b"kept", "without a name, it stays as long as somebody has it open");
    let mut content = String::new();
    deleted.read_to_string(&mut content).unwrap();
    assert_eq!(content, "deleted", "deleted there, it stays as long as somebody has it open");
    deleted.write_all(b" and written").unwrap();
    let refused = both.write_all(b" lost").and_then(|()| both.sync_all());
    assert!(refused.is_err(), "this file is another one's content now");
    assert_eq!(read(there.join("both")), "here");
    let other = |top: &Path| {
        let found = listing(top).into_iter().find(|(path, _)| path.to_string_lossy().contains("conflict"));
        String::from_utf8(found.unwrap().1.unwrap()).unwrap()
    };
    assert_eq!((other(here), other(there)), ("both there".into(), "both there".into()));
    drop((deleted, both, unnamed));
    pair.take_down();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}
