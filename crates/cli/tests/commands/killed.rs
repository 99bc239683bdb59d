//! A node that was killed.

use crate::pool::Pool;
use rustix::process::Signal;
use std::fs;
use std::os::unix::net::UnixListener;
use std::thread;

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

/// The kernel closes a killed process's socket last.
#[test]
fn up_starts_a_node_beside_a_killed_one_that_still_takes_connections() {
    let pool = Pool::up();
    pool.end_daemon(Signal::KILL);
    let socket = pool.store().join("control.sock");
    fs::remove_file(&socket).unwrap();
    let dying = UnixListener::bind(&socket).unwrap();
    let ended = thread::spawn(move || drop(dying.accept().unwrap()));
    pool.run(&["up"]).succeeded();
    ended.join().unwrap();
    assert!(pool.is_mounted());
}

#[test]
fn down_takes_away_the_mount_of_a_killed_node() {
    let pool = Pool::up();
    pool.end_daemon(Signal::KILL);
    assert!(pool.is_mounted());
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted());
}
