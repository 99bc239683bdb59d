//! Replicas in other stores: on a drive, of a node that is up, and on another machine.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use crate::outcome::Outcome;
use crate::pool::{Pool, eventually, is_root};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A directory as a drive would be mounted, in the pool's folder.
pub(crate) fn drive(pool: &Pool) -> String {
    let drive = pool.home().canonicalize().unwrap().join("drive");
    fs::create_dir(&drive).unwrap();
    drive.join("pantala").to_str().unwrap().to_owned()
}

pub(crate) fn fill(pool: &Pool, text: &str) {
    fs::create_dir_all(pool.mount().join("folder")).unwrap();
    fs::write(pool.mount().join("folder/file"), text).unwrap();
    fs::write(pool.mount().join("large"), text.repeat(100_000)).unwrap();
}

pub(crate) fn json(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeded()).expect("JSON")
}

/// What a pool at a store shows, mounted in a folder beside.
pub(crate) fn look(pool: &Pool, store: &str) -> (String, PathBuf) {
    let mount = pool.home().join("look");
    fs::create_dir_all(&mount).unwrap();
    pool.run(&["up", "--store", store, "--mount", mount.to_str().unwrap()]).succeeded();
    (fs::read_to_string(mount.join("folder/file")).unwrap(), mount)
}

pub(crate) fn take_down(pool: &Pool, store: &str) {
    pool.run(&["down", "--store", store]).succeeded();
}

