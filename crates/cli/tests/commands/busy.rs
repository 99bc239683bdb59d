//! A pool that somebody uses.

use crate::outcome::Outcome;
use crate::pool::Pool;
use std::fs::{self, File};
use std::process::{self, Command};

#[test]
fn down_names_who_has_a_file_open_and_changes_nothing() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "other"]).succeeded();
    let daemon = pool.daemon();
    let file = File::create(pool.mount().join("file")).unwrap();
    pool.run(&["down"]).failed_saying(&["in use by", &process::id().to_string(), "mount/file", "--force"]);
    assert_eq!((pool.daemon(), pool.status()["mounts"].as_array().map(Vec::len)), (daemon, Some(2)));
    drop(file);
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted());
}

#[test]
fn down_names_who_has_its_working_directory_there() {
    let pool = Pool::up();
    let mut user = Command::new("sleep").arg("60").current_dir(pool.mount()).spawn().unwrap();
    let refused = pool.run(&["down"]);
    user.kill().unwrap();
    user.wait().unwrap();
    refused.failed_saying(&["sleep", &user.id().to_string()]);
    Outcome::of(pool.command(&["down"]).current_dir(pool.mount())).succeeded();
    assert!(!pool.is_up(), "the command itself keeps nothing in use");
}

#[test]
fn down_by_force_keeps_what_was_written() {
    let pool = Pool::up();
    let mut file = File::create(pool.mount().join("file")).unwrap();
    std::io::Write::write_all(&mut file, b"content").unwrap();
    pool.run(&["down", "--force"]).succeeded();
    assert!(!pool.is_mounted() && !pool.is_up());
    drop(file);
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("file")).unwrap(), b"content");
}
