//! `.snapshots`: what is kept of a directory, seen below it.

use crate::mounted::Mounted;
use rustix::io::Errno;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use volume::{SnapshotError, Volume};

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// Deletes a snapshot that nobody uses. On a busy machine the kernel may take a while to say that it knows nothing of it any more.
fn delete(volume: &Volume, name: &str) {
    const ATTEMPTS_MAX: usize = 60;
    let attempts = (0..ATTEMPTS_MAX).map(|_| volume.delete_snapshot(name));
    let mut ended = attempts.skip_while(|done| matches!(done, Err(SnapshotError::InUse { .. })));
    ended.next().expect("nobody uses it").unwrap();
}

#[test]
fn a_snapshot_shows_each_directory_as_it_was() {
    let mounted = Mounted::new();
    fs::create_dir_all(mounted.path("folder/inner")).unwrap();
    fs::write(mounted.path("folder/inner/file"), "before").unwrap();
    fs::write(mounted.path("folder/large"), vec![7; 300_000]).unwrap();
    symlink("inner/file", mounted.path("folder/link")).unwrap();
    fs::set_permissions(mounted.path("folder/large"), Permissions::from_mode(0o640)).unwrap();
    mounted.volume().create_snapshot("first", false).unwrap();
    fs::write(mounted.path("folder/inner/file"), "after").unwrap();
    fs::remove_file(mounted.path("folder/large")).unwrap();
    fs::create_dir(mounted.path("folder/later")).unwrap();

    let then = mounted.path("folder/.snapshots/first");
    assert_eq!(names(&then), ["inner", "large", "link"]);
    assert_eq!(fs::read_to_string(then.join("inner/file")).unwrap(), "before");
    assert_eq!(fs::read_to_string(then.join("link")).unwrap(), "before");
    assert!(fs::read(then.join("large")).unwrap() == vec![7; 300_000]);
    assert_eq!(then.join("large").metadata().unwrap().mode() & 0o7777, 0o640);
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/first/folder/inner/file")).unwrap(), "before");
    assert_eq!(fs::read_to_string(mounted.path("folder/inner/.snapshots/first/file")).unwrap(), "before");
    assert_eq!(errno(fs::metadata(mounted.path("folder/later/.snapshots/first"))), Some(libc::ENOENT));
    let numbers =
        [then.join("inner/file"), mounted.path("folder/inner/file")].map(|path| path.metadata().unwrap().ino());
    assert_ne!(numbers[0], numbers[1], "a file of the past has a number of its own");
}

#[test]
fn the_past_is_not_listed_and_its_list_is_always_the_newest() {
    let mounted = Mounted::new();
    fs::write(mounted.path("file"), "1").unwrap();
    let volume = mounted.volume();
    let list = || names(&mounted.path(".snapshots"));
    assert_eq!(list(), [""; 0]);
    for name in ["one", "two", "three"] {
        volume.create_snapshot(name, false).unwrap();
    }
    assert_eq!(names(mounted.top()), ["file"]);
    assert_eq!(list(), ["one", "three", "two"]);
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/two/file")).unwrap(), "1");
    volume.rename_snapshot("two", "zwei").unwrap();
    assert_eq!(list(), ["one", "three", "zwei"]);
    assert_eq!(errno(File::open(mounted.path(".snapshots/two/file"))), Some(libc::ENOENT));
    delete(&volume, "zwei");
    assert_eq!(list(), ["one", "three"]);
    assert_eq!(errno(File::open(mounted.path(".snapshots/zwei/file"))), Some(libc::ENOENT));
    // A name that leads to another state now.
    delete(&volume, "one");
    fs::write(mounted.path("file"), "2").unwrap();
    volume.create_snapshot("one", false).unwrap();
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/one/file")).unwrap(), "2");
}

#[test]
fn the_past_cannot_be_changed() {
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("folder")).unwrap();
    fs::write(mounted.path("folder/file"), "content").unwrap();
    mounted.volume().create_snapshot("kept", false).unwrap();
    let then = mounted.path(".snapshots/kept/folder");
    let read_only = Some(libc::EROFS);
    assert_eq!(errno(fs::write(then.join("new"), "x")), read_only);
    assert_eq!(errno(fs::write(then.join("file"), "x")), read_only);
    assert_eq!(errno(fs::create_dir(then.join("new"))), read_only);
    assert_eq!(errno(fs::remove_file(then.join("file"))), read_only);
    assert_eq!(errno(fs::remove_dir(&then)), read_only);
    assert_eq!(errno(fs::rename(then.join("file"), mounted.path("file"))), read_only);
    assert_eq!(errno(fs::rename(mounted.path("folder/file"), then.join("other"))), read_only);
    assert_eq!(errno(fs::hard_link(then.join("file"), mounted.path("linked"))), read_only);
    assert_eq!(errno(fs::set_permissions(then.join("file"), Permissions::from_mode(0o600))), read_only);
    let opened = File::options().write(true).open(then.join("file")).unwrap();
    assert_eq!(errno(opened.write_all_at(b"x", 0)), read_only);
    for place in [mounted.path(".snapshots/new"), mounted.path("folder/.snapshots/kept/new")] {
        assert_eq!(errno(fs::create_dir(place)), read_only);
    }
    assert_eq!(fs::read_to_string(then.join("file")).unwrap(), "content");
}

