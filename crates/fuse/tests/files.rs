//! What programs do with files, on the file system in memory of the examples. Needs root.

mod common;
#[path = "../examples/memory/data.rs"]
mod data;
#[path = "../examples/memory/directory.rs"]
mod directory;
#[path = "../examples/memory/filesystem.rs"]
mod filesystem;
#[path = "../examples/memory/inode.rs"]
mod inode;

use common::{Mounted, transports};
use filesystem::Memory;
use fuse::{Features, MountOptions, SessionConfig};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Runs a test on a fresh file system over each transport.
fn on_each_transport(test: impl Fn(&Path)) {
    for transport in transports() {
        let mounted = Mounted::new(Arc::new(Memory::new()), transport);
        test(mounted.root());
    }
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn thousands_of_entries_are_made_listed_renamed_and_removed() {
    const COUNT: usize = 3_000;
    let name = |index: usize| format!("a rather long name for file number {index:05}");
    on_each_transport(|root| {
        let (old, new) = (root.join("old"), root.join("new"));
        fs::create_dir(&old).expect("made");
        fs::create_dir(&new).expect("made");
        for index in 0..COUNT {
            fs::write(old.join(name(index)), index.to_string()).expect("written");
        }
        assert_eq!(names(&old), (0..COUNT).map(name).collect());
        for index in (0..COUNT).step_by(2) {
            fs::rename(old.join(name(index)), new.join(name(index))).expect("renamed");
        }
        assert_eq!(names(&old).len(), COUNT / 2);
        for index in (0..COUNT).step_by(2) {
            let content = fs::read_to_string(new.join(name(index))).expect("read");
            assert_eq!(content, index.to_string());
        }
        assert_eq!(errno(fs::remove_dir(&old)), Some(libc::ENOTEMPTY));
        fs::remove_dir_all(&old).expect("removed");
        assert_eq!(names(root), BTreeSet::from(["new".to_owned()]));
    });
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("opened").map(|entry| entry.expect("listed"));
    entries.map(|entry| entry.file_name().into_string().expect("text")).collect()
}

#[test]
fn a_directory_that_shrinks_while_it_is_listed_loses_nothing_that_stays() {
    on_each_transport(|root| {
        for index in 0..2_000 {
            File::create(root.join(format!("file-{index:05}"))).expect("made");
        }
        let mut seen = BTreeSet::new();
        for (count, entry) in fs::read_dir(root).expect("opened").enumerate() {
            let name = entry.expect("listed").file_name().into_string().expect("text");
            if count % 3 == 0 {
                fs::remove_file(root.join(&name)).expect("removed");
            }
            assert!(seen.insert(name), "listed twice");
        }
        assert_eq!(seen.len(), 2_000);
    });
}

#[test]
fn large_files_survive_writes_at_odd_places() {
    on_each_transport(|root| {
        let path = root.join("large");
        let content: Vec<u8> = (0..5_000_011u32).map(|index| (index % 251) as u8).collect();
        fs::write(&path, &content).expect("written");
        assert_eq!(fs::read(&path).expect("read"), content);
        let file = File::options().read(true).write(true).open(&path).expect("opened");
        file.write_all_at(b"patched", 1_234_567).expect("written");
        file.write_all_at(b"far", 9_000_000).expect("written");
        let mut piece = [1; 7];
        file.read_exact_at(&mut piece, 1_234_567).expect("read");
        assert_eq!(&piece, b"patched");
        file.read_exact_at(&mut piece, 7_000_000).expect("read");
        assert_eq!(piece, [0; 7]);
        assert_eq!(file.metadata().expect("attributes").len(), 9_000_003);
        file.set_len(10).expect("truncated");
        assert_eq!(fs::read(&path).expect("read"), content[..10]);
        file.set_len(20).expect("extended");
        assert_eq!(fs::read(&path).expect("read")[10..], [0; 10]);
    });
}

#[test]
fn appending_and_seeking_work() {
    on_each_transport(|root| {
        let path = root.join("log");
        for line in ["one\n", "two\n"] {
            let mut file = File::options().append(true).create(true).open(&path).expect("opened");
            file.write_all(line.as_bytes()).expect("appended");
        }
        let mut file = File::open(&path).expect("opened");
        file.seek(SeekFrom::End(-4)).expect("sought");
        let mut rest = String::new();
        file.read_to_string(&mut rest).expect("read");
        assert_eq!(rest, "two\n");
    });
}

#[test]
fn attributes_are_kept() {
    on_each_transport(|root| {
        let path = root.join("file");
        let made = SystemTime::now();
        let file = File::create(&path).expect("made");
        let time = SystemTime::UNIX_EPOCH - Duration::from_nanos(1_500_000_001);
        file.set_times(fs::FileTimes::new().set_modified(time).set_accessed(time)).expect("set");
        file.set_permissions(PermissionsExt::from_mode(0o4750)).expect("set");
        std::os::unix::fs::chown(&path, Some(7), Some(8)).expect("set");
        let metadata = fs::metadata(&path).expect("attributes");
        assert_eq!(metadata.modified().expect("a time"), time);
        assert_eq!((metadata.mode(), metadata.uid(), metadata.gid()), (0o100750, 7, 8));
        let created = metadata.created().expect("statx tells the time of creation");
        assert!(created + Duration::from_secs(1) > made);
    });
}

#[test]
fn links_of_both_kinds_work() {
    on_each_transport(|root| {
        let (file, link, soft) = (root.join("file"), root.join("link"), root.join("soft"));
        fs::write(&file, "content").expect("written");
        fs::hard_link(&file, &link).expect("linked");
        assert_eq!(fs::metadata(&file).expect("attributes").nlink(), 2);
        symlink("link", &soft).expect("linked");
        assert_eq!(fs::read_link(&soft).expect("read"), Path::new("link"));
        fs::remove_file(&file).expect("removed");
        assert_eq!(fs::read_to_string(&soft).expect("read"), "content");
        assert_eq!(fs::metadata(&link).expect("attributes").nlink(), 1);
        let long = "x".repeat(4_000);
        symlink(&long, root.join("long")).expect("linked");
        assert_eq!(fs::read_link(root.join("long")).expect("read"), Path::new(&long));
    });
}

#[test]
fn renames_replace_exchange_and_refuse() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    on_each_transport(|root| {
        let (a, b, directory) = (root.join("a"), root.join("b"), root.join("d"));
        fs::write(&a, "a").expect("written");
        fs::write(&b, "b").expect("written");
        fs::create_dir(&directory).expect("made");
        let rename = |from: &Path, to: &Path, flags| renameat_with(CWD, from, CWD, to, flags).map_err(io::Error::from);
        assert_eq!(errno(rename(&a, &b, RenameFlags::NOREPLACE)), Some(libc::EEXIST));
        rename(&a, &b, RenameFlags::EXCHANGE).expect("exchanged");
        assert_eq!(fs::read_to_string(&a).expect("read"), "b");
        fs::rename(&a, &b).expect("replaced");
        assert_eq!(fs::read_to_string(&b).expect("read"), "b");
        assert_eq!(errno(fs::rename(&b, &directory)), Some(libc::EISDIR));
        assert_eq!(errno(fs::rename(&directory, &b)), Some(libc::ENOTDIR));
        fs::create_dir(root.join("e")).expect("made");
        fs::rename(&directory, root.join("e/d")).expect("moved");
        assert_eq!(
            fs::metadata(root.join("e/d/..")).expect("attributes").ino(),
            fs::metadata(root.join("e")).expect("attributes").ino()
        );
    });
}

