//! Mirrors that the node syncs by itself.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::pool::{Pool, eventually};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

fn status(pool: &Pool) -> Value {
    let printed = pool.run(&["mirror", "status", "--json"]).succeeded();
    serde_json::from_str::<Value>(&printed).expect("JSON")[0].take()
}

fn is_in_step(pool: &Pool) -> bool {
    status(pool)["state"] == "in-step"
}

/// What the node remembers of its syncs.
fn turns_file(pool: &Pool) -> PathBuf {
    pool.store().join("mirror-turns.json")
}

/// When the last sync on schedule ended, if that one went well.
fn synced_at(pool: &Pool) -> Option<u64> {
    let turns: Value = serde_json::from_slice(&fs::read(turns_file(pool)).ok()?).unwrap();
    let turn = &turns["turns"]["drive"];
    turn["ended"].as_u64().filter(|_| turn["problem"].is_null())
}

#[test]
fn a_mirror_with_a_span_is_synced_when_it_is_added_and_again_when_that_is_over() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), "one").unwrap();
    let drive = pool.home().join("drive");
    let added = pool.run(&["mirror", "add", "main", drive.to_str().unwrap(), "--every", "1s", "--json"]).succeeded();
    assert_eq!(serde_json::from_str::<Value>(&added).unwrap()["mirror"], "drive");
    eventually("the first sync", || is_in_step(&pool));
    fs::write(pool.mount().join("file"), "two").unwrap();
    pool.run(&["sync"]).succeeded();
    eventually("the sync after the change", || is_in_step(&pool));
    assert_eq!(status(&pool)["every_seconds"], 1);

    let set = ["mirror", "set", "drive", "--every"];
    assert!(pool.run(&[&set[..], &["never"]].concat()).succeeded().contains("by `pantala mirror sync drive` alone"));
    assert_eq!(status(&pool)["every_seconds"], Value::Null);
    let usage = pool.run(&[&set[..], &["soon"]].concat());
    assert!(usage.code == Some(2) && usage.errors.contains("as in 30d, or `never`"), "{usage:?}");
    pool.run(&["mirror", "set", "other", "--every", "1h"]).failed_saying(&["there is no mirror other; there is drive"]);
    pool.run(&["mirror", "remove", "drive"]).succeeded();
    pool.run(&["mirror", "remove", "drive"]).failed_saying(&["has no mirrors", "pantala mirror add"]);
}

#[test]
fn what_was_missed_while_the_node_was_down_is_made_up_for_at_once() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), "one").unwrap();
    let drive = pool.home().join("drive");
    pool.run(&["mirror", "add", "main", drive.to_str().unwrap(), "--every", "1h"]).succeeded();
    eventually("the first sync", || synced_at(&pool).is_some());
    fs::write(pool.mount().join("file"), "two").unwrap();
    pool.run(&["down"]).succeeded();
    let mut turns: Value = serde_json::from_slice(&fs::read(turns_file(&pool)).unwrap()).unwrap();
    let ended = &mut turns["turns"]["drive"]["ended"];
    let missed = ended.as_u64().unwrap() - 3601;
    *ended = json!(missed);
    fs::write(turns_file(&pool), turns.to_string()).unwrap();
    pool.run(&["up"]).succeeded();
    eventually("the sync that was missed", || synced_at(&pool).is_some_and(|ended| ended > missed));
    let look = pool.home().join("look");
    fs::create_dir(&look).unwrap();
    let (drive, look_text) = (drive.to_str().unwrap(), look.to_str().unwrap());
    pool.run(&["up", "--store", drive, "--mount", look_text, "--read-only"]).succeeded();
    assert_eq!(fs::read(look.join("file")).unwrap(), b"two");
    pool.run(&["down", "--store", drive]).succeeded();
}

#[test]
fn a_sync_that_fails_says_why_and_a_node_ends_in_the_middle_of_one() {
    let pool = Pool::up();
    let drive = pool.home().join("drive");
    pool.run(&["mirror", "add", "main", drive.to_str().unwrap()]).succeeded();
    fs::rename(&drive, pool.home().join("elsewhere")).unwrap();
    pool.run(&["mirror", "set", "drive", "--every", "1h"]).succeeded();
    eventually("the failure", || status(&pool)["turn"]["problem"].is_string());
    let problem = status(&pool)["turn"]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains(drive.to_str().unwrap()), "{problem}");
    assert_eq!(status(&pool)["state"], "away");
    fs::rename(pool.home().join("elsewhere"), &drive).unwrap();
    fs::write(pool.mount().join("large"), vec![7; 30 << 20]).unwrap();
    pool.run(&["mirror", "set", "drive", "--every", "1s"]).succeeded();
    pool.run(&["down", "--force"]).succeeded();
    pool.run(&["up"]).succeeded();
    eventually("the sync that was cut off", || is_in_step(&pool));
}
