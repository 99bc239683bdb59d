//! Disks that fail, real ones as far as a machine without device mapper has them: ext4 in a loop device.
//!
//! - The loop device's image lies in a small tmpfs: when that is full, writes of blocks fail, and work again when there is space.
//! - ext4 is shut down (`EXT4_IOC_SHUTDOWN`): everything fails until it is mounted again.
//! - ext4 becomes read-only by an error (`errors=remount-ro`, `trigger_fs_error` in `/sys/fs/ext4`).
//! - Somebody else takes all of its space.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::pool::{Pool, eventually, is_root};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `EXT4_IOC_SHUTDOWN` (fs/ext4/ext4.h), also known as `XFS_IOC_GOINGDOWN`.
const SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);

/// Everything fails from now on, and what is not in the file system's journal is lost (`EXT4_GOING_FLAGS_NOLOGFLUSH`).
const WITHOUT_FLUSH: u32 = 2;

pub(crate) const MIB: u64 = 1 << 20;

/// An ext4 of its own, and the file system that its image lies in.
pub(crate) struct Disk {
    pub(crate) below: PathBuf,
    pub(crate) at: PathBuf,
}

impl Disk {
    /// Makes and mounts one. Its image takes space as it is written to, of which there are `space_mib`.
    pub(crate) fn make(home: &Path, space_mib: u64) -> Self {
        let disk = Self { below: home.join("below"), at: home.join("disk") };
        fs::create_dir(&disk.below).unwrap();
        fs::create_dir(&disk.at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&disk.below));
        let image = File::create(disk.image()).unwrap();
        image.set_len(256 * MIB).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(disk.image()));
        // All that ext4 writes for itself has its space from the beginning, and what is free has none.
        rustix::fs::fallocate(&image, rustix::fs::FallocateFlags::empty(), 0, 256 * MIB).unwrap();
        disk.mount();
        run(Command::new("fstrim").arg(&disk.at));
        let space = format!("remount,size={space_mib}M");
        run(Command::new("mount").args(["-o", &space]).arg(&disk.below));
        disk
    }

    fn image(&self) -> PathBuf {
        self.below.join("image")
    }

    pub(crate) fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(self.image()).arg(&self.at));
    }

    pub(crate) fn unmount(&self) {
        run(Command::new("umount").arg(&self.at));
    }

    pub(crate) fn mount_again(&self) {
        self.unmount();
        self.mount();
    }

    pub(crate) fn shut_down(&self) {
        let disk = File::open(&self.at).unwrap();
        // SAFETY: the kernel reads a u32 through the pointer that Setter passes.
        let shutdown = unsafe { rustix::ioctl::Setter::<SHUTDOWN, u32>::new(WITHOUT_FLUSH) };
        // SAFETY: it is an ioctl of the file system that the descriptor is of.
        unsafe { rustix::ioctl::ioctl(&disk, shutdown) }.unwrap();
    }

    /// An error of the file system, after which it is read-only.
    fn fail(&self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == self.at.to_str()).unwrap();
        let device = line.split(' ').next().unwrap().trim_start_matches("/dev/");
        fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "on purpose").unwrap();
    }
}

/// It is dropped after its pool: nobody uses it any more.
impl Drop for Disk {
    fn drop(&mut self) {
        for place in [&self.at, &self.below] {
            let _ = Command::new("umount").args(["--lazy", "--quiet"]).arg(place).status();
        }
        // What the pool's folder could not lose while it was mounted there.
        let _ = self.at.parent().map(fs::remove_dir_all);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A pool that is up, with its store on a disk of its own. None if we may not mount.
fn pool_on_disk(space_mib: u64) -> Option<(Disk, Pool)> {
    if !is_root() {
        println!("left out: only root may mount a disk");
        return None;
    }
    let pool = Pool::new();
    let disk = Disk::make(pool.home(), space_mib);
    let pool = pool.with_store(disk.at.join("store"));
    pool.run(&["up", "--mount", pool.mount_text()]).succeeded();
    Some((disk, pool))
}

/// Bytes that no compression makes shorter.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Writes a file of noise, and whether its fsync succeeded.
fn write_synced(path: &Path, seed: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&noise(seed, 1_000_000))?;
    file.sync_all()
}

fn assert_holds(path: &Path, seed: u64) {
    assert!(fs::read(path).unwrap() == noise(seed, 1_000_000), "{}", path.display());
}

fn health(pool: &Pool) -> String {
    pool.status()["health"].as_str().unwrap().to_owned()
}

/// Takes all the space that there is in a directory.
pub(crate) fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    let piece = vec![0; 64 << 10];
    let full = (0..).find_map(|_| ballast.write_all(&piece).err()).unwrap();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    // The rest, to the last block.
    while ballast.write(&[0; 512]).is_ok() {}
}

