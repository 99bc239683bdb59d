//! A directory of a million entries, listed while names come and go in it.

use crate::mounted::Mounted;
use rustix::fs::{Dir, Mode, OFlags, open};
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use volume::{Creator, Inode, NewInode};

const STAYING: usize = 1_000_000;

/// Makes, renames and removes names until it is told to end. Gives how many rounds it made.
fn change(directory: &Path, is_over: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        let path = |kind: &str| directory.join(format!("{kind} {rounds}"));
        File::create(path("new")).unwrap();
        fs::rename(path("new"), path("renamed")).unwrap();
        if rounds % 2 == 0 {
            fs::remove_file(path("renamed")).unwrap();
        }
        rounds += 1;
    }
    rounds
}

#[test]
fn every_entry_that_stays_is_listed_exactly_once_while_others_come_and_go() {
    let mounted = Mounted::new();
    let (volume, owner) = (mounted.volume(), Creator { uid: 0, gid: 0 });
    let (directory, _) = volume.make(Inode::ROOT, b"directory", NewInode::Directory, 0o777, owner).unwrap();
    // Names of one file: that is made faster than a million files.
    let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, owner).unwrap();
    for number in 0..STAYING {
        volume.link(file, directory, format!("stays {number}").as_bytes()).unwrap();
    }
    let path = mounted.path("directory");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| change(&path, &is_over));
        let opened = open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut seen = vec![0u8; STAYING];
        for entry in Dir::new(opened).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_str().unwrap();
            if let Some(number) = name.strip_prefix("stays ") {
                seen[number.parse::<usize>().unwrap()] += 1;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(changing.join().unwrap() > 10, "nothing changed meanwhile");
        assert_eq!(seen.iter().filter(|times| **times != 1).count(), 0);
    });
}
