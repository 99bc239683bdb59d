//! The life of a pool in which nothing goes wrong.

use crate::pool::{Pool, eventually};
use rustix::process::Signal;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn a_pool_comes_up_keeps_what_it_is_given_and_goes_down() {
    let pool = Pool::new();
    let said = pool.run(&["up", "--mount", pool.mount_text()]).succeeded();
    assert_eq!(said, format!("main is mounted at {}\n", pool.mount_text()));
    fs::write(pool.mount().join("file"), "content").unwrap();
    pool.run(&["down"]).succeeded();
    assert!(!pool.is_mounted() && !pool.mount().join("file").exists());
    assert!(!pool.store().join("control.sock").exists());
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("file")).unwrap(), b"content");
}

#[test]
fn a_pool_that_is_up_says_so_and_stays_as_it_is() {
    let pool = Pool::up();
    let daemon = pool.daemon();
    let expected = format!("already up: main is mounted at {}\n", pool.mount_text());
    assert_eq!(pool.run(&["up"]).succeeded(), expected);
    assert_eq!(pool.run(&["up", "--mount", pool.mount_text()]).succeeded(), expected);
    assert_eq!(pool.daemon(), daemon);
    let elsewhere = pool.home().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    pool.run(&["up", "--mount", elsewhere.to_str().unwrap()]).failed_saying(&["is up already", "take it down first"]);
}

#[test]
fn of_two_ups_at_once_both_succeed_and_one_starts_the_node() {
    let pool = Pool::new();
    let arguments = ["up", "--mount", pool.mount_text()];
    let first = pool.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let second = pool.command(&arguments).stdout(Stdio::null()).spawn().unwrap();
    for mut up in [first, second] {
        assert!(up.wait().unwrap().success());
    }
    assert!(pool.is_up());
}

#[test]
fn a_pool_that_is_down_stays_down() {
    let pool = Pool::new();
    assert!(pool.run(&["down"]).succeeded().contains("is not up"));
    assert!(!pool.store().exists());
    let status = pool.run(&["status"]);
    assert_eq!(status.code, Some(3));
    assert!(status.output.contains("is not up") && status.errors.is_empty());
    let status = pool.run(&["status", "--json"]);
    assert_eq!(status.code, Some(3));
    let status: serde_json::Value = serde_json::from_str(&status.output).unwrap();
    assert_eq!((status["health"].as_str(), status["node"]["pid"].as_u64()), (Some("down"), None));
}

#[test]
fn status_shows_the_node_its_mounts_volumes_and_space() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), [7; 5000]).unwrap();
    pool.run(&["sync"]).succeeded();
    let status = pool.status();
    assert_eq!(status["node"]["store"].as_str(), pool.store().to_str());
    assert_eq!(status["mounts"][0]["volume"], "main");
    assert_eq!(status["mounts"][0]["mountpoint"].as_str(), Some(pool.mount_text()));
    assert!(status["mounts"][0]["transport"].is_string());
    let main = &status["volumes"][0];
    assert_eq!((&main["id"], &main["name"], &main["inodes"]), (&1.into(), &"main".into(), &2.into()));
    assert!(main["logical_bytes"].as_u64() >= Some(5000), "{status}");
    assert!(main["checkpoint_age_seconds"].is_u64() && main["overlay_bytes"].is_u64());
    assert_eq!(main["root"].as_str().map(str::len), Some(64));
    assert!(status["space"]["free_bytes"].as_u64() <= status["space"]["total_bytes"].as_u64());
    assert!(status["space"]["stored_bytes"].as_u64() > Some(0) && status["space"]["ratio"].is_f64());
    assert!(status["dirty_bytes"].is_u64());
    assert_eq!(status["health"], "ok");
    let text = pool.run(&["status"]).succeeded();
    assert!(text.contains(pool.mount_text()) && text.contains("ok") && !text.contains('\x1b'), "{text}");
}

#[test]
fn a_sync_finds_the_node_by_a_path_too() {
    let pool = Pool::up();
    fs::create_dir(pool.mount().join("folder")).unwrap();
    let path = pool.mount().join("folder");
    let mut command = pool.command(&["sync", path.to_str().unwrap()]);
    assert!(command.env_remove("PANTALA_STORE").status().unwrap().success());
    pool.run(&["sync", pool.home().to_str().unwrap()]).failed_saying(&["is in no Pantala mount"]);
}

#[test]
fn a_node_that_is_told_to_end_takes_its_pool_down() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), "content").unwrap();
    pool.end_daemon(Signal::TERM);
    assert!(!pool.is_mounted() && !pool.is_up());
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("file")).unwrap(), b"content");
}

#[test]
fn a_pool_that_is_unmounted_from_outside_goes_down() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), "content").unwrap();
    let unmounted = Command::new("fusermount3").arg("-u").arg(pool.mount()).status().unwrap();
    assert!(unmounted.success());
    eventually("the node ends", || !pool.is_up());
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("file")).unwrap(), b"content");
}

#[test]
fn an_index_is_made_again_while_the_node_is_down() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), [1; 100_000]).unwrap();
    pool.run(&["store", "reindex"]).failed_saying(&["open in another process", "pantala down"]);
    pool.run(&["down"]).succeeded();
    assert!(pool.run(&["store", "reindex"]).succeeded().starts_with("indexed "));
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("file")).unwrap(), [1; 100_000]);
}

#[test]
fn a_pool_in_the_foreground_ends_with_its_command() {
    let pool = Pool::new();
    let mut up = pool.command(&["up", "--foreground", "--mount", pool.mount_text()]);
    let mut up = up.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the node is up", || pool.is_up());
    assert_eq!(pool.daemon(), up.id());
    rustix::process::kill_process(rustix::process::Pid::from_child(&up), Signal::INT).unwrap();
    assert!(up.wait().unwrap().success() && !pool.is_mounted());
}