#[test]
fn open_files_outlive_their_names() {
    on_each_transport(|root| {
        let path = root.join("file");
        let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).expect("opened");
        fs::remove_file(&path).expect("removed");
        file.write_all(b"still here").expect("written");
        file.rewind().expect("sought");
        let mut content = String::new();
        file.read_to_string(&mut content).expect("read");
        assert_eq!(content, "still here");
        assert_eq!(file.metadata().expect("attributes").nlink(), 0);
        let nameless = File::options().write(true).custom_flags(libc::O_TMPFILE).open(root).expect("opened");
        nameless.write_all_at(b"x", 0).expect("written");
        assert!(names(root).is_empty());
    });
}

#[test]
fn extended_attributes_are_set_listed_and_removed() {
    use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
    on_each_transport(|root| {
        let path = root.join("file");
        File::create(&path).expect("made");
        let value = vec![7; 10_000];
        setxattr(&path, "user.large", &value, XattrFlags::CREATE).expect("set");
        setxattr(&path, "user.small", b"1", XattrFlags::empty()).expect("set");
        let again = setxattr(&path, "user.small", b"2", XattrFlags::CREATE);
        assert_eq!(again, Err(rustix::io::Errno::EXIST));
        let mut buffer = vec![0; 20_000];
        let length = getxattr(&path, "user.large", &mut buffer[..]).expect("got");
        assert_eq!(buffer[..length], value);
        assert_eq!(getxattr(&path, "user.large", &mut buffer[..10]), Err(rustix::io::Errno::RANGE));
        let length = listxattr(&path, &mut buffer[..]).expect("listed");
        assert_eq!(&buffer[..length], b"user.large\0user.small\0");
        removexattr(&path, "user.large").expect("removed");
        assert_eq!(removexattr(&path, "user.large"), Err(rustix::io::Errno::NODATA));
    });
}