#[test]
fn commands_wait_for_each_other_for_a_drive() {
    let pool = Pool::up();
    fill(&pool, "one");
    let drive = drive(&pool);
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    let begin = |arguments: &[&str]| pool.command(arguments).stdout(Stdio::null()).spawn().unwrap();
    let commands = [["mirror", "sync"], ["mirror", "sync"], ["mirror", "status"], ["mirror", "verify"]];
    for mut command in commands.map(|arguments| begin(&arguments)) {
        assert!(command.wait().unwrap().success());
    }
    // One that is not done soon is told of.
    let lock = fs::File::open(Path::new(&drive).join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot reach", "open in another process"]);
}

#[test]
fn several_drives_are_synced_at_once_and_one_that_is_away_keeps_none_from_it() {
    let pool = Pool::up();
    fill(&pool, "one");
    fs::write(pool.mount().join("stays"), "stays".repeat(50_000)).unwrap();
    let home = pool.home().canonicalize().unwrap();
    let names = ["attic", "broken", "cellar"];
    for name in names {
        let place = home.join(name).join("pantala");
        fs::create_dir(home.join(name)).unwrap();
        pool.run(&["mirror", "add", "main", place.to_str().unwrap()]).succeeded();
    }
    pool.run(&["mirror", "sync", "cellar"]).succeeded();
    fill(&pool, "two");
    pool.run(&["sync"]).succeeded();
    let foretold = json(pool.run(&["mirror", "sync", "--dry-run", "--json"]));
    fs::remove_dir_all(home.join("broken/pantala")).unwrap();
    let synced = pool.run(&["mirror", "sync", "--json"]);
    assert_eq!(synced.code, Some(1));
    assert!(synced.errors.contains("cannot sync broken") && synced.errors.contains("1 of 3 failed"), "{synced:?}");
    let synced: Value = serde_json::from_str(&synced.output).unwrap();
    let of = |reports: &Value, name: &str| {
        let report = reports.as_array().unwrap().iter().find(|report| report["mirror"] == name).unwrap();
        (report["blocks"].as_u64().unwrap(), report["bytes"].clone(), report["root"].clone())
    };
    let [attic, cellar] = ["attic", "cellar"].map(|name| of(&synced, name));
    assert_eq!((&attic, &cellar), (&of(&foretold, "attic"), &of(&foretold, "cellar")), "what was foretold is sent");
    assert!(attic.0 > cellar.0 && attic.2 == cellar.2, "each gets what it lacks: {attic:?}, {cellar:?}");
    let status = json(pool.run(&["mirror", "status", "--json"]));
    let states: Vec<_> = status.as_array().unwrap().iter().map(|mirror| mirror["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["in-step", "away", "in-step"]);
    pool.run(&["mirror", "verify", "attic", "cellar"]).succeeded();
}

#[test]
fn a_drive_at_hand_gives_what_it_has_of_another_mirrors_source() {
    let pool = Pool::up();
    fill(&pool, "one");
    fs::write(pool.mount().join("stays"), "stays".repeat(50_000)).unwrap();
    let drive = drive(&pool);
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    fill(&pool, "two");
    let other = pool.home().join("other");
    pool.run(&["mirror", "add", "main", other.to_str().unwrap(), "--name", "other"]).succeeded();
    let from = |name| ["mirror", "sync", "other", "--from", name];
    pool.run(&from("none")).failed_saying(&["there is no mirror none"]);
    pool.run(&from("other")).failed_saying(&["to be synced itself"]);
    let synced = &json(pool.run(&[&from("drive")[..], &["--json"]].concat()))[0];
    let [helped, bytes] = ["helped_bytes", "bytes"].map(|field| synced[field].as_u64().unwrap());
    assert!(helped > 0 && helped < bytes, "{synced}");
    pool.run(&["mirror", "verify", "other"]).succeeded();
    let look = pool.home().join("look");
    fs::create_dir(&look).unwrap();
    pool.run(&["up", "--store", &drive, "--mount", look.to_str().unwrap()]).succeeded();
    pool.run(&from("drive")).failed_saying(&["which no node has", "drive"]);
    take_down(&pool, &drive);
}

#[test]
fn a_drive_is_added_synced_read_promoted_and_followed() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    fs::write(pool.mount().join("before"), "before").unwrap();
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    assert_eq!(json(pool.run(&["mirror", "list", "--json"]))["drive"]["place"], drive);
    let first = &json(pool.run(&["mirror", "sync", "--json"]))[0];
    assert!(first["blocks"].as_u64().unwrap() > 3 && first["safe_to_unplug"] == true);
    assert!(pool.run(&["mirror", "sync"]).succeeded().ends_with("already; safe to unplug\n"));
    let status = &json(pool.run(&["mirror", "status", "--json"]))[0];
    assert_eq!((&status["state"], &status["root"]), (&"in-step".into(), &first["root"]));

    fill(&pool, "two");
    pool.run(&["sync"]).succeeded();
    assert_eq!(json(pool.run(&["mirror", "status", "--json"]))[0]["state"], "behind");
    fs::rename(pool.mount().join("before"), pool.mount().join("folder/after")).unwrap();
    fs::write(pool.mount().join("other"), "two").unwrap();
    pool.run(&["sync"]).succeeded();
    let dry = &json(pool.run(&["mirror", "sync", "drive", "--dry-run", "--json"]))[0];
    let said = pool.run(&["mirror", "sync", "drive", "--dry-run"]).succeeded();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].contains("would be sent"), "{said}");
    assert_eq!(dry["changes"].as_array().unwrap().len(), lines.len() - 1);
    assert!(lines.contains(&"added other") && lines.contains(&"renamed before -> folder/after"), "{said}");
    pool.run(&["down"]).succeeded();
    let second = &json(pool.run(&["mirror", "sync", "drive", "--json"]))[0];
    assert_eq!((&dry["blocks"], &dry["bytes"]), (&second["blocks"], &second["bytes"]), "what was foretold is sent");

    let (content, mount) = look(&pool, &drive);
    assert_eq!(content, "two");
    let refused = fs::write(mount.join("new"), "x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    pool.run(&["mirror", "promote", "main", "--store", &drive]).succeeded();
    fs::write(mount.join("folder/file"), "three").unwrap();

    pool.run(&["mirror", "sync", "drive"]).failed_saying(&["writable", "--replace"]);
    pool.run(&["mirror", "remove", "drive"]).succeeded();
    let back = ["mirror", "add", "main", &drive, "--pull"];
    pool.run(&back).failed_saying(&["writable", "--replace"]);
    pool.run(&[&back[..], &["--replace"]].concat()).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    take_down(&pool, &drive);
    pool.run(&["up"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("folder/file")).unwrap(), b"three");
}

#[test]
fn what_a_drive_keeps_of_the_past_is_set_from_the_side_of_its_source() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    let set = |retention: &str| pool.run(&["mirror", "set", "drive", "--retention", retention]);
    assert!(set("30d:1d").succeeded().contains("drive keeps 30d:1d of the past"));
    let kept =
        || json(pool.run(&["volume", "show", "main", "--store", &drive, "--json"]))["settings"]["retention"].clone();
    look(&pool, &drive);
    assert_eq!(kept(), "30d:1d");
    set("forever:1w").succeeded();
    assert_eq!(kept(), "forever:1w", "its node is asked while it is up");
    take_down(&pool, &drive);
    set("often").failed_saying(&["cannot set what drive keeps", "retention"]);
    assert_ne!(json(pool.run(&["volume", "show", "main", "--json"]))["settings"]["retention"], "forever:1w");
}

