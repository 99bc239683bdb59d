//! Whatever is wrong: one line that says what failed, why, and what to do; and nothing is written that was not there.

use crate::outcome::Outcome;
use crate::pool::{Pool, is_root};
use crate::tree::{exact_tree, tree};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_wrong_store_or_mount_directory_is_refused_and_left_alone() {
    let pool = Pool::new();
    let root = pool.home();
    fs::create_dir_all(root.join("full/of")).unwrap();
    fs::write(root.join("file"), "a file").unwrap();
    let before = tree(root);
    let cases = [
        ("store", "full", "is not empty; give an empty directory"),
        ("store", "missing", "is not there; make the directory"),
        ("store", "file", "is not a directory; give one"),
        ("full", "mount", "is not a Pantala store (it holds of); give an empty directory"),
        ("file", "mount", "Not a directory; give a directory with --store"),
        ("file/below", "mount", "Not a directory; give a directory with --store"),
        ("mount", "mount", "would lie in one another; give another one"),
        ("mount/below", "mount", "would lie in one another; give another one"),
    ];
    for (store, mount, why) in cases {
        let (store, mount) = (root.join(store), root.join(mount));
        up(&pool, &store, &mount).failed_saying(&["cannot ", why]);
        assert!(tree(root) == before, "{why}");
    }
}

#[test]
fn commands_that_need_a_node_say_how_to_start_it() {
    let pool = Pool::new();
    let cases: [&[&str]; 5] = [
        &["sync"],
        &["volume", "list"],
        &["volume", "create", "a"],
        &["volume", "delete", "a", "--yes"],
        &["volume", "rename", "a", "b"],
    ];
    for arguments in cases {
        pool.run(arguments).failed_saying(&["is not up; start it with `pantala up --store "]);
    }
    pool.run(&["store", "reindex"]).failed_saying(&["is not a Pantala store"]);
    pool.run(&["sync", "/nonexistent"]).failed_saying(&["cannot sync /nonexistent: No such file"]);
    assert!(!pool.store().exists());
}

#[test]
fn a_place_where_a_pool_is_mounted_is_not_taken() {
    let pool = Pool::up();
    let other = pool.home().join("other");
    up(&pool, &other, pool.mount()).failed_saying(&["is mounted there; take it down first"]);
    assert!(!other.exists() && pool.is_up());
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let pool = Pool::up();
    pool.run(&["down"]).succeeded();
    make_newer(pool.store());
    let before = tree(pool.store());
    pool.run(&["up"]).failed_saying(&["format 99", "; use a newer pantala"]);
    pool.run(&["store", "reindex"]).failed_saying(&["format 99", "; use a newer pantala"]);
    assert!(tree(pool.store()) == before);
}

#[test]
fn a_damaged_segment_is_refused_and_what_is_whole_can_be_read() {
    for spoil in [garble, truncate] {
        let pool = Pool::up();
        let files = ["one", "two"].map(|name| pool.mount().join(name));
        for (seed, file) in files.iter().enumerate() {
            fs::write(file, incompressible(seed as u32, 300_000)).unwrap();
            pool.run(&["sync"]).succeeded();
        }
        pool.run(&["down"]).succeeded();
        spoil(&last_segment(pool.store()));
        let before = exact_tree(pool.store());
        for _ in 0..2 {
            pool.run(&["up"]).failed_saying(&["is damaged: ", "; `pantala up --read-only`", "`pantala store repair`"]);
            assert!(!pool.is_mounted());
            assert!(exact_tree(pool.store()) == before, "up wrote something");
        }
        let up = pool.run(&["up", "--read-only"]);
        assert!(up.code == Some(0) && up.errors.contains("damaged"), "{up:?}");
        let whole = files.iter().enumerate().filter(|(seed, file)| match fs::read(file) {
            Ok(content) => {
                assert!(content == incompressible(*seed as u32, 300_000), "{file:?}");
                true
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EIO), "{file:?}");
                false
            }
        });
        let whole: Vec<_> = whole.map(|(_, file)| file.clone()).collect();
        pool.run(&["down"]).succeeded();
        pool.run(&["store", "repair", "--dry-run"]).succeeded();
        pool.run(&["store", "repair"]).failed_saying(&["confirm with --yes"]);
        assert!(exact_tree(pool.store()) == before, "looking wrote something");
        let said = pool.run(&["store", "repair", "--yes"]).succeeded();
        assert!(said.ends_with("brings it up\n"), "{said}");
        let up = pool.run(&["up"]);
        assert!(up.code == Some(0), "{said}{up:?}");
        assert!(whole.iter().all(|file| fs::read(file).is_ok()), "{said}");
        fs::write(pool.mount().join("new"), "new").unwrap();
        pool.run(&["down"]).succeeded();
        pool.run(&["store", "reindex"]).succeeded();
        let up = pool.run(&["up"]);
        assert!(up.code == Some(0), "an index made anew does not find the same damage again: {up:?}");
        assert_eq!(fs::read_to_string(pool.mount().join("new")).unwrap(), "new");
    }
}

