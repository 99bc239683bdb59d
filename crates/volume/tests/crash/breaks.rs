//! Deliberate breaks: each must make the crash test fail, or the crash test proves nothing.

use crate::crash::Tally;
use crate::random::Run;
use sim::SimDisk;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seeds tried until one shows the break.
const SEEDS: u64 = 20;

/// How far a disk is in its syncs when the pool is made and something has been done with it.
const SYNCS_BEFORE: u64 = 9;

/// What a run fails with, whether it says so or panics.
fn failure(run: Run) -> Option<String> {
    let crashed = catch_unwind(AssertUnwindSafe(|| run.crash_everywhere(&Tally::default())));
    crashed.unwrap_or_else(|_| Err("a check panicked".to_owned())).err()
}

fn expect_noticed(what: &str, breaks: fn(&SimDisk)) {
    let run = |seed| failure(Run::new(seed, &SimDisk::new()).with_break(breaks));
    let failure = (0..SEEDS).find_map(run).unwrap_or_else(|| panic!("{what} went unnoticed"));
    println!("{what}: {}", failure.lines().next().unwrap_or_default());
}

#[test]
fn a_disk_that_ignores_syncs_is_noticed() {
    expect_noticed("ignoring syncs", SimDisk::ignore_syncs);
}

#[test]
fn one_skipped_fdatasync_is_noticed() {
    let skipped = |number: u64| {
        failure(Run::new(number, &SimDisk::new()).with_break(move |disk| disk.skip_sync(SYNCS_BEFORE + number)))
    };
    let failure = (0..SEEDS).find_map(skipped).expect("one skipped fdatasync went unnoticed");
    println!("one skipped fdatasync: {}", failure.lines().next().unwrap_or_default());
}

/// The last write before a sync is the root record, those before it are its nodes.
#[test]
fn a_root_that_reaches_the_disk_before_its_nodes_is_noticed() {
    expect_noticed("a root before its nodes", SimDisk::reverse_syncs);
}

#[test]
fn a_skipped_sync_of_names_is_noticed() {
    let disk = SimDisk::new();
    disk.ignore_folder_syncs();
    Run::new(0, &disk).crash_everywhere(&Tally::default()).expect_err("ignoring syncs of folders went unnoticed");
}
