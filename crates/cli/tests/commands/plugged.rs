//! A mirror that is synced when its drive appears.
//!
//! Nothing here touches the machine's own `/etc`: commands that write there see a layer over it, in a mount namespace of their own.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::disks::Disk;
use crate::outcome::Outcome;
use crate::pool::{Pool, is_root};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a machine has beside the pool.
struct Machine<'a> {
    pool: &'a Pool,
    etc: PathBuf,
}

impl<'a> Machine<'a> {
    fn new(pool: &'a Pool) -> Self {
        let machine = Self { pool, etc: pool.home().join("etc") };
        for folder in ["etc", "etc-work", "run-user/0", "bin"] {
            fs::create_dir_all(pool.home().join(folder)).unwrap();
        }
        // A desktop: its bus, and a program that says what it is to show.
        fs::write(pool.home().join("run-user/0/bus"), "").unwrap();
        let notice = pool.home().join("notice");
        let script = format!("#!/bin/sh\necho \"$DBUS_SESSION_BUS_ADDRESS $*\" >> {}\n", notice.display());
        fs::write(pool.home().join("bin/notify-send"), script).unwrap();
        fs::set_permissions(pool.home().join("bin/notify-send"), Permissions::from_mode(0o755)).unwrap();
        machine
    }

    /// A command that sees the layer over `/etc`, and the desktop.
    fn command(&self, program: &[&str]) -> Command {
        let home = self.pool.home().display();
        let script = format!(
            "mount -t overlay overlay -o lowerdir=/etc,upperdir={home}/etc,workdir={home}/etc-work /etc && \
             mkdir -p /run/user && mount --bind {home}/run-user /run/user && PATH={home}/bin:$PATH exec \"$@\""
        );
        let mut command = self.pool.program(Path::new("unshare"));
        command.args(["--mount", "sh", "-c", &script, "sh"]).args(program);
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(&[&[env!("CARGO_BIN_EXE_pantala")], arguments].concat()))
    }

    fn files(&self) -> Vec<PathBuf> {
        let below = |folder: &str| fs::read_dir(self.etc.join(folder)).into_iter().flatten().flatten();
        let all = below("udev/rules.d").chain(below("systemd/system")).map(|entry| entry.path());
        // What was removed leaves a whiteout in the layer.
        all.filter(|path| path.is_file()).collect()
    }
}

/// The command of a unit, of whose words none has anything to escape.
fn exec_start(unit: &str) -> Vec<String> {
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    line.split(' ').map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn a_drive_that_comes_is_synced_and_said_to_be_safe() {
    if !is_root() {
        println!("left out: only root may mount a disk");
        return;
    }
    let pool = Pool::up();
    let (disk, machine) = (Disk::make(pool.home(), 200), Machine::new(&pool));
    let drive = disk.at.join("pantala").to_str().unwrap().to_owned();
    fs::write(pool.mount().join("file"), "one").unwrap();
    machine.run(&["mirror", "add", "main", &drive, "--name", "drive", "--on-plug"]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    let list: Value = serde_json::from_str(&machine.run(&["mirror", "list", "--json"]).succeeded()).unwrap();
    assert_eq!((&list["drive"]["on_plug"], &list["drive"]["place"]), (&true.into(), &drive.as_str().into()));
    let [rule, unit]: [PathBuf; 2] = machine.files().try_into().unwrap();
    let unit_name = unit.file_name().unwrap().to_str().unwrap();
    let [rule, text] = [&rule, &unit].map(|path| fs::read_to_string(path).unwrap());
    let uuid = Command::new("findmnt").args(["-no", "UUID", "--target"]).arg(&disk.at).output().unwrap().stdout;
    let uuid = String::from_utf8(uuid).unwrap();
    assert!(rule.contains(&format!("ENV{{ID_FS_UUID}}==\"{}\"", uuid.trim())) && rule.contains(unit_name), "{rule}");
    let verified =
        Outcome::of(&mut machine.command(&["systemd-analyze", "verify", &format!("/etc/systemd/system/{unit_name}")]));
    assert_eq!(verified.code, Some(0), "{verified:?}");

    // What systemd runs while the drive is not mounted yet waits for that.
    disk.unmount();
    fs::write(pool.mount().join("file"), "two").unwrap();
    let start = exec_start(&text);
    let mut sync = pool.program(Path::new(&start[0]));
    let sync = sync.args(&start[1..]).stdout(std::process::Stdio::null()).spawn();
    disk.mount();
    assert!(sync.unwrap().wait().unwrap().success());
    let status: Value = serde_json::from_str(&pool.run(&["mirror", "status", "--json"]).succeeded()).unwrap();
    assert_eq!((&status[0]["state"], &status[0]["safe_to_unplug"]), (&"in-step".into(), &true.into()));
    let plug = || Outcome::of(&mut machine.command(&start.iter().map(String::as_str).collect::<Vec<_>>())).succeeded();
    plug();
    let notices = fs::read_to_string(pool.home().join("notice")).unwrap();
    let begin = "unix:path=/run/user/0/bus --app-name=Pantala";
    assert!(notices.starts_with(begin) && notices.contains("drive is up to date and safe to unplug"), "{notices}");
    let look = pool.home().join("look");
    fs::create_dir(&look).unwrap();
    pool.run(&["up", "--store", &drive, "--mount", look.to_str().unwrap()]).succeeded();
    plug();
    let notices = fs::read_to_string(pool.home().join("notice")).unwrap();
    assert!(notices.ends_with("drive is up to date, and in use: take its node down to unplug it\n"), "{notices}");
    pool.run(&["down", "--store", &drive]).succeeded();

    let said = machine.run(&["mirror", "set", "drive", "--every", "1h"]).succeeded();
    assert_eq!(said, "drive is synced every 1h while the node is up, and when its drive is plugged in\n");
    machine.run(&["mirror", "set", "drive", "--on-plug=false"]).succeeded();
    assert!(machine.files().is_empty());
    machine.run(&["mirror", "set", "drive", "--on-plug"]).succeeded();
    machine.run(&["mirror", "remove", "drive"]).succeeded();
    assert!(machine.files().is_empty());
}

#[test]
fn what_no_drive_is_or_nobody_may_install_is_refused_and_leaves_nothing() {
    let pool = Pool::up();
    let place = pool.home().join("other");
    let add = |place: &str| pool.run(&["mirror", "add", "main", place, "--on-plug"]);
    add("ssh://attic/srv/pantala").failed_saying(&["is for a drive", "--every"]);
    if is_root() {
        add(place.to_str().unwrap()).failed_saying(&["on no drive that comes and goes", "--every"]);
    }
    assert!(!place.exists());
    assert_eq!(pool.run(&["mirror", "list"]).succeeded().lines().count(), 1);
    let ordinary = Pool::of_ordinary_user();
    ordinary.run(&["up"]).succeeded();
    ordinary
        .run(&["mirror", "add", "main", place.to_str().unwrap(), "--on-plug"])
        .failed_saying(&["only root", "sudo pantala"]);
}
