//! Snapshots, history, and getting things back.

use crate::pool::{Pool, eventually};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn write(path: impl AsRef<Path>, content: &str) {
    fs::write(path, content).expect("space");
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("it is there")
}

/// Brings everything into the history.
fn keep(pool: &Pool, name: &str) {
    pool.run(&["snapshot", "create", name]).succeeded();
}

#[test]
fn snapshots_come_and_go_and_are_what_a_listing_says() {
    let pool = Pool::up();
    write(pool.mount().join("file"), "1");
    let said = pool.run(&["snapshot", "create", "first"]).succeeded();
    assert_eq!(said, "main@first is made\n");
    pool.run(&["snapshot", "create", "main@second", "--hold"]).succeeded();
    pool.run(&["snapshot", "rename", "first", "erster"]).succeeded();
    let listed = json(&pool.run(&["snapshot", "list", "--json"]).succeeded());
    let names: Vec<_> = listed.as_array().expect("a list").iter().map(|one| (&one["name"], &one["held"])).collect();
    assert_eq!(names, [(&"erster".into(), &false.into()), (&"second".into(), &true.into())]);
    pool.run(&["snapshot", "create", "erster"]).failed_saying(&["there is a snapshot erster already"]);
    pool.run(&["snapshot", "create", "a/b"]).failed_saying(&["cannot be a snapshot's name"]);
    pool.run(&["snapshot", "delete", "second"]).failed_saying(&["is held", "pantala snapshot release second"]);
    pool.run(&["snapshot", "delete", "third"]).failed_saying(&["there is no snapshot third"]);
    let open = fs::File::open(pool.mount().join(".snapshots/erster/file")).expect("it is there");
    pool.run(&["snapshot", "delete", "erster"]).failed_saying(&["in use"]);
    drop(open);
    pool.run(&["snapshot", "release", "second"]).succeeded();
    eventually("what the kernel kept is gone", || pool.run(&["snapshot", "delete", "erster"]).code == Some(0));
    pool.run(&["snapshot", "delete", "second"]).succeeded();
    assert_eq!(json(&pool.run(&["snapshot", "list", "--json"]).succeeded()), json("[]"));
    pool.run(&["snapshot", "create", "nowhere@x"]).failed_saying(&["there is no volume nowhere"]);
}

