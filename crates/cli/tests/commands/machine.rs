//! A machine with a systemd, a udevd, a user who is not root, and a drive that comes and goes.
//!
//! `machine.sh` makes it, and ends it with its input: a test that is killed leaves nothing, either.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::outcome::Outcome;
use crate::pool::{eventually, is_root};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/commands/machine.sh");

/// Where the machine has a directory for its drive.
pub(crate) const DRIVE: &str = "/media/drive";

/// The number of the user, and of the user's group.
pub(crate) const USER: u32 = 4242;

pub(crate) struct Machine {
    folder: TempDir,
    uuid: String,
    boot: Child,
    /// None when it is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Machine {
    /// Boots one, without its drive. None if we may not.
    pub(crate) fn boot() -> Option<Self> {
        if !is_root() {
            println!("left out: only root may boot a machine");
            return None;
        }
        let udev = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("udev");
        let is_there = Path::new("/usr/lib/systemd/systemd-udevd").exists() || udev.exists();
        assert!(is_there, "there is no {}: run `cargo xtask setup` first", udev.display());
        let folder = tempfile::Builder::new().prefix("pantala-test-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let uuid = make_drive(&folder.path().join("drive.img"));
        let mut boot = Command::new(SCRIPT);
        boot.arg("boot").env("MACHINE", folder.path()).env("MACHINE_UDEV", udev);
        // Ctrl-C ends the test, and the end of the test ends this.
        boot.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut boot = boot.spawn().unwrap();
        let (input, output) = (boot.stdin.take(), BufReader::new(boot.stdout.take().unwrap()));
        let mut machine = Self { folder, uuid, boot, input, output };
        machine.expect_up();
        machine.add_user();
        machine.add_desktop();
        Some(machine)
    }

    /// The power goes, and comes back.
    pub(crate) fn boot_again(&mut self) {
        self.input.as_ref().unwrap().write_all(b"\n").unwrap();
        self.expect_up();
        self.add_desktop();
    }

    fn expect_up(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "it does not boot");
    }

    fn add_user(&self) {
        let home = self.path("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(USER), Some(USER)).unwrap();
        self.add_to_etc("passwd", &format!("someone:x:{USER}:{USER}::{}:/bin/sh\n", home.display()));
        self.add_to_etc("group", &format!("someone:x:{USER}:\n"));
        // By a process of its own: what this one has open for writing, a child of another test would have, too.
        run(Command::new("cp").arg(env!("CARGO_BIN_EXE_pantala")).arg(self.path("pantala")));
    }

    /// The user is logged in: there is the session's bus, and a program that says what it is to show.
    fn add_desktop(&self) {
        let notices = self.path("notices");
        let script = format!(
            "mkdir -p /run/user/{USER} && touch /run/user/{USER}/bus {notices} && chown -R {USER} /run/user/{USER} {notices}
             echo '#!/bin/sh\nfor last; do :; done; echo \"$last\" >> {notices}' > /usr/local/bin/notify-send
             chmod 755 /usr/local/bin/notify-send",
            notices = notices.display()
        );
        self.run(&["sh", "-c", &script]).succeeded();
    }

    fn add_to_etc(&self, file: &str, line: &str) {
        let mut file = OpenOptions::new().append(true).open(self.etc().join(file)).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    /// From now on the machine knows how to mount its drive.
    pub(crate) fn add_to_fstab(&self) {
        self.add_to_etc("fstab", &format!("UUID={} {DRIVE} ext4 noauto,nofail 0 0\n", self.uuid));
        self.run(&["systemctl", "daemon-reload"]).succeeded();
    }

    pub(crate) fn etc(&self) -> PathBuf {
        self.path("etc")
    }

    /// The user's store, where it is if nobody says so.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("home/.local/share/pantala")
    }

    /// The same inside and outside.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program there, as root.
    pub(crate) fn run(&self, program: &[&str]) -> Outcome {
        self.script(&[&["in"], program].concat())
    }

    /// Runs a program there as the user, with `pantala` in its `PATH`.
    pub(crate) fn run_as_user(&self, program: &[&str]) -> Outcome {
        let user = USER.to_string();
        let become_user = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "env", "-i"];
        let settings = [format!("HOME={}", self.path("home").display()), self.search_path()];
        self.run(&[&become_user, settings.each_ref().map(String::as_str).as_slice(), program].concat())
    }

    /// Runs `pantala` on the user's store as root, with the environment that sudo makes.
    pub(crate) fn pantala(&self, arguments: &[&str]) -> Outcome {
        let store = self.store();
        let program = ["env", "-i", "HOME=/root", &self.search_path(), "pantala"];
        self.run(&[&program, arguments, &["--store", store.to_str().unwrap()]].concat())
    }

    fn search_path(&self) -> String {
        format!("PATH={}:/usr/sbin:/usr/bin", self.folder.path().display())
    }

    pub(crate) fn plug(&self) {
        self.script(&["plug"]).succeeded();
    }

    /// Takes the drive out, whatever uses it.
    pub(crate) fn unplug(&self) {
        self.script(&["unplug"]).succeeded();
    }

    /// Mounts the drive once it is known, as a desktop does.
    pub(crate) fn mount(&self) {
        let device = format!("/dev/disk/by-uuid/{}", self.uuid);
        eventually("the drive is known", || self.run(&["test", "-e", &device]).code == Some(0));
        self.run(&["mount", &device, DRIVE]).succeeded();
    }

    pub(crate) fn unmount(&self) {
        self.run(&["umount", DRIVE]).succeeded();
    }

    pub(crate) fn is_mounted(&self) -> bool {
        self.run(&["mountpoint", "--quiet", DRIVE]).code == Some(0)
    }

    /// Has udev hear of a change to the drive, as after a check of its file system, and waits until nothing more comes of it.
    pub(crate) fn change(&self) {
        let disk = fs::read_to_string(self.path("disk")).unwrap();
        self.run(&["udevadm", "trigger", "--action=change", &format!("/dev/{}p1", disk.trim())]).succeeded();
        self.settle();
    }

    /// Waits until all that udev heard of is done, and all that systemd was to start or stop because of it.
    pub(crate) fn settle(&self) {
        self.run(&["udevadm", "settle"]).succeeded();
        eventually("there are no jobs", || self.run(&["systemctl", "list-jobs", "--no-legend"]).succeeded().is_empty());
    }

    /// What a unit has as one of its properties.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", name, unit]).succeeded().trim().to_owned()
    }

    /// What has been shown on the desktop, line by line.
    pub(crate) fn notices(&self) -> Vec<String> {
        fs::read_to_string(self.path("notices")).unwrap().lines().map(str::to_owned).collect()
    }

    fn script(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(Command::new(SCRIPT).args(arguments).env("MACHINE", self.folder.path()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.run(&["journalctl", "--no-pager", "--quiet", "--output=short-monotonic"]).output);
        }
        drop(self.input.take());
        let _ = self.boot.wait();
    }
}

/// Makes a disk with a file system in its partition; gives the UUID.
fn make_drive(image: &Path) -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap().trim().to_owned();
    File::create(image).unwrap().set_len(257 << 20).unwrap();
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-F", "-U", &uuid, "-E", "offset=1048576"]).arg(image).arg("256M");
    run(&mut make);
    uuid
}

fn run(command: &mut Command) {
    let Outcome { code, errors, .. } = Outcome::of(command);
    assert_eq!(code, Some(0), "{command:?}: {errors}");
}