#[test]
fn the_name_of_the_past_cannot_be_taken() {
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("folder")).unwrap();
    assert_eq!(errno(fs::create_dir(mounted.path(".snapshots"))), Some(libc::EEXIST));
    assert_eq!(errno(fs::remove_dir(mounted.path(".snapshots"))), Some(libc::EPERM));
    assert_eq!(errno(fs::rename(mounted.path("folder"), mounted.path(".snapshots"))), Some(libc::EPERM));
    assert_eq!(errno(fs::rename(mounted.path("folder/.snapshots"), mounted.path("moved"))), Some(libc::EPERM));
    // The past is no reason for a directory to stay.
    fs::metadata(mounted.path("folder/.snapshots")).unwrap();
    fs::remove_dir(mounted.path("folder")).unwrap();
}

#[test]
fn a_moment_leads_to_the_state_that_there_was() {
    let mounted = Mounted::new();
    fs::write(mounted.path("file"), "old").unwrap();
    mounted.volume().checkpoint().unwrap();
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/@now/file")).unwrap(), "old");
    fs::write(mounted.path("file"), "new").unwrap();
    mounted.volume().checkpoint().unwrap();
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/@now/file")).unwrap(), "new");
    let time =
        mounted.volume().kept_at(volume::Timestamp { seconds: i64::MAX, nanoseconds: 0 }).unwrap().unwrap().taken();
    let exact = format!(".snapshots/@{}.{:09}Z/file", utc(time.seconds), time.nanoseconds);
    assert_eq!(fs::read_to_string(mounted.path(&exact)).unwrap(), "new");
    let before = format!(".snapshots/@{}.{:09}Z/file", utc(time.seconds), time.nanoseconds.saturating_sub(1));
    assert_eq!(fs::read_to_string(mounted.path(&before)).unwrap(), "old");
    for name in ["@1999-01-01", "@", "@never", "@2026-13-40", "nothing"] {
        assert_eq!(errno(fs::metadata(mounted.path(".snapshots").join(name))), Some(libc::ENOENT), "{name}");
    }
}

fn utc(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's days_from_civil, the other way round.
    let (era, day_of_era) = ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[test]
fn a_snapshot_that_somebody_reads_is_not_deleted() {
    let mounted = Mounted::new();
    fs::write(mounted.path("file"), "content").unwrap();
    mounted.volume().create_snapshot("kept", false).unwrap();
    let open = File::open(mounted.path(".snapshots/kept/file")).unwrap();
    let refused = mounted.volume().delete_snapshot("kept");
    assert!(matches!(refused, Err(SnapshotError::InUse { .. })), "{refused:?}");
    let mut content = [0; 7];
    open.read_exact_at(&mut content, 0).unwrap();
    assert_eq!(&content, b"content");
    drop(open);
    delete(&mounted.volume(), "kept");
    mounted.volume().create_snapshot("kept", false).unwrap();
    // Looked at, but not in use: what the kernel has in its caches is no reason to keep it.
    assert_eq!(names(&mounted.path(".snapshots/kept")), ["file"]);
    delete(&mounted.volume(), "kept");
    assert_eq!(errno(File::open(mounted.path(".snapshots/kept/file"))), Some(libc::ENOENT));
}

/// More than there are slots for at ease: the kernel is asked to drop them again.
#[test]
fn many_snapshots_are_browsed_one_after_another_and_all_are_let_go() {
    const COUNT: usize = 1000;
    let mounted = Mounted::new();
    for number in 0..COUNT {
        fs::write(mounted.path("file"), number.to_string()).unwrap();
        mounted.volume().create_snapshot(&format!("snapshot{number}"), false).unwrap();
    }
    assert_eq!(names(&mounted.path(".snapshots")).len(), COUNT);
    for number in 0..COUNT {
        let content = fs::read_to_string(mounted.path(&format!(".snapshots/snapshot{number}/file"))).unwrap();
        assert_eq!(content, number.to_string());
    }
    for number in 0..COUNT {
        delete(&mounted.volume(), &format!("snapshot{number}"));
    }
    assert_eq!(names(&mounted.path(".snapshots")), [""; 0]);
}

#[test]
fn extended_attributes_holes_and_kinds_are_as_they_were() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"");
    file.set_len(1 << 30).unwrap();
    file.write_all_at(b"end", (1 << 30) - 3).unwrap();
    rustix::fs::fsetxattr(&file, "user.colour", b"red", rustix::fs::XattrFlags::empty()).unwrap();
    mounted.volume().create_snapshot("kept", false).unwrap();
    rustix::fs::fremovexattr(&file, "user.colour").unwrap();
    let then = File::open(mounted.path(".snapshots/kept/file")).unwrap();
    let mut value = [0; 10];
    assert_eq!(rustix::fs::fgetxattr(&then, "user.colour", &mut value[..]), Ok(3));
    let data = rustix::fs::seek(&then, rustix::fs::SeekFrom::Data(0)).unwrap();
    assert!(data > (1 << 29) && then.metadata().unwrap().blocks() < 100);
    let set = rustix::fs::fsetxattr(&then, "user.colour", b"blue", rustix::fs::XattrFlags::empty());
    assert_eq!(set, Err(Errno::ROFS));
    assert_eq!(
        fs::read_link(mounted.path(".snapshots/kept")).map_err(|error| error.kind()),
        Err(ErrorKind::InvalidInput)
    );
    // cp(1) asks for a copy by reference, which the kernel then makes by reading and writing.
    fs::copy(mounted.path(".snapshots/kept/file"), mounted.path("copy")).unwrap();
    assert_eq!(mounted.path("copy").metadata().unwrap().len(), 1 << 30);
}