#[test]
fn the_versions_of_a_file_are_told_and_come_back() {
    let pool = Pool::up();
    let file = pool.mount().join("folder/report");
    let path = file.to_str().expect("text");
    fs::create_dir(pool.mount().join("folder")).expect("space");
    for (name, content) in [("one", "first"), ("two", "second version"), ("three", "third")] {
        write(&file, content);
        keep(&pool, name);
    }
    write(&file, "live");
    let versions = json(&pool.run(&["history", path, "--json"]).succeeded());
    let sizes: Vec<_> = versions.as_array().expect("a list").iter().map(|version| version["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(4), Some(5), Some(14), Some(5)]);
    assert_eq!(versions[0]["live"], true);
    assert_eq!(versions[2]["snapshots"], json(r#"["two"]"#));
    assert!(pool.run(&["history", path]).succeeded().contains("folder/report"));

    pool.run(&["restore", path, "--snapshot", "two"]).failed_saying(&["is there", "--replace"]);
    assert_eq!(read(&file), "live");
    let beside = pool.mount().join("beside");
    pool.run(&["restore", path, "--snapshot", "two", "--to", beside.to_str().expect("text")]).succeeded();
    assert_eq!(read(&beside), "second version");
    pool.run(&["restore", path, "--snapshot", "one", "--replace"]).succeeded();
    assert_eq!(read(&file), "first");
    pool.run(&["restore", path, "--at", "now", "--to", pool.mount().join("last").to_str().expect("text")]).succeeded();
    let names: Vec<_> = fs::read_dir(pool.mount().join("folder")).expect("it is there").collect();
    assert_eq!(names.len(), 1, "nothing is left over");

    fs::remove_file(&file).expect("it is there");
    let folder = pool.mount().join("folder");
    let deleted = json(&pool.run(&["undelete", folder.to_str().expect("text"), "--json"]).succeeded());
    assert_eq!(deleted[0]["name"], "report");
    pool.run(&["restore", path]).succeeded();
    assert_eq!(read(&file), "third", "as it was last kept");

    pool.run(&["history", pool.mount().join("never").to_str().expect("text")])
        .failed_saying(&["nothing had the path never"]);
    pool.run(&["history", "/etc/passwd"]).failed_saying(&["in no Pantala mount"]);
    pool.run(&["restore", path, "--at", "1999-01-01"]).failed_saying(&["nothing is kept from before"]);
    pool.run(&["restore", path, "--at", "teatime"]).failed_saying(&["is no time"]);
    pool.run(&["restore", path, "--snapshot", "nothing"]).failed_saying(&["there is no snapshot nothing"]);
    pool.run(&["undelete", pool.mount().join("never").to_str().expect("text")])
        .failed_saying(&["no directory had the path"]);
}

#[test]
fn a_tree_comes_back_with_everything_that_belongs_to_it_and_takes_no_space() {
    const LARGE: usize = 8 << 20;
    let pool = Pool::up();
    let tree = pool.mount().join("tree");
    fs::create_dir_all(tree.join("inner")).expect("space");
    let noise: Vec<u8> = (0..LARGE).map(|index| ((index * index) >> 7) as u8 ^ (index >> 11) as u8).collect();
    fs::write(tree.join("inner/large"), &noise).expect("space");
    fs::hard_link(tree.join("inner/large"), tree.join("linked")).expect("space");
    symlink("inner/large", tree.join("link")).expect("space");
    fs::set_permissions(tree.join("inner/large"), fs::Permissions::from_mode(0o640)).expect("ours");
    rustix::fs::setxattr(tree.join("inner"), "user.colour", b"red", rustix::fs::XattrFlags::empty()).expect("ours");
    let before = tree.join("inner/large").metadata().expect("it is there");
    keep(&pool, "whole");
    fs::remove_dir_all(&tree).expect("ours");
    pool.run(&["sync"]).succeeded();
    let stored = || pool.status()["space"]["stored_bytes"].as_u64().expect("a number");
    let stored_before = stored();
    let said = pool.run(&["restore", tree.to_str().expect("text"), "--snapshot", "whole"]).succeeded();
    assert!(said.contains("files and directories"), "{said}");
    pool.run(&["sync"]).succeeded();
    assert!(stored() - stored_before < 1 << 20, "{} bytes", stored() - stored_before);
    assert!(fs::read(tree.join("inner/large")).expect("it is there") == noise);
    let after = tree.join("inner/large").metadata().expect("it is there");
    assert_eq!((after.mode(), after.mtime_nsec(), after.nlink()), (before.mode(), before.mtime_nsec(), 2));
    assert_eq!(fs::read_link(tree.join("link")).expect("it is there"), Path::new("inner/large"));
    let mut value = [0; 10];
    assert_eq!(rustix::fs::getxattr(tree.join("inner"), "user.colour", &mut value[..]), Ok(3));
}

#[test]
fn differences_are_told_counted_and_shown_line_by_line() {
    let pool = Pool::up();
    for name in ["changed", "renamed", "removed", "same"] {
        write(pool.mount().join(name), &format!("{name}\nsecond line\n"));
    }
    keep(&pool, "before");
    write(pool.mount().join("changed"), "changed\nanother line\n");
    fs::rename(pool.mount().join("renamed"), pool.mount().join("new name")).expect("ours");
    fs::remove_file(pool.mount().join("removed")).expect("ours");
    write(pool.mount().join("added"), "new\n");
    let said = pool.run(&["diff", "before"]).succeeded();
    assert_eq!(said, "A  added\nM  changed\nR  renamed -> new name\nD  removed\n");
    let said = pool.run(&["diff", "before", "@now", "--stat"]).succeeded();
    assert!(said.starts_with("1 added, 1 removed, 1 renamed, 1 changed;"), "{said}");
    let found = json(&pool.run(&["diff", "before", "--json"]).succeeded());
    assert_eq!(found["differences"].as_array().map(Vec::len), Some(4));
    let patch = pool.run(&["diff", "before", "--patch"]).succeeded();
    for line in ["--- a/changed\n", "+++ b/changed\n", "-second line\n", "+another line\n", "+++ b/added\n", "+new\n"] {
        assert!(patch.contains(line), "{patch}");
    }
    assert_eq!(pool.run(&["diff", "@now", "@now"]).succeeded(), "");
    pool.run(&["diff", "nothing"]).failed_saying(&["there is no snapshot nothing"]);
    pool.run(&["diff", "@1999-01-01"]).failed_saying(&["the first state is from"]);
}

#[test]
fn a_clone_and_a_rollback_begin_with_a_snapshot_and_lose_nothing() {
    let pool = Pool::up();
    write(pool.mount().join("file"), "then");
    keep(&pool, "then");
    write(pool.mount().join("file"), "now");
    let said = pool.run(&["clone", "then", "copy"]).succeeded();
    let mount = Path::new(said.trim().rsplit_once(' ').expect("a place").1);
    assert_eq!(read(mount.join("file")), "then");
    write(mount.join("file"), "in the clone");
    pool.run(&["clone", "then", "copy"]).failed_saying(&["there is a volume copy already"]);
    assert_eq!(read(pool.mount().join("file")), "now");

    pool.run(&["rollback", "main", "then"]).failed_saying(&["--yes"]);
    let said = pool.run(&["rollback", "main", "then", "--yes"]).succeeded();
    assert_eq!(read(pool.mount().join("file")), "then");
    let before = said.split("main@").nth(1).and_then(|rest| rest.split(';').next()).expect("a snapshot");
    assert_eq!(read(pool.mount().join(".snapshots").join(before).join("file")), "now");
    pool.run(&["rollback", "main", before, "--yes"]).succeeded();
    assert_eq!(read(pool.mount().join("file")), "now");
    assert_eq!(read(mount.join("file")), "in the clone");
    pool.run(&["rollback", "main", "nothing", "--yes"]).failed_saying(&["there is no snapshot nothing"]);
    pool.run(&["rollback", "main", "@1999-01-01", "--yes"]).failed_saying(&["the first state is from"]);
}

#[test]
fn a_schedule_makes_its_first_snapshot_at_once_and_no_second_one() {
    let pool = Pool::up();
    pool.run(&["volume", "set", "main", "snapshots=often"]).failed_saying(&["hourly:24,daily:30"]);
    pool.run(&["volume", "set", "main", "snapshots=yearly:2"]).succeeded();
    let names = || {
        let listed = json(&pool.run(&["snapshot", "list", "--json"]).succeeded());
        let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
        listed.as_array().expect("a list").iter().map(name).collect::<Vec<_>>()
    };
    eventually("a snapshot is made", || names().len() == 1);
    let made = names();
    assert!(made[0].starts_with("yearly-"), "{made:?}");
    pool.run(&["volume", "set", "main", "note=looks again"]).succeeded();
    pool.run(&["down"]).succeeded();
    pool.run(&["up"]).succeeded();
    assert_eq!(names(), made);
}

#[test]
fn a_retention_can_be_tried_before_it_is_set() {
    let pool = Pool::up();
    for number in 0..5 {
        write(pool.mount().join("file"), &number.to_string());
        keep(&pool, &format!("snapshot{number}"));
    }
    let said = pool.run(&["volume", "set", "main", "retention=none", "--dry-run"]).succeeded();
    assert!(said.contains("5 states would go and 1 stay"), "{said}");
    let said = pool.run(&["volume", "set", "main", "retention=1h:all", "--dry-run"]).succeeded();
    assert!(said.contains("0 states would go"), "{said}");
    pool.run(&["volume", "set", "main", "retention=1h", "--dry-run"]).failed_saying(&["is no retention"]);
    pool.run(&["volume", "set", "main", "note=x", "--dry-run"]).failed_saying(&["retention"]);
}

#[test]
fn what_a_deleted_file_still_takes_is_told_and_a_trial_deletes_nothing() {
    const BYTES: usize = 300_000;
    let pool = Pool::up();
    let mut content = vec![0; BYTES];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").expect("chance"), &mut content).expect("bytes");
    fs::write(pool.mount().join("file"), &content).expect("space");
    keep(&pool, "first");
    let told = || json(&pool.run(&["space", "--json"]).succeeded());
    let past = |told: &Value| told["volumes"][0]["past_frees_bytes"].as_u64().expect("bytes");
    assert!(past(&told()) < BYTES as u64, "the newest state has it too");
    assert!(told()["newest_bytes"].as_u64().expect("bytes") >= BYTES as u64);
    fs::remove_file(pool.mount().join("file")).expect("it is there");
    keep(&pool, "second");
    let after = told();
    assert!(past(&after) >= BYTES as u64, "{after}");
    assert_eq!(after["volumes"][0]["snapshots"][0]["frees_bytes"], 0, "history has that state too");
    let said = pool.run(&["snapshot", "delete", "first", "--dry-run"]).succeeded();
    assert!(said.contains("would free 0 B") && said.contains("nothing was deleted"), "{said}");
    assert!(pool.run(&["snapshot", "list"]).succeeded().contains("main@first"));
    assert!(pool.run(&["space"]).succeeded().contains("history alone"));
}
