//! Deliberate breaks: each must make the crash test fail, or the crash test proves nothing.

use crate::crash::Tally;
use crate::random::Run;
use sim::SimDisk;

/// Seeds tried until one shows the break.
const SEEDS: u64 = 20;

/// How far a disk is in its syncs when the pool is made and something has been done with it.
const SYNCS_BEFORE: u64 = 9;

fn expect_noticed(what: &str, breaks: fn(&SimDisk)) {
    let run = |seed| Run::new(seed, &SimDisk::new()).with_break(breaks).crash_everywhere(&Tally::default()).err();
    let failure = (0..SEEDS).find_map(run).unwrap_or_else(|| panic!("{what} went unnoticed"));
    println!("{what}: {}", failure.lines().next().unwrap_or_default());
}

#[test]
fn a_disk_that_ignores_syncs_is_noticed() {
    expect_noticed("ignoring syncs", SimDisk::ignore_syncs);
}

#[test]
fn one_skipped_fdatasync_is_noticed() {
    expect_noticed("one skipped fdatasync", |disk| disk.skip_sync(SYNCS_BEFORE));
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
