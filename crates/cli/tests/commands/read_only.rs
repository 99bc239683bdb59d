//! `pantala up --read-only` on a medium that cannot be written: an ext4 in a file, mounted read-only.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::pool::{Pool, is_root};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk with a copy of a store in it, mounted read-only for as long as this lives.
struct Drive {
    image: PathBuf,
    place: PathBuf,
}

impl Drive {
    const BYTES: u64 = 1 << 30;

    fn holding(store: &Path, home: &Path) -> Self {
        let (image, place) = (home.join("image"), home.join("drive"));
        File::create(&image).unwrap().set_len(Self::BYTES).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-d"]).arg(store).arg(&image));
        fs::create_dir(&place).unwrap();
        run(Command::new("mount").args(["-o", "ro,loop"]).arg(&image).arg(&place));
        Self { image, place }
    }

    /// All that is on it, as a checksum.
    fn sum(&self) -> String {
        let output = Command::new("sha256sum").arg(&self.image).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.place).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "the drive is in use");
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program is there");
    assert!(output.status.success(), "{output:?}");
}

/// What a program prints that the pool's user runs: nobody else may look into that user's mounts.
fn said(pool: &Pool, program: &str, arguments: &[&str]) -> String {
    let output = pool.program(program.as_ref()).args(arguments).output().expect("the program is there");
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn write(pool: &Pool, text: &str) {
    said(pool, "sh", &["-c", "printf %s \"$1\" > \"$2\"", "sh", text, &format!("{}/file", pool.mount_text())]);
}

/// Leaves a store with a snapshot in which a file is "old", and "new" in a journal that was not replayed, and reads it on a drive.
fn read_on_a_drive(pool: &Pool) {
    write(pool, "old");
    pool.run(&["snapshot", "create", "before"]).succeeded();
    write(pool, "new");
    pool.run(&["sync"]).succeeded();
    pool.end_daemon(Signal::KILL);
    let drive = Drive::holding(pool.store(), pool.home());
    let before = drive.sum();
    let [store, mount, restored] =
        ["drive", "look", "restored"].map(|name| pool.home().join(name).to_str().unwrap().to_owned());
    said(pool, "mkdir", &[&mount]);
    let (file, past) = (format!("{mount}/file"), format!("{mount}/.snapshots/before/file"));
    for _ in 0..2 {
        pool.run(&["up", "--store", &store, "--mount", &mount, "--read-only"]).succeeded();
        assert_eq!((said(pool, "cat", &[&file]), said(pool, "cat", &[&past])), ("new".into(), "old".into()));
        let touched = pool.program("touch".as_ref()).arg(format!("{mount}/other")).output().unwrap();
        assert!(String::from_utf8_lossy(&touched.stderr).contains("Read-only file system"), "{touched:?}");
        let again = pool.run(&["up", "--store", &store, "--read-only"]).succeeded();
        assert!(again.starts_with("already up: main is mounted at "), "{again}");
        pool.run(&["restore", &file, "--snapshot", "before", "--to", &restored]).succeeded();
        assert_eq!(said(pool, "cat", &[&restored]), "old");
        said(pool, "rm", &[&restored]);
        pool.run(&["sync", "--store", &store]).succeeded();
        pool.run(&["scrub", "--store", &store]).succeeded();
        pool.run(&["down", "--store", &store]).succeeded();
    }
    assert_eq!(drive.sum(), before, "the drive was written to");
}

#[test]
fn root_reads_a_store_on_a_medium_that_cannot_be_written() {
    // Who is not root cannot mount the medium.
    if is_root() {
        read_on_a_drive(&Pool::up());
    }
}

#[test]
fn an_ordinary_user_reads_a_store_on_a_medium_that_cannot_be_written() {
    if is_root() {
        let pool = Pool::of_ordinary_user();
        pool.run(&["up"]).succeeded();
        read_on_a_drive(&pool);
    }
}
