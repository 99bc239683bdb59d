//! Encrypted volumes, as a user has them: made, locked, unlocked, on a mount and on a drive.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::outcome::Outcome;
use crate::pool::Pool;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const MARKER: &str = "MARKERmarkerMARKER";

/// A file that only its user reads.
fn private(pool: &Pool, name: &str, content: &[u8]) -> String {
    let path = pool.home().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A pool with an encrypted volume `diary` that opens with the key file that is returned.
fn with_diary() -> (Pool, String) {
    let pool = Pool::up();
    let file = private(&pool, "diary.key", &[9; 64]);
    pool.run(&["volume", "create", "diary", "--encrypt", "--key-file", &file]).succeeded();
    (pool, file)
}

fn volume(pool: &Pool, name: &str) -> Value {
    let list: Value = serde_json::from_str(&pool.run(&["volume", "list", "--json"]).succeeded()).unwrap();
    list.as_array().unwrap().iter().find(|volume| volume["name"] == name).unwrap().clone()
}

fn mountpoint(pool: &Pool, name: &str) -> PathBuf {
    volume(pool, name)["mountpoint"].as_str().expect("it is mounted").into()
}

fn with_input(pool: &Pool, arguments: &[&str], input: &str) -> Outcome {
    let mut child =
        pool.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that needs no input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), output: text(output.stdout), errors: text(output.stderr) }
}

fn occurs_below(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => occurs_below(&path),
            Ok(metadata) if metadata.is_file() => {
                fs::read(&path).unwrap().windows(MARKER.len()).any(|window| window == MARKER.as_bytes())
            }
            _ => false,
        }
    })
}

#[test]
fn an_encrypted_volume_is_locked_after_a_restart_and_unlocked_by_its_key() {
    let (pool, file) = with_diary();
    let place = mountpoint(&pool, "diary");
    fs::create_dir(place.join(format!("folder {MARKER}"))).unwrap();
    fs::write(place.join(format!("folder {MARKER}/file")), MARKER.repeat(10_000)).unwrap();
    std::os::unix::fs::symlink(MARKER, place.join("link")).unwrap();
    pool.run(&["snapshot", "create", &format!("diary@{MARKER}")]).succeeded();
    pool.run(&["sync"]).succeeded();
    assert_eq!(volume(&pool, "diary")["encryption"], "unlocked");
    pool.run(&["down"]).succeeded();
    assert!(!occurs_below(pool.store()), "also not in the log of the node");

    let said = pool.run(&["up"]).succeeded();
    assert!(said.contains("diary is locked; `pantala volume unlock diary` opens it"), "{said}");
    assert!(said.contains("main is mounted"), "{said}");
    let listed = volume(&pool, "diary");
    assert_eq!((&listed["encryption"], &listed["mountpoint"]), (&"locked".into(), &Value::Null));
    assert_eq!(pool.status()["health"], "ok");
    assert!(pool.run(&["volume", "list"]).succeeded().contains("(locked)"));
    pool.run(&["clone", "diary@@now", "copy"]).failed_saying(&["cannot clone diary", "pantala volume unlock"]);

    let wrong = private(&pool, "wrong.key", &[8; 64]);
    pool.run(&["volume", "unlock", "diary", "--key-file", &wrong])
        .failed_saying(&["cannot unlock diary", "one key file"]);
    let said = pool.run(&["volume", "unlock", "diary", "--key-file", &file]).succeeded();
    assert!(said.contains("diary is unlocked and mounted at"), "{said}");
    let place = mountpoint(&pool, "diary");
    assert_eq!(fs::read_to_string(place.join(format!("folder {MARKER}/file"))).unwrap(), MARKER.repeat(10_000));
    assert!(place.join(format!(".snapshots/{MARKER}/link")).symlink_metadata().is_ok());
    assert!(pool.run(&["volume", "unlock", "diary", "--key-file", &file]).succeeded().contains("already"));

    let open = fs::File::open(place.join(format!("folder {MARKER}/file"))).unwrap();
    pool.run(&["volume", "lock", "diary"]).failed_saying(&["cannot lock diary", &std::process::id().to_string()]);
    drop(open);
    pool.run(&["volume", "lock", "diary"]).succeeded();
    assert!(!place.join("link").exists());
    pool.run(&["volume", "lock", "main"]).failed_saying(&["main is not encrypted"]);
    pool.run(&["volume", "rename", "diary", "journal"]).succeeded();
    pool.run(&["volume", "unlock", "journal", "--key-file", &file]).succeeded();
    assert!(mountpoint(&pool, "journal").join("link").symlink_metadata().is_ok());
}

