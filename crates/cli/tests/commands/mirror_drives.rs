//! Drives that are full, that cannot be written, that fail, that are pulled, or that a newer version has used.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::bad_input::make_newer;
use crate::disks::{Disk, MIB, fill as fill_disk};
use crate::mirrors::{drive, fill, json, look, noise, take_down};
use crate::outcome::Outcome;
use crate::pool::{Pool, is_root};
use crate::tree::tree;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the only mirror's state is said to be.
fn state(pool: &Pool) -> Value {
    json(pool.run(&["mirror", "status", "--json"]))[0]["state"].clone()
}

/// A pool that is up, with a mirror on a disk of its own that has a first state. None if we may not mount.
fn with_disk(space_mib: u64) -> Option<(Disk, Pool, String)> {
    if !is_root() {
        println!("left out: only root may mount a disk");
        return None;
    }
    let pool = Pool::up();
    let disk = Disk::make(pool.home(), space_mib);
    let drive = disk.at.join("pantala").to_str().unwrap().to_owned();
    fill(&pool, "one");
    pool.run(&["mirror", "add", "main", &drive, "--name", "drive"]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    Some((disk, pool, drive))
}

fn write_noise(pool: &Pool, mib: u64) {
    let bytes: Vec<u8> = (0..mib * MIB / 8).flat_map(noise).collect();
    fs::write(pool.mount().join("noise"), bytes).unwrap();
}

/// The source is as it was, and the next sync brings the drive up to date.
fn expect_goes_on(pool: &Pool, drive: &str) {
    assert_eq!(pool.status()["health"], "ok");
    pool.run(&["mirror", "sync"]).succeeded();
    assert_eq!(state(pool), "in-step");
    assert!(pool.run(&["mirror", "verify", "drive"]).succeeded().contains("all is there"));
    assert_eq!(look(pool, drive).0, "two");
    take_down(pool, drive);
}

#[test]
fn a_drive_that_fails_during_a_sync_is_told_of_and_the_next_sync_goes_on() {
    let Some((disk, pool, drive)) = with_disk(100) else { return };
    let ballast = disk.below.join("ballast");
    fill_disk(&ballast);
    fill(&pool, "two");
    write_noise(&pool, 40);
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive: the target: "]);
    assert_eq!(pool.status()["health"], "ok", "the source has nothing to do with it");
    fs::remove_file(&ballast).unwrap();
    disk.mount_again();
    expect_goes_on(&pool, &drive);
}

#[test]
fn a_drive_that_is_pulled_is_told_of_and_the_next_sync_goes_on() {
    let Some((disk, pool, drive)) = with_disk(200) else { return };
    fill(&pool, "two");
    write_noise(&pool, 10);
    disk.shut_down();
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive"]);
    assert_eq!(pool.status()["health"], "ok");
    disk.unmount();
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive", "not there"]);
    assert_eq!(state(&pool), "away");
    disk.mount();
    expect_goes_on(&pool, &drive);
}

#[test]
fn a_drive_that_a_newer_version_has_used_is_refused_and_left_alone() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    make_newer(Path::new(&drive));
    let before = tree(Path::new(&drive));
    fill(&pool, "two");
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive", "format 99", "use a newer pantala"]);
    pool.run(&["mirror", "verify", "drive"]).failed_saying(&["format 99", "use a newer pantala"]);
    assert!(tree(Path::new(&drive)) == before);
    assert_eq!(pool.status()["health"], "ok");
}

#[test]
fn a_target_on_a_full_or_read_only_disk_keeps_what_it_had() {
    if !is_root() {
        return;
    }
    let pool = Pool::up();
    let drive = drive(&pool);
    let folder = Path::new(&drive).parent().unwrap();
    let mount = |options: &str| {
        let mounted = Outcome::of(Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(folder));
        mounted.succeeded();
    };
    mount("size=160m");
    fill(&pool, "one");
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    let bytes: Vec<u8> = (0..200u64 << 17).flat_map(noise).collect();
    fs::write(pool.mount().join("noise"), bytes).unwrap();
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive", "full", "make room there"]);
    assert_eq!(state(&pool), "partial");
    mount_again(folder, "ro");
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive", "ead-only"]);
    mount_again(folder, "rw,size=600m");
    pool.run(&["mirror", "sync"]).succeeded();
    assert_eq!(state(&pool), "in-step");
    Outcome::of(Command::new("umount").arg(folder)).succeeded();
}

fn mount_again(folder: &Path, options: &str) {
    let options = format!("remount,{options}");
    Outcome::of(Command::new("mount").args(["-o", &options]).arg(folder)).succeeded();
}
