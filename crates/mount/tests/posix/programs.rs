//! Programs that lie on a mount and may do more than who runs them.

use crate::mounted::Mounted;
use rustix::fs::{XattrFlags, getxattr, setxattr};
use rustix::io::Errno;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

/// Debian's `nobody`.
const STRANGER: u32 = 65534;

/// `security.capability` of a program that may read everything (`struct vfs_cap_data`): version 2 with the effective bit, then
/// CAP_DAC_READ_SEARCH among what is permitted.
fn reads_everything() -> Vec<u8> {
    const VERSION_2_EFFECTIVE: u32 = 0x0200_0001;
    const DAC_READ_SEARCH: u32 = 1 << 2;
    [VERSION_2_EFFECTIVE, DAC_READ_SEARCH, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Copies a program of this machine onto the mount.
fn copy(mounted: &Mounted, program: &str) -> std::path::PathBuf {
    let path = mounted.path(program);
    fs::copy(Path::new("/usr/bin").join(program), &path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

fn run_as_stranger(program: &Path, argument: &Path) -> Output {
    Command::new(program).arg(argument).uid(STRANGER).gid(STRANGER).output().unwrap()
}

#[test]
fn file_capabilities_count_until_the_program_is_written_to() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut mounted = Mounted::new();
    fs::write(mounted.path("secret"), "for root").unwrap();
    fs::set_permissions(mounted.path("secret"), Permissions::from_mode(0o600)).unwrap();
    let program = copy(&mounted, "cat");
    let read = |mounted: &Mounted| run_as_stranger(&mounted.path("cat"), &mounted.path("secret"));
    assert!(!read(&mounted).status.success());
    setxattr(&program, "security.capability", &reads_everything(), XattrFlags::CREATE).unwrap();
    assert_eq!(read(&mounted).stdout, b"for root");
    mounted.volume().checkpoint().unwrap();
    mounted.remount();
    assert_eq!(read(&mounted).stdout, b"for root");
    std::io::Write::write_all(&mut fs::File::options().append(true).open(&program).unwrap(), b"\0").unwrap();
    assert_eq!(getxattr(&program, "security.capability", &mut [0; 64]), Err(Errno::NODATA));
    assert!(!read(&mounted).status.success());
}

#[test]
fn set_user_id_counts_unless_the_mount_has_nosuid() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut mounted = Mounted::new();
    let program = copy(&mounted, "id");
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).unwrap();
    let user = |program: &Path| String::from_utf8(run_as_stranger(program, Path::new("-u")).stdout).unwrap();
    assert_eq!(user(&program), "0\n");
    mounted.set("mount-options", "nosuid");
    mounted.remount();
    assert_eq!(user(&program), format!("{STRANGER}\n"));
}
