//! POSIX access control lists, by the tools that people use (setfacl, getfacl), and as ext4 has them.

use crate::mounted::Mounted;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

/// Debian's `nobody`.
const STRANGER: u32 = 65534;

fn run(program: &str, arguments: &[&str], path: &Path) -> Output {
    Command::new(program).args(arguments).arg(path).output().expect("the package acl is installed")
}

#[track_caller]
fn set(arguments: &[&str], path: &Path) {
    let output = run("setfacl", arguments, path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The list as getfacl shows it, in one line.
fn get(path: &Path) -> String {
    let output = run("getfacl", &["--omit-header", "--absolute-names", "--numeric"], path);
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Runs a shell command with a umask.
fn shell(script: &str, directory: &Path) {
    assert!(Command::new("sh").args(["-c", script]).current_dir(directory).status().unwrap().success());
}

#[test]
fn a_list_and_the_mode_follow_each_other() {
    let mut mounted = Mounted::new();
    let path = mounted.path("file");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    set(&["-m", "u:1000:rw,g:100:r"], &path);
    assert_eq!(get(&path), "user::rw- user:1000:rw- group::r-- group:100:r-- mask::rw- other::---");
    assert_eq!(mode(&path), 0o660);
    fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
    mounted.volume().checkpoint().unwrap();
    mounted.remount();
    let effective = "user::rw- user:1000:rw- #effective:--- group::r-- #effective:--- group:100:r-- #effective:---";
    assert_eq!(get(&path), format!("{effective} mask::--- other::r--"));
    set(&["--remove-all"], &path);
    assert_eq!((get(&path).as_str(), mode(&path)), ("user::rw- group::--- other::r--", 0o604));
    let listed = mounted.volume().xattr_names(mounted.volume().lookup(volume::Inode::ROOT, b"file").unwrap().0);
    assert!(listed.unwrap().is_empty(), "a list that says what the mode says is not kept");
}

#[test]
fn what_changes_nothing_leaves_the_time_of_change() {
    let mounted = Mounted::new();
    let path = mounted.path("file");
    fs::write(&path, "").unwrap();
    let changed = || fs::metadata(&path).map(|metadata| (metadata.ctime(), metadata.ctime_nsec())).unwrap();
    let setfattr = |arguments: &[&str]| assert!(run("setfattr", arguments, &path).status.success());
    setfattr(&["-n", "user.name", "-v", "value"]);
    let before = changed();
    setfattr(&["-n", "user.name", "-v", "value"]);
    // The list that says what the mode says, and the one that is not there.
    let minimal = "0x0200000001000600ffffffff04000400ffffffff20000400ffffffff";
    setfattr(&["-n", "system.posix_acl_access", "-v", minimal]);
    setfattr(&["-x", "system.posix_acl_access"]);
    assert_eq!((mode(&path), changed()), (0o644, before));
    setfattr(&["-n", "user.name", "-v", "other"]);
    assert_ne!(changed(), before);
}

#[test]
fn a_default_list_stands_in_for_the_umask() {
    let mounted = Mounted::new();
    let directory = mounted.path("directory");
    fs::create_dir(&directory).unwrap();
    shell("umask 027; touch before; mkdir before.d", &directory);
    assert_eq!((mode(&directory.join("before")), mode(&directory.join("before.d"))), (0o640, 0o750));
    set(&["-d", "-m", "u::rwx,g::rx,o::r,u:1000:rwx"], &directory);
    shell("umask 077; touch file; mkdir below; mkfifo fifo; ln -s target link", &directory);
    assert_eq!(
        get(&directory.join("file")),
        "user::rw- user:1000:rwx #effective:rw- group::r-x #effective:r-- mask::rw- other::r--"
    );
    assert_eq!(mode(&directory.join("file")), 0o664);
    assert_eq!(mode(&directory.join("fifo")), 0o664);
    let below = get(&directory.join("below"));
    assert!(below.starts_with("user::rwx user:1000:rwx group::r-x mask::rwx other::r-- default:user::rwx"), "{below}");
    assert_eq!(mode(&directory.join("below")), 0o774);
    set(&["--remove-default"], &directory);
    shell("umask 077; touch after", &directory);
    assert_eq!(mode(&directory.join("after")), 0o600);
}

#[test]
fn the_kernel_lets_in_whom_the_list_lets_in() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mounted = Mounted::new();
    fs::set_permissions(mounted.top(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = mounted.path("file");
    fs::write(&path, "content").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let reads = || Command::new("cat").arg(&path).uid(STRANGER).gid(STRANGER).output().unwrap().status.success();
    assert!(!reads());
    set(&["-m", &format!("u:{STRANGER}:r")], &path);
    assert!(reads());
    set(&["-x", &format!("u:{STRANGER}")], &path);
    assert!(!reads());
    set(&["-m", &format!("g:{STRANGER}:r")], &path);
    assert!(reads());
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(!reads(), "the mask is empty now");
}

#[test]
fn set_group_id_stays_or_goes_as_on_a_local_file_system() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mounted = Mounted::new();
    fs::set_permissions(mounted.top(), PermissionsExt::from_mode(0o777)).unwrap();
    let path = mounted.path("file");
    fs::write(&path, "").unwrap();
    std::os::unix::fs::chown(&path, Some(STRANGER), Some(0)).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o2755)).unwrap();
    set(&["-m", "u:1000:rx"], &path);
    assert_eq!(mode(&path), 0o2755, "root may keep it");
    let set_as_owner =
        Command::new("setfacl").args(["-m", "u:1001:rx"]).arg(&path).uid(STRANGER).gid(STRANGER).status();
    assert!(set_as_owner.unwrap().success());
    assert_eq!(mode(&path), 0o755, "an owner outside the group may not");
}