#[test]
fn a_disk_that_fails_for_a_while_makes_the_pool_read_only_and_it_comes_back_by_itself() {
    let Some((disk, pool)) = pool_on_disk(200) else { return };
    let files = ["synced", "accepted", "refused", "after"].map(|name| pool.mount().join(name));
    write_synced(&files[0], 1).unwrap();
    fs::write(&files[1], noise(2, 1_000_000)).unwrap();
    let ballast = disk.below.join("ballast");
    fill(&ballast);
    // One write may still go to a place that the image has.
    let failed = (3..20).find_map(|seed| write_synced(&files[2], seed).err());
    assert!(failed.is_some(), "no write fails although the disk takes none");
    eventually("it is told", || health(&pool) == "read-only");
    let problems = pool.status()["problems"].to_string();
    assert!(problems.contains("takes no writes") && problems.contains("by itself"), "{problems}");
    assert_holds(&files[0], 1);
    assert_holds(&files[1], 2);
    fs::remove_file(&ballast).unwrap();
    eventually("it comes back", || health(&pool) == "ok");
    write_synced(&files[3], 4).unwrap();
    pool.end_daemon(rustix::process::Signal::KILL);
    pool.run(&["up"]).succeeded();
    for (number, seed) in [(0, 1), (1, 2), (3, 4)] {
        assert_holds(&files[number], seed);
    }
    pool.run(&["scrub"]).succeeded();
}

/// Until it is mounted again nothing can be had of such a disk; then all that was acknowledged is there.
fn expect_survived(disk: &Disk, pool: &Pool, break_it: impl Fn(&Disk)) {
    let (synced, accepted) = (pool.mount().join("synced"), pool.mount().join("accepted"));
    write_synced(&synced, 1).unwrap();
    fs::write(&accepted, noise(2, 1_000_000)).unwrap();
    break_it(disk);
    assert!(File::open(&accepted).unwrap().sync_all().is_err());
    assert!(write_synced(&pool.mount().join("refused"), 3).is_err());
    assert_eq!(health(pool), "read-only");
    let problems = pool.status()["problems"].to_string();
    assert!(problems.contains("takes no writes"), "{problems}");
    // What is still in memory may be served, but nothing else than what was written.
    for (file, seed) in [(&synced, 1), (&accepted, 2)] {
        if let Ok(bytes) = fs::read(file) {
            assert!(bytes == noise(seed, 1_000_000), "{} has another content", file.display());
        }
    }
    // It cannot write what was accepted, and says so; `--force` gives that up.
    pool.run(&["down"]).failed_saying(&["checkpoint"]);
    let forced = pool.run(&["down", "--force"]);
    assert!(forced.errors.contains("what was not synced before is lost"), "{forced:?}");
    eventually("it is down", || !pool.is_up());
    disk.mount_again();
    pool.run(&["up"]).succeeded();
    assert_holds(&synced, 1);
    write_synced(&pool.mount().join("after"), 4).unwrap();
    pool.run(&["scrub"]).succeeded();
    pool.run(&["down"]).succeeded();
    disk.unmount();
}

#[test]
fn a_disk_that_is_gone_keeps_what_was_acknowledged_and_does_not_end_the_node() {
    let Some((disk, pool)) = pool_on_disk(400) else { return };
    expect_survived(&disk, &pool, Disk::shut_down);
}

#[test]
fn a_disk_that_becomes_read_only_keeps_what_was_acknowledged_and_does_not_end_the_node() {
    let Some((disk, pool)) = pool_on_disk(400) else { return };
    expect_survived(&disk, &pool, Disk::fail);
}

#[test]
fn what_was_accepted_is_kept_when_others_take_the_last_space() {
    let Some((disk, pool)) = pool_on_disk(400) else { return };
    let file = |number: u64| pool.mount().join(format!("file{number}"));
    write_synced(&file(0), 0).unwrap();
    let accepted = File::create(file(1)).unwrap();
    (&accepted).write_all(&noise(1, 1_000_000)).unwrap();
    let ballast = disk.at.join("ballast");
    fill(&ballast);
    // Space is promised when a write is accepted.
    accepted.sync_all().unwrap();
    let refused = (2..400).find_map(|number| write_synced(&file(number), number).err().map(|error| (number, error)));
    let (refused, error) = refused.expect("the disk is full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    let written: Vec<u64> = (0..refused).collect();
    written.iter().for_each(|number| assert_holds(&file(*number), *number));
    // Deleting goes on.
    fs::remove_file(file(0)).unwrap();
    pool.run(&["sync"]).succeeded();
    fs::remove_file(&ballast).unwrap();
    eventually("it takes writes", || write_synced(&file(refused), refused).is_ok());
    assert_eq!(health(&pool), "ok");
    pool.end_daemon(rustix::process::Signal::KILL);
    pool.run(&["up"]).succeeded();
    (1..=refused).for_each(|number| assert_holds(&file(number), number));
    pool.run(&["scrub"]).succeeded();
}
