//! What is damaged is found and named, with the files and snapshots that use it; what is not damaged stays readable.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "model/place.rs"]
#[allow(dead_code, reason = "other tests use all of it")]
mod place;

use block::{Disk, Index, MemoryIndex, Name};
use place::{OWNER, main_volume, open_pool_with};
use sim::{Random, SimDisk};
use std::sync::Arc;
use volume::{Finding, Inode, NewInode, Pool, Privileges, Scrub, ScrubPoint, ScrubStage, Volume};

const FILE_BYTES: usize = 60_000;

/// A pool with a few files in it.
struct Filled {
    disk: SimDisk,
    index: MemoryIndex,
    pool: Pool,
}

fn make(volume: &Volume, directory: Inode, name: &str, new: NewInode<'_>) -> Inode {
    volume.make(directory, name.as_bytes(), new, 0o600, OWNER).unwrap().0
}

fn content(seed: u64) -> Vec<u8> {
    Random::new(seed).bytes(FILE_BYTES)
}

fn write(volume: &Volume, file: Inode, seed: u64) {
    volume.write(file, 0, &content(seed), Privileges::Keep).unwrap();
}

/// `/one`, `/folder/two`, and a snapshot `before` in which `/one` was another one.
fn filled() -> Filled {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let pool = open_pool_with(&disk, index.clone(), true, &Arc::default()).unwrap();
    pool.set_volume("main", &[("retention".into(), "none".into())]).unwrap();
    let volume = main_volume(&pool);
    let one = make(&volume, Inode::ROOT, "one", NewInode::File);
    let folder = make(&volume, Inode::ROOT, "folder", NewInode::Directory);
    let two = make(&volume, folder, "two", NewInode::File);
    write(&volume, one, 1);
    write(&volume, two, 2);
    volume.create_snapshot("before", false).unwrap();
    write(&volume, one, 3);
    pool.checkpoint().unwrap();
    Filled { disk, index, pool }
}

impl Filled {
    /// Opens the pool anew, so that nothing is in memory.
    fn open_again(self) -> Self {
        let Self { disk, index, pool } = self;
        drop(pool);
        let pool = open_pool_with(&disk, index.clone(), false, &Arc::default()).unwrap();
        Self { disk, index, pool }
    }

    /// Flips a byte of a block's payload.
    fn damage(&self, name: &Name) {
        let position = self.index.get(name).unwrap().unwrap().position;
        self.disk.flip(&segment(position.segment()), position.offset() as u64 + 64 + 3, 1);
    }

    fn scrub(&self, step_bytes: u64) -> Vec<Finding> {
        let mut scrub = Scrub::new(ScrubPoint::default());
        while scrub.progress().stage != ScrubStage::Done {
            scrub.step(&self.pool, step_bytes).unwrap();
            // It can be gone on with from where it is, at any time.
            if scrub.progress().stage == ScrubStage::Reading {
                scrub = Scrub::new(scrub.point().clone());
            }
        }
        let progress = scrub.progress();
        assert_eq!(progress.bytes_done, progress.bytes_total);
        scrub.findings().to_vec()
    }

    fn read(&self, path: &[&str]) -> volume::Result<Vec<u8>> {
        let volume = main_volume(&self.pool);
        let find = |directory, name: &&str| volume.lookup(directory, name.as_bytes()).map(|(inode, _)| inode);
        let file = path.iter().try_fold(Inode::ROOT, find)?;
        let mut bytes = vec![0; FILE_BYTES];
        volume.read(file, 0, &mut bytes)?;
        Ok(bytes)
    }
}

fn segment(number: u32) -> String {
    format!("segments/{number:010}.segment")
}

/// The block with the content of a file.
fn block_of(seed: u64) -> block::Block {
    block::Block::data(content(seed).into())
}

fn users(findings: &[Finding]) -> Vec<String> {
    findings.iter().flat_map(|finding| &finding.users).map(ToString::to_string).collect()
}

