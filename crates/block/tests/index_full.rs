//! The index on a real disk that is full for a while: it follows the log again when there is space, without being opened by its user.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{FjallIndex, Index, IndexUpdate, Location, Name, Position, StoreId, Totals};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Tells the process that the test makes of itself where its disk is.
const DISK: &str = "INDEX_TEST_DISK";
/// The disk has so much space, as tmpfs takes it.
const SPACE: &str = "size=8m";
const ENTRIES: u64 = 2000;
const TIME_MAX: Duration = Duration::from_secs(20);

#[test]
fn an_index_whose_disk_was_full_takes_changes_again_and_has_what_was_durable() {
    if let Some(disk) = std::env::var_os(DISK) {
        return fill_and_go_on(Path::new(&disk));
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o {SPACE} none \"${DISK}\" && exec \"$0\" --exact \"$1\" --nocapture");
    // Who is not root may mount in a user namespace of its own.
    let is_root = rustix::process::geteuid().is_root();
    let mut child = Command::new("unshare");
    child.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] }).args(["sh", "-c", &script]);
    child.arg(std::env::current_exe().unwrap()).arg(std::thread::current().name().unwrap());
    let output = child.env(DISK, folder.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

fn name(number: u64) -> Name {
    block::Block::data(number.to_le_bytes().to_vec().into()).name()
}

/// Entries that end at a place in the log.
fn update(numbers: std::ops::Range<u64>) -> IndexUpdate {
    let location = |number| Location {
        position: Position::new(1, number as u32 * 64),
        payload_bytes: 8,
        data_bytes: 8,
        has_links: false,
    };
    let watermark = Position::new(1, numbers.end as u32 * 64);
    let totals = Totals { blocks: numbers.end, ..Totals::default() };
    let entries = numbers.map(|number| (name(number), location(number))).collect();
    IndexUpdate { entries, watermark, totals, roots: vec![(0, watermark)], ..IndexUpdate::default() }
}

fn fill_and_go_on(disk: &Path) {
    let index = FjallIndex::open(&disk.join("index")).unwrap();
    index.reset(StoreId::from_bytes([3; StoreId::BYTES])).unwrap();
    index.apply(&update(0..ENTRIES)).unwrap();

    let mut ballast = File::create(disk.join("ballast")).unwrap();
    while ballast.write(&[1; 4096]).is_ok_and(|written| written > 0) {}
    // The journal may have some space of its own.
    let note = |number: u64| [(number.to_le_bytes().to_vec(), Some(vec![number as u8; 200]))];
    let failed = (0..100_000).find(|number| index.write_notes(&note(*number)).is_err()).expect("the disk is full");
    for _ in 0..3 {
        assert!(index.apply(&update(ENTRIES..ENTRIES + 1)).is_err());
        assert!(index.write_notes(&note(failed)).is_err());
    }
    assert_eq!(index.state().unwrap().unwrap().totals.blocks, ENTRIES);
    assert!(index.get(&name(1)).unwrap().is_some(), "what it has can be read meanwhile");
    assert_eq!(index.generation(), 0);

    drop(ballast);
    std::fs::remove_file(disk.join("ballast")).unwrap();
    let began = Instant::now();
    while let Err(error) = index.apply(&update(ENTRIES..2 * ENTRIES)) {
        assert!(began.elapsed() < TIME_MAX, "{error}");
        // It is not tried again at once.
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(index.generation(), 1, "fjall goes on by itself now: see whether it is still to be opened anew");
    index.write_notes(&note(failed)).unwrap();
    assert_eq!(index.state().unwrap().unwrap().watermark, Position::new(1, 2 * ENTRIES as u32 * 64));
    assert!((0..2 * ENTRIES).all(|number| index.get(&name(number)).unwrap().is_some()));
    drop(index);
    let index = FjallIndex::open(&disk.join("index")).unwrap();
    assert!((0..2 * ENTRIES).all(|number| index.get(&name(number)).unwrap().is_some()));
    assert!(index.note(&failed.to_le_bytes()).unwrap().is_some());
}