#[test]
fn an_object_store_is_added_synced_verified_and_restored_from() {
    let pool = Pool::up();
    let home = pool.home().canonicalize().unwrap();
    let url = format!("file://{}/objects", home.display());
    fill(&pool, "one");
    pool.run(&["mirror", "sync"]).failed_saying(&["no mirrors"]);
    pool.run(&["mirror", "add", "main", &url, "--name", "cloud"]).succeeded();
    let first = &json(pool.run(&["mirror", "sync", "--json"]))[0];
    assert!(first["blocks"].as_u64().unwrap() > 3);
    fill(&pool, "two");
    let second = &json(pool.run(&["mirror", "sync", "--json"]))[0];
    let status = &json(pool.run(&["mirror", "status", "--json"]))[0];
    assert_eq!((&status["state"], &status["root"]), (&"in-step".into(), &second["root"]));
    assert!(pool.run(&["mirror", "verify", "cloud"]).succeeded().contains("all is there"));
    let set = json(pool.run(&["mirror", "set", "cloud", "--retention", "30d:1d", "--json"]));
    assert_eq!(set["retention"], "30d:1d");
    let refused = pool.run(&["mirror", "set", "cloud", "--retention", "often"]);
    refused.failed_saying(&["cannot set what cloud keeps", "is no retention"]);

    let restored = home.join("restored").to_str().unwrap().to_owned();
    let add = ["mirror", "add", "main", &url, "--pull", "--name", "cloud", "--store", &restored];
    pool.run(&add).succeeded();
    pool.run(&["mirror", "sync", "--store", &restored]).succeeded();
    let listed = json(pool.run(&["mirror", "status", "--store", &restored, "--json"]));
    assert_eq!(listed[0]["root"], second["root"]);

    fs::rename(home.join("objects"), home.join("elsewhere")).unwrap();
    pool.run(&["mirror", "sync"]).failed_saying(&["no such directory"]);
}

#[test]
fn a_pool_that_is_up_read_only_is_not_changed() {
    let pool = Pool::up();
    fill(&pool, "one");
    pool.run(&["down"]).succeeded();
    pool.run(&["up", "--read-only"]).succeeded();
    assert_eq!(fs::read(pool.mount().join("folder/file")).unwrap(), b"one");
    let refused = fs::write(pool.mount().join("new"), "x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    pool.run(&["down"]).succeeded();
    pool.run(&["up"]).succeeded();
    fs::write(pool.mount().join("new"), "x").unwrap();
}

#[test]
fn nodes_that_are_up_on_both_sides_stay_up() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    let (content, mount) = look(&pool, &drive);
    assert_eq!(content, "one");
    fill(&pool, "two");
    let report = &json(pool.run(&["mirror", "sync", "--json"]))[0];
    assert_eq!(report["safe_to_unplug"], false, "a node has it open");
    let read = || fs::read_to_string(mount.join("folder/file")).unwrap();
    eventually("the mount shows the new state", || read() == "two");
    assert!(pool.is_up());
    take_down(&pool, &drive);
}