#[test]
fn a_sound_pool_has_no_findings() {
    let filled = filled();
    assert_eq!(filled.scrub(1000), []);
    assert_eq!(filled.open_again().scrub(u64::MAX), []);
}

#[test]
fn a_damaged_data_block_is_named_with_its_file_and_snapshot_and_heals_when_it_is_written_again() {
    let filled = filled().open_again();
    filled.damage(&block_of(2).name());
    let findings = filled.scrub(1000);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].block, Some(block_of(2).name()));
    assert_eq!(users(&findings), ["main:/folder/two", "main in before:/folder/two"]);
    assert_eq!(filled.read(&["folder", "two"]).unwrap_err().errno(), libc_eio());
    assert_eq!(filled.read(&["one"]).unwrap(), content(3));
    assert_eq!(filled.pool.store().damaged().len(), 1);

    filled.damage(&block_of(1).name());
    assert_eq!(filled.scrub(1000).len(), 2);
    block::Blocks::put(&**filled.pool.store(), &block_of(2)).unwrap();
    assert_eq!(filled.read(&["folder", "two"]).unwrap(), content(2));
    assert_eq!(users(&filled.scrub(1000)), ["main in before:/one"]);
}

fn libc_eio() -> i32 {
    volume::Error::Damaged { inode: 0, what: "" }.errno()
}

#[test]
fn damage_of_what_nothing_needs_is_no_finding() {
    let filled = filled().open_again();
    let volume = main_volume(&filled.pool);
    volume.delete_snapshot("before").unwrap();
    // The history of it goes with the next checkpoints that change something.
    for seed in 4..8 {
        write(&volume, volume.lookup(Inode::ROOT, b"one").unwrap().0, seed);
        volume.checkpoint().unwrap();
    }
    drop(volume);
    filled.damage(&block_of(1).name());
    assert_eq!(filled.scrub(u64::MAX), []);
}

#[test]
fn a_damaged_node_is_named_with_the_files_in_it() {
    let filled = filled().open_again();
    let root = main_volume(&filled.pool).status().root.unwrap();
    filled.damage(&root);
    let findings = filled.scrub(1000);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].block, Some(root));
    let named = ["some of what the inodes from 0 on hold", "/one", "/folder", "/folder/two"];
    let users = users(&findings);
    assert!(named.iter().all(|name| users.contains(&format!("main:{name}"))), "{users:?}");
}

#[test]
fn a_damaged_root_record_is_made_anew() {
    let filled = filled().open_again();
    let root = filled.pool.store().latest_root_position(1).unwrap();
    filled.disk.flip(&segment(root.segment()), root.offset() as u64 + 64, 1);
    let findings = filled.scrub(1000);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].is_healed && findings[0].what.starts_with("the root record at "), "{findings:?}");
    assert_eq!(filled.scrub(1000), []);
    let filled = filled.open_again();
    assert_eq!(filled.read(&["one"]).unwrap(), content(3));
}

#[test]
fn a_missing_segment_is_named_by_what_lay_in_it() {
    let filled = filled();
    let volume = main_volume(&filled.pool);
    (10..20).for_each(|seed| write(&volume, make(&volume, Inode::ROOT, &format!("file{seed}"), NewInode::File), seed));
    filled.pool.checkpoint().unwrap();
    drop(volume);
    let place_of = |seed| filled.index.get(&block_of(seed).name()).unwrap().unwrap().position.segment();
    let number = place_of(15);
    let lost: Vec<_> =
        (10..20).filter(|seed| place_of(*seed) == number).map(|seed| format!("main:/file{seed}")).collect();
    assert!(!lost.is_empty() && lost.len() < 10);
    filled.disk.remove(&segment(number)).unwrap();
    let filled = filled.open_again();
    let mut found = users(&filled.scrub(1000));
    found.sort();
    assert_eq!(found, lost);
}
