//! `pantala scrub`: what is damaged is found, named and told by the exit code.

use crate::pool::{Pool, eventually};
use serde_json::Value;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Stdio;

/// Bytes that no compression makes shorter.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Flips a byte of a file's content where it lies in the store.
fn damage(pool: &Pool, content: &[u8]) {
    let flip = |path: PathBuf| -> io::Result<bool> {
        let bytes = fs::read(&path)?;
        let place = bytes.windows(64).position(|window| window == &content[..64]);
        let Some(place) = place else { return Ok(false) };
        File::options().write(true).open(&path)?.write_all_at(&[content[10] ^ 1], place as u64 + 10).map(|()| true)
    };
    let segments = fs::read_dir(pool.store().join("segments")).expect("the segments");
    let flipped = segments.flatten().any(|entry| flip(entry.path()).expect("a segment"));
    assert!(flipped, "the content is in no segment");
}

fn scrub_status(pool: &Pool) -> Value {
    let outcome = pool.run(&["scrub", "--status", "--json"]);
    serde_json::from_str(&outcome.output).expect("JSON")
}

#[test]
fn a_sound_pool_is_clean_up_or_down() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), noise(1, 300_000)).unwrap();
    let said = pool.run(&["scrub"]).succeeded();
    assert!(said.starts_with("nothing is damaged: ") && said.contains("the next one begins in 30d"), "{said}");
    assert!(pool.run(&["status"]).succeeded().contains("nothing is damaged"));
    assert_eq!(pool.status()["scrub"]["state"], "idle");
    pool.run(&["down"]).succeeded();
    let status: Value = serde_json::from_str(&pool.run(&["scrub", "--json"]).succeeded()).unwrap();
    assert_eq!(status["last"]["findings"], Value::Array(Vec::new()));
    assert!(status["last"]["bytes"].as_u64().unwrap() > 300_000);
}

#[test]
fn damage_is_named_with_its_file_and_heals_when_the_file_is_written_again() {
    let pool = Pool::up();
    fs::create_dir(pool.mount().join("folder")).unwrap();
    let (lost, sound) = (pool.mount().join("folder/lost"), pool.mount().join("sound"));
    fs::write(&lost, noise(2, 100_000)).unwrap();
    fs::write(&sound, noise(3, 100_000)).unwrap();
    pool.run(&["down"]).succeeded();
    damage(&pool, &noise(2, 100_000));
    let outcome = pool.run(&["scrub"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    assert!(
        outcome.output.contains("1 thing is damaged") && outcome.output.contains("main:/folder/lost"),
        "{outcome:?}"
    );
    let up = pool.run(&["up"]);
    assert!(up.code == Some(0) && up.errors.contains("main:/folder/lost"), "{up:?}");
    assert_eq!(pool.status()["health"], "degraded", "what was found is known after a restart");
    let outcome = pool.run(&["scrub", "--json"]);
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    let status: Value = serde_json::from_str(&outcome.output).unwrap();
    assert_eq!(status["last"]["findings"][0]["users"][0]["file"], "/folder/lost");
    assert_eq!(fs::read(&lost).unwrap_err().raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    assert_eq!(fs::read(&sound).unwrap(), noise(3, 100_000));
    let problems = pool.status()["problems"].to_string();
    assert!(problems.contains("main:/folder/lost"), "{problems}");
    fs::write(&lost, noise(2, 100_000)).unwrap();
    pool.run(&["sync"]).succeeded();
    assert_eq!(pool.status()["health"], "ok", "{}", pool.status());
    pool.run(&["scrub"]).succeeded();
    assert_eq!(fs::read(&lost).unwrap(), noise(2, 100_000));
}

#[test]
fn a_scrub_waits_goes_on_after_a_restart_and_can_be_given_up() {
    let pool = Pool::up();
    fs::write(pool.mount().join("file"), noise(4, 3_000_000)).unwrap();
    pool.run(&["sync"]).succeeded();
    let slow = ["scrub", "--limit-rate", "200K"];
    let mut scrub = pool.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it reads", || scrub_status(&pool)["bytes_done"].as_u64() > Some(0));
    let limit = &pool.status()["scrub"]["limit_rate"];
    assert_eq!(limit.as_u64(), Some(200 << 10));
    pool.run(&["scrub", "--pause"]).succeeded();
    assert_eq!(scrub.wait().unwrap().code(), Some(1), "who waits for its end is told that there will be none");
    let done = scrub_status(&pool)["bytes_done"].as_u64().unwrap();
    assert!(done < 3_000_000);
    pool.run(&["down"]).succeeded();
    pool.run(&["up"]).succeeded();
    let status = scrub_status(&pool);
    assert_eq!((status["state"].as_str(), status["bytes_done"].as_u64()), (Some("paused"), Some(done)));
    pool.run(&["scrub", "--resume", "--limit-rate", "1M"]).succeeded();
    eventually("it goes on", || scrub_status(&pool)["bytes_done"].as_u64() > Some(done));
    pool.run(&["scrub", "--cancel"]).succeeded();
    assert_eq!(scrub_status(&pool)["state"], "idle");
    pool.run(&["scrub", "--cancel"]).failed_saying(&["no scrub is under way"]);
    pool.run(&["scrub"]).succeeded();
}

#[test]
fn a_scrub_begins_by_itself_when_it_is_time_and_makes_up_for_what_it_missed() {
    let pool = Pool::up();
    pool.run(&["scrub", "--every", "never"]).succeeded();
    assert_eq!(scrub_status(&pool)["next"], Value::Null);
    pool.run(&["down"]).succeeded();
    pool.run(&["scrub", "--every", "1s"]).succeeded();
    pool.run(&["up"]).succeeded();
    eventually("it scrubs", || !scrub_status(&pool)["last"].is_null());
    let refused = pool.run(&["scrub", "--every", "soon"]);
    assert!(refused.code == Some(2) && refused.errors.contains("30d"), "{refused:?}");
}