#[test]
fn passphrases_and_recovery_keys_come_go_and_change() {
    let pool = Pool::up();
    let first = private(&pool, "first", b"correct horse battery\n");
    let create = ["volume", "create", "diary", "--encrypt", "--passphrase-file"];
    pool.run(&[&create[..], &[&private(&pool, "short", b"short\n")]].concat()).failed_saying(&["too short", "8"]);
    pool.run(&[&create[..], &[&first]].concat()).succeeded();
    let with_recovery = pool.run(&["volume", "key", "add", "diary", "--passphrase-file", &first, "--new-recovery-key"]);
    assert_eq!(with_recovery.code, Some(0), "{with_recovery:?}");
    let recovery = with_recovery.output.lines().next().unwrap().to_owned();
    let list = || -> Value {
        serde_json::from_str(&pool.run(&["volume", "key", "list", "diary", "--json"]).succeeded()).unwrap()
    };
    assert_eq!(list(), serde_json::json!([{"slot": 0, "kind": "passphrase"}, {"slot": 1, "kind": "recovery-key"}]));
    let second = private(&pool, "second", b"another horse");
    let change = ["volume", "key", "change", "diary", "--passphrase-file", &first, "--new-passphrase-file", &second];
    assert!(pool.run(&change).succeeded().contains("slot 2 of diary has taken the place of slot 0"));
    pool.run(&["volume", "lock", "diary"]).succeeded();
    pool.run(&["volume", "unlock", "diary", "--passphrase-file", &first])
        .failed_saying(&["the passphrase is not that of the volume"]);
    with_input(&pool, &["volume", "unlock", "diary", "--passphrase-file", "-"], &recovery.to_uppercase()).succeeded();
    pool.run(&["volume", "lock", "diary"]).succeeded();
    with_input(&pool, &["volume", "unlock", "diary", "--passphrase-file", "-"], "another horse\n").succeeded();
    pool.run(&["volume", "key", "remove", "diary", "1", "--passphrase-file", &second]).succeeded();
    pool.run(&["volume", "key", "remove", "diary", "2", "--passphrase-file", &second]).failed_saying(&["only way"]);
    pool.run(&["volume", "key", "remove", "diary", "7", "--passphrase-file", &second])
        .failed_saying(&["no key slot 7"]);
}

#[test]
fn bad_keys_and_files_are_told_apart_and_change_nothing() {
    let (pool, file) = with_diary();
    let create = ["volume", "create", "other", "--encrypt"];
    pool.run(&create).failed_saying(&["no terminal", "--passphrase-file"]);
    pool.run(&["volume", "create", "other", "--key-file", &file]).failed_saying(&["--encrypt"]);
    let short = private(&pool, "short.key", &[9; 31]);
    pool.run(&[&create[..], &["--key-file", &short]].concat()).failed_saying(&[
        "31 bytes",
        "too short",
        "/dev/urandom",
    ]);
    let long = private(&pool, "long.key", &[9; 70_000]);
    pool.run(&[&create[..], &["--key-file", &long]].concat()).failed_saying(&["too long"]);
    pool.run(&[&create[..], &["--key-file", "/nonexistent"]].concat()).failed_saying(&["/nonexistent", "No such file"]);
    pool.run(&["volume", "unlock", "main", "--key-file", &file]).failed_saying(&["main is not encrypted"]);
    pool.run(&["volume", "unlock", "nobody", "--key-file", &file]).failed_saying(&["no volume nobody"]);
    pool.run(&["volume", "lock", "diary"]).succeeded();
    let cut = private(&pool, "cut.key", &[9; 63]);
    pool.run(&["volume", "unlock", "diary", "--key-file", &cut])
        .failed_saying(&["the key file is not that of the volume"]);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let warned = pool.run(&["volume", "unlock", "diary", "--key-file", &file]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.errors.contains("others may read") && warned.errors.contains("chmod 600"), "{warned:?}");
    // What a process was told is seen by all who list processes: there is no such option.
    let refused = pool.run(&["volume", "unlock", "diary", "--passphrase", "secret"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let log = fs::read_to_string(pool.store().join("node.log")).unwrap();
    let key_in_hex = "09".repeat(8);
    assert!(!log.contains(&key_in_hex), "{log}");
}

#[test]
fn a_drive_without_the_key_keeps_a_volume_that_opens_there_with_the_key() {
    let (pool, file) = with_diary();
    let drive = pool.home().canonicalize().unwrap().join("drive");
    fs::create_dir(&drive).unwrap();
    let store = drive.join("pantala").to_str().unwrap().to_owned();
    fs::write(mountpoint(&pool, "diary").join("file"), MARKER.repeat(1000)).unwrap();
    pool.run(&["snapshot", "create", "diary@first"]).succeeded();
    pool.run(&["mirror", "add", "diary", &store]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    assert!(pool.run(&["mirror", "sync"]).succeeded().contains("already"));
    pool.run(&["mirror", "verify", "drive"]).succeeded();
    assert!(!occurs_below(&drive));

    let mount = pool.home().join("look");
    fs::create_dir(&mount).unwrap();
    let up = ["up", "--store", &store, "--mount", mount.to_str().unwrap()];
    let said = pool.run(&up).succeeded();
    assert!(said.contains("diary is locked"), "{said}");
    let list = pool.run(&["snapshot", "list", "diary", "--store", &store]).succeeded();
    assert!(list.contains('=') && !list.contains("first"), "{list}");
    pool.run(&["mirror", "promote", "diary", "--store", &store]).succeeded();
    pool.run(&["volume", "unlock", "diary", "--store", &store, "--key-file", &file]).succeeded();
    assert_eq!(fs::read_to_string(mount.join("file")).unwrap(), MARKER.repeat(1000));
    assert!(mount.join(".snapshots/first/file").exists());
    fs::write(mount.join("new"), "written there").unwrap();
    pool.run(&["down", "--store", &store]).succeeded();
}
