//! sync(2) and syncfs(2) on the mounts of root.

use crate::pool::{Pool, eventually, is_root};
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::Path;

/// The loop devices whose memory is named after a store.
fn loop_devices(store: &Path) -> usize {
    let devices = fs::read_dir("/sys/block").expect("/sys").flatten();
    let backing = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    backing.filter(|backing| backing.contains(store.to_str().expect("text"))).count()
}

/// Where a container has no loop devices, the mount says so.
fn is_synced(pool: &Pool) -> bool {
    let mounts = pool.status()["mounts"].as_array().expect("a list").clone();
    let why = mounts.iter().find_map(|mount| mount["unsynced"].as_str().map(str::to_owned));
    assert_eq!(why.is_none(), is_root() && Path::new("/dev/loop-control").exists(), "{why:?}");
    why.is_none()
}

#[test]
fn what_sync_and_syncfs_wrote_survives_a_killed_daemon() {
    let pool = Pool::up();
    if !is_synced(&pool) {
        assert!(pool.run(&["status"]).succeeded().contains("does not reach main"));
        return;
    }
    let (one, two) = (pool.mount().join("one"), pool.mount().join("two"));
    for (path, is_whole_machine) in [(&one, false), (&two, true)] {
        fs::write(path, "content").unwrap();
        match is_whole_machine {
            true => rustix::fs::sync(),
            false => rustix::fs::syncfs(File::open(pool.mount()).unwrap()).unwrap(),
        }
        pool.end_daemon(Signal::KILL);
        pool.run(&["up"]).succeeded();
        assert_eq!(fs::read(path).unwrap(), b"content");
    }
}

#[test]
fn pools_have_loop_devices_of_their_own_and_leave_none_behind() {
    let (one, other) = (Pool::up(), Pool::up());
    if !is_synced(&one) {
        return;
    }
    one.run(&["volume", "create", "second"]).succeeded();
    fs::write(one.mount().join("second/file"), "of one").unwrap();
    fs::write(other.mount().join("file"), "of the other").unwrap();
    assert_eq!((loop_devices(one.store()), loop_devices(other.store())), (2, 1));
    one.run(&["sync", one.mount().join("second/file").to_str().unwrap()]).succeeded();
    one.end_daemon(Signal::KILL);
    one.run(&["up"]).succeeded();
    assert_eq!(fs::read(other.mount().join("file")).unwrap(), b"of the other");
    one.run(&["down"]).succeeded();
    eventually("the kernel takes the devices away", || loop_devices(one.store()) == 0);
    other.end_daemon(Signal::KILL);
    other.run(&["down"]).succeeded();
    eventually("the kernel takes the device away", || loop_devices(other.store()) == 0);
}