#[test]
fn a_copy_out_of_the_past_shares_its_data() {
    let mounted = Mounted::new();
    let content = sim::Random::new(1).bytes(20 << 20);
    fs::write(mounted.path("file"), &content).unwrap();
    mounted.volume().create_snapshot("kept", false).unwrap();
    fs::remove_file(mounted.path("file")).unwrap();
    let stored_before = mounted.pool.store().statistics().log_bytes;
    fs::copy(mounted.path(".snapshots/kept/file"), mounted.path("back")).unwrap();
    mounted.pool.checkpoint().unwrap();
    let stored = mounted.pool.store().statistics().log_bytes - stored_before;
    assert!(stored < 1 << 20, "{stored} bytes for a copy by reference");
    assert!(fs::read(mounted.path("back")).unwrap() == content);
}

#[test]
fn going_back_shows_at_once_whatever_the_kernel_had_seen() {
    let mounted = Mounted::new();
    fs::create_dir(mounted.path("folder")).unwrap();
    fs::write(mounted.path("folder/changed"), "then").unwrap();
    fs::write(mounted.path("folder/deleted"), "then").unwrap();
    let volume = mounted.volume();
    let then = volume.create_snapshot("then", false).unwrap();
    fs::write(mounted.path("folder/changed"), "now, and longer").unwrap();
    fs::remove_file(mounted.path("folder/deleted")).unwrap();
    fs::write(mounted.path("folder/new"), "now").unwrap();
    assert_eq!(names(&mounted.path("folder")), ["changed", "new"]);
    assert_eq!(fs::read_to_string(mounted.path("folder/changed")).unwrap(), "now, and longer");
    assert_eq!(errno(fs::metadata(mounted.path("folder/deleted"))), Some(libc::ENOENT));
    let open = File::open(mounted.path("folder/changed")).unwrap();

    volume.roll_back(&then.root, "before").unwrap();
    assert_eq!(names(&mounted.path("folder")), ["changed", "deleted"]);
    assert_eq!(fs::read_to_string(mounted.path("folder/changed")).unwrap(), "then");
    assert_eq!(fs::read_to_string(mounted.path("folder/deleted")).unwrap(), "then");
    assert_eq!(errno(fs::metadata(mounted.path("folder/new"))), Some(libc::ENOENT));
    let mut content = [0; 4];
    open.read_exact_at(&mut content, 0).unwrap();
    assert_eq!(&content, b"then", "an open file is that of the state gone back to");
    assert_eq!(fs::read_to_string(mounted.path(".snapshots/before/folder/new")).unwrap(), "now");
    fs::write(mounted.path("folder/new"), "after").unwrap();
    assert_eq!(fs::read_to_string(mounted.path("folder/new")).unwrap(), "after");
}

/// What was removed while open, and is there again after going back, must not go when it is closed.
#[test]
fn a_file_that_going_back_brings_back_stays_when_its_last_user_closes_it() {
    let mounted = Mounted::new();
    let file = mounted.file("file", b"content");
    let then = mounted.volume().create_snapshot("then", false).unwrap();
    fs::remove_file(mounted.path("file")).unwrap();
    mounted.volume().roll_back(&then.root, "before").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "content");
    mounted.pool.checkpoint().unwrap();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "content");
}