#[test]
fn damaged_notes_of_mounts_are_told() {
    let pool = Pool::up();
    pool.run(&["down"]).succeeded();
    fs::write(pool.store().join("mounts.json"), "{ nonsense").unwrap();
    pool.run(&["up"]).failed_saying(&["mounts.json", "remove it"]);
}

#[test]
fn without_the_device_nothing_is_begun() {
    let pool = Pool::new();
    let other = pool.home().join("dev");
    fs::create_dir(&other).unwrap();
    let other = other.display();
    let before = format!("touch {other}/null && mount --bind /dev/null {other}/null && mount --rbind {other} /dev");
    in_own_mounts(&pool, &before, "").failed_saying(&["cannot mount: /dev/fuse is missing; load the module"]);
    assert!(!pool.store().exists());
}

#[test]
fn on_a_full_or_read_only_disk_nothing_is_begun() {
    let pool = Pool::new();
    let store = pool.store().display();
    let left = "ls -A \"$PANTALA_STORE\" >&2";
    fs::create_dir(pool.store()).unwrap();
    in_own_mounts(&pool, &format!("mount -t tmpfs -o size=1m tmpfs {store}"), left)
        .failed_saying(&["cannot make the store", "make room on it, or give another disk"]);
    in_own_mounts(&pool, &format!("mount -t tmpfs -o ro tmpfs {store}"), left)
        .failed_saying(&["Read-only file system; give another place"]);
}

fn up(pool: &Pool, store: &Path, mount: &Path) -> Outcome {
    let mut command = pool.command(&["up"]);
    Outcome::of(command.arg("--store").arg(store).arg("--mount").arg(mount))
}

/// `up` where other things are mounted than elsewhere, and what is to be done afterwards.
fn in_own_mounts(pool: &Pool, before: &str, after: &str) -> Outcome {
    let command = pool.command(&["up", "--mount", pool.mount_text()]);
    let binary = command.get_program().to_str().expect("text");
    let script = format!("{before} && {{ {binary} up --mount {}; code=$?; {after}\n exit $code; }}", pool.mount_text());
    let mut unshare = Command::new("unshare");
    // Who is not root may mount in a user namespace of its own.
    unshare.args(if is_root() { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
    Outcome::of(unshare.args(["sh", "-c", &script]).env("PANTALA_STORE", pool.store()))
}

/// As if a version had used a store whose format this one does not know.
pub(crate) fn make_newer(store: &Path) {
    let superblock = store.join("store");
    let mut bytes = fs::read(&superblock).expect("a store");
    bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
    let checked = bytes.len() - 4;
    let checksum = crc32c(&bytes[..checked]);
    bytes[checked..].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&superblock, bytes).expect("written");
}

fn last_segment(store: &Path) -> PathBuf {
    let segments = fs::read_dir(store.join("segments")).expect("segments").flatten().map(|entry| entry.path());
    let segments = segments.filter(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.max().expect("a segment")
}

/// So that the log is as long, and the damage lies inside of it.
fn incompressible(seed: u32, length: u32) -> Vec<u8> {
    (0..length)
        .map(|index| ((index ^ seed << 24).wrapping_mul(0x9E37_79B9).rotate_left(index % 32) >> 24) as u8)
        .collect()
}

/// Spoils the beginning of the log, where the list of volumes is.
fn garble(segment: &Path) {
    let file = fs::OpenOptions::new().write(true).open(segment).expect("a segment");
    file.write_all_at(&[0xA5; 4096], 64).expect("written");
}

fn truncate(segment: &Path) {
    fs::OpenOptions::new().write(true).open(segment).and_then(|file| file.set_len(100)).expect("cut");
}

/// CRC-32C (RFC 3720, appendix B.4), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
