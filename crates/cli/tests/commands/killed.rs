//! A node that was killed.

use crate::pool::Pool;
use rustix::process::Signal;
use std::fs;

#[test]
fn up_brings_a_killed_node_back_with_what_was_synced() {
    let pool = Pool::up();
    pool.run(&["volume", "create", "other"]).succeeded();
    let files = [pool.mount().join("file"), pool.mount().join("other/file")];
    files.iter().for_each(|file| fs::write(file, "content").unwrap());
    pool.run(&["sync"]).succeeded();
    pool.end_daemon(Signal::KILL);
    assert!(fs::read(&files[0]).is_err());
    let mount = pool.mount_text();
    let expected = format!("main is mounted at {mount}\nother is mounted at {mount}/other\n");
    assert_eq!(pool.run(&["up"]).succeeded(), expected);
    for file in &files {
        assert_eq!(fs::read(file).unwrap(), b"content");
    }
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted(), "no mount of the killed node is left");
}

#[test]
fn down_takes_away_the_mount_of_a_killed_node() {
    let pool = Pool::up();
    pool.end_daemon(Signal::KILL);
    assert!(pool.is_mounted());
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted());
}
