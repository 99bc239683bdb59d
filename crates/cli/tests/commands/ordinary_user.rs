//! A user who is not root, with fuse3.

use crate::outcome::Outcome;
use crate::pool::{Pool, is_root};
use rustix::process::Signal;

#[test]
fn an_ordinary_user_has_a_pool_at_the_default_places() {
    let pool = Pool::of_ordinary_user();
    let mut up = pool.command(&["up"]);
    let said = Outcome::of(up.env_remove("PANTALA_STORE")).succeeded();
    assert_eq!(said, format!("main is mounted at {}\n", pool.mount_text()));
    assert!(pool.store().is_dir());
    pool.run(&["volume", "create", "second"]).succeeded();
    pool.run(&["sync"]).succeeded();
    pool.end_daemon(Signal::KILL);
    pool.run(&["up"]).succeeded();
    assert_eq!(pool.status()["mounts"].as_array().map(Vec::len), Some(2));
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted());
}

#[test]
fn an_ordinary_user_is_told_what_is_missing() {
    let pool = Pool::of_ordinary_user();
    let without_helper = Outcome::of(pool.command(&["up"]).env("PATH", "/nonexistent"));
    without_helper.failed_saying(&["fusermount3 is not installed", "fuse3"]);
    assert!(!pool.store().exists() && !pool.mount().exists());
    pool.run(&["up", "--mount", "/usr"]).failed_saying(&["/usr", "not empty"]);
    if is_root() {
        pool.run(&["up", "--store", "/root/none"]).failed_saying(&["Permission denied", "; "]);
        pool.run(&["up", "--store", "/none"]).failed_saying(&["Permission denied", "; "]);
    }
}