#[test]
fn many_threads_work_at_once() {
    on_each_transport(|root| {
        std::thread::scope(|scope| {
            for worker in 0..8 {
                scope.spawn(move || {
                    let directory = root.join(format!("worker-{worker}"));
                    fs::create_dir(&directory).expect("made");
                    for index in 0..300 {
                        let path = directory.join(index.to_string());
                        fs::write(&path, vec![worker; 3_000 + index]).expect("written");
                        assert_eq!(fs::read(&path).expect("read"), vec![worker; 3_000 + index]);
                    }
                    fs::remove_dir_all(&directory).expect("removed");
                });
            }
        });
        assert!(names(root).is_empty());
    });
}

#[test]
fn the_writeback_cache_keeps_its_promises() {
    for transport in transports() {
        let config = SessionConfig { transport, ..SessionConfig::default() }
            .with(Features::WRITEBACK_CACHE | Features::HANDLE_KILLPRIV_V2);
        let mounted = Mounted::with(Arc::new(Memory::new()), &MountOptions::default(), &config);
        let mut file = File::create(mounted.path("file")).expect("made");
        for index in 0..20_000u32 {
            writeln!(file, "line {index}").expect("written");
        }
        file.sync_all().expect("synced");
        drop(file);
        mounted.notifier().invalidate_inode(2, 0, 0).expect("the kernel takes it");
        let content = fs::read_to_string(mounted.path("file")).expect("read");
        assert_eq!(content.lines().count(), 20_000);
        assert!(content.ends_with("line 19999\n"));
    }
}

#[test]
fn a_read_only_mount_refuses_writes() {
    for transport in transports() {
        let options = MountOptions { read_only: true, subtype: "memory".into(), ..MountOptions::default() };
        let config = SessionConfig { transport, ..SessionConfig::default() };
        let mounted = Mounted::with(Arc::new(Memory::new()), &options, &config);
        assert_eq!(errno(File::create(mounted.path("file"))), Some(libc::EROFS));
        let mount = fuse::mounts::find(mounted.root()).expect("/proc").expect("mounted");
        assert_eq!((mount.kind.as_str(), mount.source.to_str()), ("fuse.memory", Some("fuse")));
    }
}

#[test]
fn files_that_need_no_open_are_made_without_a_release() {
    for transport in transports() {
        let config = SessionConfig { transport, no_open: true, ..SessionConfig::default() };
        let mounted = Mounted::with(Arc::new(Memory::new()), &MountOptions::default(), &config);
        for name in ["first", "second"] {
            fs::write(mounted.path(name), name).expect("written");
        }
        assert_eq!(fs::read_to_string(mounted.path("first")).expect("read"), "first");
        assert_eq!(names(mounted.root()), BTreeSet::from(["first", "second"].map(str::to_owned)));
        let requests = mounted.requests();
        let count = |name| requests.iter().find(|(request, _)| *request == name).map_or(0, |(_, count)| *count);
        assert_eq!((count("Create"), count("Open"), count("Release")), (2, 1, 0), "{requests:?}");
    }
}
