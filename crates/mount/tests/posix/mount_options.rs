//! The setting `mount-options`, and which reads set times of access.

use crate::mounted::Mounted;
use rustix::fs::{IFlags, ioctl_setflags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

fn accessed(path: &Path) -> SystemTime {
    fs::symlink_metadata(path).unwrap().accessed().unwrap()
}

fn errno<T>(result: std::io::Result<T>) -> Option<Errno> {
    Errno::from_io_error(&result.err()?)
}

/// Reads what the kernel does not have in its cache.
fn reads_set_the_time(mounted: &mut Mounted, name: &str) -> bool {
    mounted.remount();
    let before = accessed(&mounted.path(name));
    fs::read(mounted.path(name)).unwrap();
    accessed(&mounted.path(name)) != before
}

#[test]
fn by_default_the_first_read_after_a_change_sets_the_time_of_access() {
    let mut mounted = Mounted::new();
    fs::write(mounted.path("file"), "content").unwrap();
    assert!(reads_set_the_time(&mut mounted, "file"));
    assert!(!reads_set_the_time(&mut mounted, "file"));
    fs::write(mounted.path("file"), "changed").unwrap();
    assert!(reads_set_the_time(&mut mounted, "file"));
    let day_before = SystemTime::now() - std::time::Duration::from_secs(25 * 60 * 60);
    let file = File::options().write(true).open(mounted.path("file")).unwrap();
    file.set_times(fs::FileTimes::new().set_accessed(day_before).set_modified(day_before)).unwrap();
    drop(file);
    assert!(reads_set_the_time(&mut mounted, "file"));
}

#[test]
fn noatime_strictatime_and_the_flag_do_as_they_say() {
    let mut mounted = Mounted::new();
    fs::write(mounted.path("file"), "content").unwrap();
    mounted.set("mount-options", "noatime");
    assert!(!reads_set_the_time(&mut mounted, "file"));
    mounted.set("mount-options", "strictatime");
    assert!(reads_set_the_time(&mut mounted, "file"));
    assert!(reads_set_the_time(&mut mounted, "file"));
    ioctl_setflags(File::open(mounted.path("file")).unwrap(), IFlags::NOATIME).unwrap();
    assert!(!reads_set_the_time(&mut mounted, "file"));
}

#[test]
fn directories_and_links_have_times_of_access_too() {
    let mut mounted = Mounted::new();
    fs::create_dir(mounted.path("directory")).unwrap();
    fs::write(mounted.path("directory/file"), "").unwrap();
    std::os::unix::fs::symlink("target", mounted.path("link")).unwrap();
    mounted.remount();
    let before = (accessed(&mounted.path("directory")), accessed(&mounted.path("link")));
    assert_eq!(fs::read_dir(mounted.path("directory")).unwrap().count(), 1);
    fs::read_link(mounted.path("link")).unwrap();
    assert!(accessed(&mounted.path("directory")) > before.0);
    assert!(accessed(&mounted.path("link")) > before.1);
}

#[test]
fn a_volume_is_mounted_as_its_setting_says() {
    let mut mounted = Mounted::new();
    let program = mounted.path("program");
    fs::copy("/bin/true", &program).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    mounted.set("mount-options", "ro,noexec,nodev,nosuid");
    mounted.remount();
    let options = mounted.kernel_options();
    for word in ["ro", "noexec", "nodev", "nosuid", "relatime"] {
        assert!(options.split(',').any(|option| option == word), "{word} in {options}");
    }
    assert_eq!(errno(fs::write(&program, "")), Some(Errno::ROFS));
    assert_eq!(errno(Command::new(&program).status()), Some(Errno::ACCESS));
    mounted.set("mount-options", "");
    mounted.remount();
    assert!(Command::new(&program).status().unwrap().success());
    fs::write(mounted.path("new"), "").unwrap();
}