/// Changes a byte in the middle of what was written to a store.
fn damage(store: &Path) {
    let mut segments: Vec<_> =
        fs::read_dir(store.join("segments")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let mut bytes = fs::read(&segments[0]).unwrap();
    bytes[6000] ^= 1;
    fs::write(&segments[0], bytes).unwrap();
}

#[test]
fn a_damaged_replica_is_healed_from_its_source() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    let noise: Vec<u8> = (0..100_000).flat_map(noise).collect();
    fs::write(pool.mount().join("noise"), &noise).unwrap();
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    assert!(pool.run(&["mirror", "verify", "drive"]).succeeded().contains("all is there"));
    damage(Path::new(&drive));
    let reports = json(pool.run(&["mirror", "verify", "--json"]));
    let verified = &reports[0];
    assert_eq!(verified["replica"]["healed"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&verified["source"]["healed"], &verified["replica"]["lost"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let (_, mount) = look(&pool, &drive);
    assert!(fs::read(mount.join("noise")).unwrap() == noise);
    take_down(&pool, &drive);
}

/// Damages the header of the frame that holds some content.
fn damage_header(store: &Path, content: &[u8]) {
    for entry in fs::read_dir(store.join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(found) = bytes.windows(content.len()).position(|window| window == content) {
            bytes[found - 60] ^= 1;
            return fs::write(&path, bytes).unwrap();
        }
    }
    panic!("the content is in no segment");
}

#[test]
fn what_a_repair_of_the_log_had_to_leave_out_comes_back_from_a_mirror() {
    let pool = Pool::up();
    let drive = drive(&pool);
    fill(&pool, "one");
    let noise: Vec<u8> = (0..100_000).flat_map(noise).collect();
    let file = pool.mount().join("noise");
    fs::write(&file, &noise).unwrap();
    pool.run(&["mirror", "add", "main", &drive]).succeeded();
    pool.run(&["mirror", "sync"]).succeeded();
    pool.run(&["down"]).succeeded();
    damage_header(pool.store(), &noise[..64]);
    fs::remove_dir_all(pool.store().join("index")).unwrap();
    pool.run(&["store", "repair", "--yes"]).succeeded();
    assert_eq!(pool.run(&["up"]).code, Some(0));
    assert_eq!(fs::read(&file).unwrap_err().raw_os_error(), Some(libc::EIO));
    let verified = &json(pool.run(&["mirror", "verify", "--json"]))[0];
    assert_eq!(verified["source"]["healed"].as_array().map(Vec::len), Some(1), "{verified}");
    assert!(fs::read(&file).unwrap() == noise);
    pool.run(&["scrub"]).succeeded();
    assert_eq!(pool.status()["health"], "ok");
}

/// What `PANTALA_SSH` may name: runs the command here that it is to run over there.
fn pretended_ssh(pool: &Pool) -> PathBuf {
    let script = pool.home().join("ssh");
    let binaries = Path::new(env!("CARGO_BIN_EXE_pantala")).parent().unwrap();
    let text = format!(
        "#!/bin/sh\nfor last; do :; done\nPATH={}:$PATH\nexport PATH\nexec sh -c \"$last\"\n",
        binaries.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    script
}

#[test]
fn another_machine_is_pushed_to_and_pulled_from() {
    let pool = Pool::up();
    let ssh = pretended_ssh(&pool);
    let run = |arguments: &[&str]| Outcome::of(pool.command(arguments).env("PANTALA_SSH", &ssh));
    let place = format!("ssh://attic{}it's there", drive(&pool).strip_suffix("pantala").unwrap());
    fill(&pool, "one");
    run(&["mirror", "add", "main", &place]).succeeded();
    let pushed = &json(run(&["mirror", "sync", "attic", "--json"]))[0];
    assert!(pushed["blocks"].as_u64().unwrap() > 3);
    assert_eq!(json(run(&["mirror", "status", "--json"]))[0]["state"], "in-step");

    let other = pool.home().join("other");
    let other = other.to_str().unwrap();
    let source = format!("ssh://me@home:22{}", pool.store().display());
    run(&["up", "--store", other, "--mount", pool.home().join("look").to_str().unwrap()]).failed_saying(&["not there"]);
    fs::create_dir(other).unwrap();
    run(&["mirror", "add", "main", &source, "--pull", "--store", other]).succeeded();
    let pulled = &json(run(&["mirror", "sync", "home", "--json", "--store", other]))[0];
    assert_eq!(pulled["root"], pushed["root"]);
    assert_eq!(look(&pool, other).0, "one");
    take_down(&pool, other);
}

/// An `sshd` on this machine that lets root in with a key, and what `PANTALA_SSH` has to be for it.
struct Sshd {
    process: Child,
    ssh: String,
    port: u16,
}

impl Sshd {
    fn start(pool: &Pool) -> Self {
        let folder = pool.home();
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &file(key)]).status();
            assert!(made.unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let binaries = Path::new(env!("CARGO_BIN_EXE_pantala")).parent().unwrap().display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nSetEnv PATH={binaries}:/usr/bin:/bin\n",
            file("host"),
            file("user.pub"),
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        // Debian's service makes it.
        fs::create_dir_all("/run/sshd").unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", &file("sshd_config")]).stderr(Stdio::null());
        let process = sshd.spawn().expect("sshd: `cargo xtask test` installs it");
        eventually("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes";
        Self { process, ssh: format!("ssh -i {} {options}", file("user")), port }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_sshd_carries_syncs_in_both_directions() {
    if !is_root() {
        return;
    }
    let pool = Pool::up();
    let sshd = Sshd::start(&pool);
    let run = |arguments: &[&str]| Outcome::of(pool.command(arguments).env("PANTALA_SSH", &sshd.ssh));
    let place = format!("ssh://root@127.0.0.1:{}{}", sshd.port, drive(&pool));
    fill(&pool, "one");
    run(&["mirror", "add", "main", &place, "--name", "attic"]).succeeded();
    let pushed = &json(run(&["mirror", "sync", "attic", "--json"]))[0];
    assert!(pushed["blocks"].as_u64().unwrap() > 3);
    fill(&pool, "two");
    run(&["mirror", "sync", "attic"]).succeeded();
    assert!(run(&["mirror", "verify", "attic"]).succeeded().contains("all is there"));

    let other = pool.home().join("other");
    fs::create_dir(&other).unwrap();
    let other = other.to_str().unwrap();
    run(&["mirror", "add", "main", &place, "--pull", "--store", other, "--name", "chain"]).succeeded();
    run(&["mirror", "sync", "--store", other]).succeeded();
    assert_eq!(look(&pool, other).0, "two", "from a replica to a replica");
    take_down(&pool, other);
}

#[test]
fn another_machine_that_has_no_pantala_is_told_apart() {
    let pool = Pool::up();
    let refused = Outcome::of(pool.command(&["mirror", "add", "main", "ssh://attic/srv"]).env("PANTALA_SSH", "false"));
    refused.failed_saying(&["cannot reach ssh://attic/srv", "try `ssh attic pantala --version`"]);
}

#[test]
fn what_cannot_be_synced_says_why_and_changes_nothing() {
    let pool = Pool::up();
    let drive = drive(&pool);
    let add = |arguments: &[&str]| pool.run(&[&["mirror", "add"], arguments].concat());
    pool.run(&["mirror", "sync"]).failed_saying(&["no mirrors", "mirror add"]);
    add(&["other", &drive]).failed_saying(&["no volume other"]);
    add(&["main", "ftp://attic/srv"]).failed_saying(&["ssh://"]);
    add(&["main", pool.store().to_str().unwrap()]).failed_saying(&["this store itself"]);
    let documents = pool.home().join("documents");
    fs::create_dir(&documents).unwrap();
    fs::write(documents.join("letter"), "dear").unwrap();
    add(&["main", documents.to_str().unwrap()]).failed_saying(&["not a Pantala store"]);
    assert_eq!(fs::read_dir(&documents).unwrap().count(), 1);
    assert_eq!(json(pool.run(&["mirror", "list", "--json"])), serde_json::json!({}));

    add(&["main", &drive]).succeeded();
    add(&["main", &drive]).failed_saying(&["a mirror drive already"]);
    pool.run(&["mirror", "sync", "attic"]).failed_saying(&["no mirror attic", "there is drive"]);
    let usage = pool.run(&["mirror", "sync", "--limit-rate", "fast"]);
    assert!(usage.code == Some(2) && usage.errors.contains("as in 50M"), "{usage:?}");

    // Another drive at the same place.
    fs::rename(&drive, format!("{drive}-old")).unwrap();
    pool.run(&["mirror", "sync"]).failed_saying(&["cannot sync drive", "not there"]);
    assert_eq!(json(pool.run(&["mirror", "status", "--json"]))[0]["state"], "away");
    let other = pool.home().join("other-mount");
    fs::create_dir(&other).unwrap();
    pool.run(&["up", "--store", &drive, "--mount", other.to_str().unwrap()]).succeeded();
    pool.run(&["mirror", "sync"]).failed_saying(&["no replica of main", "another drive"]);
    take_down(&pool, &drive);
}

/// Eight bytes that do not compress.
pub(crate) fn noise(number: u64) -> [u8; 8] {
    let mixed = (number ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes()
}
