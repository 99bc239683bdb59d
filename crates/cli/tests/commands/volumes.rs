//! Volumes that come, go, and change their names.

use crate::pool::Pool;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn names(pool: &Pool) -> Vec<String> {
    let list: Value = serde_json::from_str(&pool.run(&["volume", "list", "--json"]).succeeded()).expect("JSON");
    let volumes = list.as_array().expect("a list").iter();
    volumes.map(|volume| volume["name"].as_str().expect("a name").to_owned()).collect()
}

fn mountpoint(pool: &Pool, name: &str) -> PathBuf {
    let status = pool.status();
    let mut mounts = status["mounts"].as_array().expect("a list").iter();
    let mount = mounts.find(|mount| mount["volume"] == name).expect("a mount");
    mount["mountpoint"].as_str().expect("a path").into()
}

#[test]
fn a_volume_is_made_renamed_and_deleted() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "second"]).succeeded();
    let second = mountpoint(&pool, "second");
    assert_ne!(second.metadata().unwrap().dev(), pool.mount().metadata().unwrap().dev());
    fs::write(second.join("file"), "content").unwrap();
    pool.run(&["volume", "rename", "second", "third"]).succeeded();
    assert_eq!(names(&pool), ["main", "third"]);
    let third = mountpoint(&pool, "third");
    assert_eq!(fs::read(third.join("file")).unwrap(), b"content");
    assert!(third.ends_with("third") && !second.exists());
    pool.run(&["volume", "delete", "third", "--yes"]).succeeded();
    assert_eq!(names(&pool), ["main"]);
    assert!(!third.exists());
}

#[test]
fn a_volume_stays_at_the_place_it_was_given() {
    let pool = Pool::up();
    let place = pool.home().join("place");
    fs::create_dir(&place).unwrap();
    pool.run(&["volume", "create", "second", "--mount", place.to_str().unwrap()]).succeeded();
    fs::write(place.join("file"), "content").unwrap();
    pool.run(&["volume", "rename", "second", "third"]).succeeded();
    pool.run(&["down"]).succeeded();
    assert!(!place.join("file").exists());
    pool.run(&["up"]).succeeded();
    assert_eq!(mountpoint(&pool, "third"), place);
    assert_eq!(fs::read(place.join("file")).unwrap(), b"content");
    pool.run(&["volume", "delete", "third", "--yes"]).succeeded();
    assert!(place.exists(), "a directory that the user made stays");
}

#[test]
fn a_volume_is_deleted_only_with_a_yes() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "second"]).succeeded();
    pool.run(&["volume", "delete", "second"]).failed_saying(&["no terminal", "--yes"]);
    assert_eq!(names(&pool), ["main", "second"]);
}

#[test]
fn a_volume_in_use_is_neither_deleted_nor_renamed() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "second"]).succeeded();
    let file = fs::File::create(mountpoint(&pool, "second").join("file")).unwrap();
    let process = std::process::id().to_string();
    pool.run(&["volume", "delete", "second", "--yes"]).failed_saying(&["cannot delete second", &process]);
    pool.run(&["volume", "rename", "second", "third"]).failed_saying(&["cannot rename second", &process]);
    assert_eq!(names(&pool), ["main", "second"]);
    drop(file);
    assert!(mountpoint(&pool, "second").join("file").exists());
}

#[test]
fn what_cannot_be_done_with_volumes_changes_nothing() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "second"]).succeeded();
    fs::create_dir_all(pool.mount().join("full/of")).unwrap();
    let full = pool.mount().join("full");
    let cases: [(&[&str], &str); 9] = [
        (&["create", "second"], "already"),
        (&["create", "../up"], "cannot be a volume's name"),
        (&["create", "full"], "not empty"),
        (&["create", "third", "--mount", full.to_str().unwrap()], "not empty"),
        (&["create", "third", "--mount", "/nonexistent"], "not there"),
        (&["delete", "main", "--yes"], "first volume"),
        (&["delete", "third", "--yes"], "no volume third"),
        (&["rename", "third", "fourth"], "no volume third"),
        (&["rename", "second", "full"], "not empty"),
    ];
    for (arguments, why) in cases {
        pool.run(&[&["volume"], arguments].concat()).failed_saying(&[why]);
        assert_eq!(names(&pool), ["main", "second"], "{arguments:?}");
    }
    assert!(mountpoint(&pool, "second").ends_with("second"));
}

#[test]
fn settings_stay_and_bad_ones_are_refused_as_a_whole() {
    let pool = Pool::up();
    let note = |pool: &Pool| {
        let shown: Value = serde_json::from_str(&pool.run(&["volume", "show", "main", "--json"]).succeeded()).unwrap();
        assert_eq!(shown["role"], "primary");
        (shown["identity"].clone(), shown["settings"]["note"].clone())
    };
    pool.run(&["volume", "set", "main", "note=our pictures"]).succeeded();
    let (identity, text) = note(&pool);
    assert_eq!(text, "our pictures");
    pool.run(&["volume", "set", "main", "note=other", "colour=red"]).failed_saying(&["no setting colour", "note"]);
    pool.run(&["volume", "show", "photos"]).failed_saying(&["no volume photos", "pantala volume list"]);
    pool.run(&["down"]).succeeded();
    pool.run(&["up"]).succeeded();
    assert_eq!(note(&pool), (identity, "our pictures".into()));
    pool.run(&["volume", "set", "main", "note="]).succeeded();
    assert_eq!(note(&pool).1, Value::Null);
}
