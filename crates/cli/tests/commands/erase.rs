//! `pantala erase`: what was erased is in no file of the store.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::both_ways::Pair;
use crate::pool::Pool;
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const SECRET_BYTES: usize = 300_000;

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    noise
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn holders(pool: &Pool, content: &[u8]) -> Vec<String> {
    holders_in(pool.store(), content)
}

/// The files of a store that hold any 16 bytes that begin at a multiple of 16 in a content. Files that go while this reads hold none.
fn holders_in(store: &Path, content: &[u8]) -> Vec<String> {
    let windows: HashSet<&[u8]> = content.chunks_exact(16).collect();
    let beginning = |at: &[u8]| usize::from(at[0]) << 16 | usize::from(at[1]) << 8 | usize::from(at[2]);
    let mut beginnings = vec![false; 1 << 24];
    windows.iter().for_each(|window| beginnings[beginning(window)] = true);
    let is_one = |at: &[u8]| beginnings[beginning(at)] && windows.contains(at);
    let has_any = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes.windows(16).any(is_one));
    let files = files_below(store);
    assert!(files.iter().any(|path| path.extension().is_some_and(|extension| extension == "segment")));
    files.iter().filter(|path| has_any(path)).map(|path| path.display().to_string()).collect()
}

fn erase_json(pool: &Pool, path: &Path, more: &[&str]) -> Value {
    let arguments = [&["erase", path.to_str().unwrap(), "--everywhere", "--json"], more].concat();
    serde_json::from_str(&pool.run(&arguments).succeeded()).expect("JSON")
}

#[test]
fn a_file_is_gone_from_all_states_and_its_content_from_every_file_of_the_store() {
    let pool = Pool::up();
    let (secret, overwritten, other) = (noise(SECRET_BYTES), noise(SECRET_BYTES), noise(SECRET_BYTES));
    let inline = b"short and secret: 5d2f90aa-e3c1-4b1d, in the tree itself".to_vec();
    let name = "a-name-that-tells-too-much.txt";
    let at = |name: &str| pool.mount().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/other"), &other).unwrap();
    fs::write(at(name), &secret).unwrap();
    fs::hard_link(at(name), at("folder/second-name-of-it")).unwrap();
    fs::write(at("folder/short"), &inline).unwrap();
    pool.run(&["snapshot", "create", "one"]).succeeded();
    pool.run(&["snapshot", "create", "held", "--hold"]).succeeded();
    fs::write(at(name), &overwritten).unwrap();
    pool.run(&["snapshot", "create", "two"]).succeeded();
    fs::remove_file(at(name)).unwrap();
    fs::remove_file(at("folder/second-name-of-it")).unwrap();
    pool.run(&["snapshot", "create", "three"]).succeeded();
    // The kernel knows the states.
    assert!(fs::read(at(".snapshots/one").join(name)).unwrap() == secret);
    assert!(fs::read(at(".snapshots/two/folder/second-name-of-it")).unwrap() == overwritten);
    for content in [&secret, &overwritten, &inline, &name.as_bytes().to_vec()] {
        assert!(!holders(&pool, content).is_empty(), "it was there");
    }

    let path = at(name);
    let text = path.to_str().unwrap();
    pool.run(&["erase", text]).failed_saying(&["`rm` removes", "--everywhere"]);
    pool.run(&["erase", text, "--everywhere"]).failed_saying(&["held snapshots: held", "--held"]);
    pool.run(&["erase", text, "--everywhere", "--held"]).failed_saying(&["no terminal to ask on", "--yes"]);
    let said = pool.run(&["erase", text, "--everywhere", "--dry-run"]).succeeded();
    assert!(said.contains("nothing was erased") && said.contains("one, two") && said.contains("held"), "{said}");
    let plan = erase_json(&pool, &path, &["--dry-run"]);
    assert_eq!((&plan["live_names"], &plan["inodes"], &plan["erased"]), (&0.into(), &1.into(), &false.into()));
    assert_eq!(plan["snapshots"], serde_json::json!(["one", "two"]));
    assert!(!holders(&pool, &secret).is_empty(), "a plan changes nothing");

    let said = pool.run(&["erase", text, "--everywhere", "--held", "--yes"]).succeeded();
    assert!(said.contains("is erased") && said.contains("gone from the store") && said.contains("replicas"), "{said}");
    let done = erase_json(&pool, &at("folder/short"), &["--held", "--yes"]);
    assert_eq!((&done["erased"], &done["live_names"]), (&true.into(), &1.into()));
    for content in [&secret, &overwritten, &inline, &name.as_bytes().to_vec()] {
        assert_eq!(holders(&pool, content), [""; 0]);
    }
    assert!(!at("folder/short").exists());
    for state in ["one", "held", "two", "three"] {
        let names = |of: &str| {
            let entries = fs::read_dir(at(".snapshots").join(state).join(of)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((names(""), names("folder")), (vec!["folder".to_owned()], vec!["other".to_owned()]), "{state}");
        assert!(fs::read(at(".snapshots").join(state).join("folder/other")).unwrap() == other);
    }
    pool.run(&["erase", text, "--everywhere", "--yes"]).failed_saying(&["nothing has the path"]);
    pool.run(&["scrub"]).succeeded();
    pool.run(&["down"]).succeeded();
    pool.run(&["store", "reindex"]).succeeded();
    pool.run(&["up"]).succeeded();
    assert!(fs::read(at(".snapshots/held/folder/other")).unwrap() == other);
    assert_eq!(holders(&pool, &secret), [""; 0]);
}

#[test]
fn a_live_tree_goes_beside_what_the_kernel_and_programs_have_of_it() {
    let pool = Pool::up();
    let at = |name: &str| pool.mount().join(name);
    let (secret, other) = (noise(SECRET_BYTES), noise(SECRET_BYTES));
    fs::create_dir_all(at("tree/below")).unwrap();
    fs::write(at("tree/below/file"), &secret).unwrap();
    fs::write(at("tree/copy"), &other).unwrap();
    fs::copy(at("tree/copy"), at("outside")).unwrap();
    fs::hard_link(at("tree/below/file"), at("link")).unwrap();
    pool.run(&["snapshot", "create", "one"]).succeeded();
    let mut open = File::open(at("tree/below/file")).unwrap();
    let links = fs::metadata(pool.mount()).unwrap().nlink();
    let done = erase_json(&pool, &at("tree"), &["--yes"]);
    assert_eq!((&done["erased"], &done["inodes"], &done["live_names"]), (&true.into(), &4.into(), &5.into()));
    assert!(done["still_needed_blocks"].as_u64() > Some(0), "a copy is outside: {done}");
    assert!(!at("tree").exists() && !at("link").exists());
    assert_eq!(fs::metadata(pool.mount()).unwrap().nlink(), links - 1);
    let mut read = Vec::new();
    open.read_to_end(&mut read).unwrap();
    assert!(read.is_empty(), "what is open has no content any more");
    assert_eq!(holders(&pool, &secret), [""; 0]);
    assert!(fs::read(at("outside")).unwrap() == other);
    fs::create_dir(at("tree")).unwrap();
    fs::write(at("tree/again"), "new").unwrap();
    assert_eq!(fs::read_to_string(at("tree/again")).unwrap(), "new");
}

#[test]
fn what_cannot_be_erased_is_refused_with_what_to_do() {
    let pool = Pool::up();
    let at = |name: &str| pool.mount().join(name).to_str().unwrap().to_owned();
    fs::write(at("file"), noise(10_000)).unwrap();
    pool.run(&["snapshot", "create", "one"]).succeeded();
    let erase = |path: &str| pool.run(&["erase", path, "--everywhere", "--yes"]);
    erase(&at("never")).failed_saying(&["nothing has the path never"]);
    erase(&at(".snapshots/one/file")).failed_saying(&["is in .snapshots", "give the path that it has in the volume"]);
    erase(pool.mount_text()).failed_saying(&["the top of the volume", "pantala volume delete"]);
    erase(pool.home().to_str().unwrap()).failed_saying(&["is in no Pantala mount"]);
    let open = File::open(at(".snapshots/one/file")).unwrap();
    erase(&at("file")).failed_saying(&["somebody reads", "one", "close what is open"]);
    assert!(Path::new(&at("file")).exists());
    drop(open);
    pool.run(&["down"]).succeeded();
    pool.run(&["up", "--read-only"]).succeeded();
    erase(&at("file")).failed_saying(&["read"]);
    pool.run(&["down"]).succeeded();
    pool.run(&["up"]).succeeded();
    let said = erase(&at("file")).succeeded();
    assert!(said.contains("is erased"), "{said}");
}

#[test]
fn a_replica_loses_it_by_a_sync_and_an_erase_of_its_own_and_is_synced_on() {
    let pool = Pool::up();
    let home = pool.home().canonicalize().unwrap();
    let (store, look) = (home.join("drive"), home.join("look"));
    fs::create_dir(&look).unwrap();
    let drive = store.to_str().unwrap();
    let (secret, other) = (noise(SECRET_BYTES), noise(SECRET_BYTES));
    fs::write(pool.mount().join("secret"), &secret).unwrap();
    fs::write(pool.mount().join("other"), &other).unwrap();
    pool.run(&["snapshot", "create", "one"]).succeeded();
    pool.run(&["mirror", "add", "main", drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    assert_eq!(erase_json(&pool, &pool.mount().join("secret"), &["--yes"])["erased"], true);
    pool.run(&["mirror", "sync"]).succeeded();
    assert!(!holders_in(&store, &secret).is_empty(), "a replica keeps its own past");

    pool.run(&["up", "--store", drive, "--mount", look.to_str().unwrap()]).succeeded();
    assert_eq!(erase_json(&pool, &look.join("secret"), &["--yes"])["erased"], true);
    assert_eq!(holders_in(&store, &secret), [""; 0]);
    fs::write(pool.mount().join("new"), "new").unwrap();
    pool.run(&["mirror", "sync"]).succeeded();
    pool.run(&["mirror", "verify"]).succeeded();
    assert!(pool.run(&["mirror", "sync"]).succeeded().contains("already"));
    assert_eq!(fs::read_to_string(look.join("new")).unwrap(), "new");
    assert!(!look.join("secret").exists() && !look.join(".snapshots/one/secret").exists());
    assert!(fs::read(look.join(".snapshots/one/other")).unwrap() == other);
    assert_eq!(holders_in(&store, &secret), [""; 0]);
    pool.run(&["down", "--store", drive]).succeeded();
}

#[test]
fn both_sides_of_a_two_way_sync_erase_it_and_it_does_not_come_back() {
    let (secret, kept) = (noise(SECRET_BYTES), noise(SECRET_BYTES));
    let pair = Pair::new(|top| {
        fs::write(top.join("secret"), &secret).unwrap();
        fs::write(top.join("kept"), &kept).unwrap();
        fs::write(top.join("deleted"), "deleted").unwrap();
    });
    pair.sync(&[]).succeeded();
    let Pair { pool, store, here, there } = &pair;
    for side in [here, there] {
        assert_eq!(erase_json(pool, &side.join("secret"), &["--yes"])["erased"], true);
    }
    fs::write(here.join("by-one"), "one").unwrap();
    fs::write(there.join("by-other"), "other").unwrap();
    fs::remove_file(there.join("deleted")).unwrap();
    let said = pair.sync(&["--json"]).succeeded();
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()[0]["conflicts"], serde_json::json!([]), "{said}");
    for side in [here, there] {
        let mut names: Vec<_> = fs::read_dir(side).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["by-one", "by-other", "kept"], "what was deleted does not come back either");
        assert!(fs::read(side.join("kept")).unwrap() == kept);
    }
    for store in [pool.store(), Path::new(store)] {
        assert_eq!(holders_in(store, &secret), [""; 0]);
    }
    pair.take_down();
}
