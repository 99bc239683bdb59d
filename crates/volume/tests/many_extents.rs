//! Files with more extents than one operation takes: what is done in steps comes to the same in the end.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{MemoryIndex, Store, StoreOptions};
use sim::SimDisk;
use std::sync::Arc;
use volume::{
    AttributeChanges, Creator, FilePoint, Inode, NewInode, Pool, PoolOptions, Privileges, ReserveSize, Result, Seek,
    Volume, VolumeId,
};

const CHUNK: u64 = 128 << 10;
const CHUNKS: u64 = 5000;
const SIZE: u64 = CHUNKS * CHUNK;
/// A range that begins and ends within chunks.
const FROM: u64 = CHUNK / 2;
const TO: u64 = SIZE - CHUNK / 4;

/// A pool with a file that is the same block over and over.
struct Scene {
    _pool: Pool,
    volume: Arc<Volume>,
    file: Inode,
}

impl Scene {
    fn new() -> Self {
        let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
        let owner = Creator { uid: 0, gid: 0 };
        let options = PoolOptions { background: false, ..PoolOptions::new(owner) };
        let pool = Pool::open(Arc::new(store.unwrap()), options).unwrap();
        let volume = pool.volume(VolumeId::FIRST).unwrap();
        let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, owner).unwrap();
        volume.write(file, 0, &vec![7; CHUNK as usize], Privileges::Keep).unwrap();
        let at = |offset| FilePoint { inode: file, offset };
        let mut size = CHUNK;
        while size < SIZE {
            size += volume.clone_range(at(0), at(size), size.min(SIZE - size), Privileges::Keep).unwrap();
        }
        Self { _pool: pool, volume, file }
    }

    /// Size, and bytes that are taken, which are counted anew.
    fn sizes(&self) -> (u64, u64) {
        let attributes = self.volume.attributes(self.file).unwrap();
        assert_eq!(self.volume.count_allocated(self.file).unwrap(), attributes.allocated_bytes);
        (attributes.size, attributes.allocated_bytes)
    }

    fn next_data(&self, offset: u64) -> u64 {
        self.volume.seek(self.file, offset, Seek::Data).unwrap()
    }

    fn truncate(&self, size: u64) {
        let changes = AttributeChanges { size: Some(size), ..AttributeChanges::default() };
        self.volume.set_attributes(self.file, &changes).unwrap();
    }
}

/// Gives how many steps it took.
fn in_steps(length: u64, step: impl Fn(u64) -> Result<u64>) -> usize {
    let (mut done, mut steps) = (0, 0);
    while done < length {
        done += step(done).unwrap();
        steps += 1;
    }
    assert_eq!(done, length);
    steps
}

#[test]
fn a_hole_of_many_extents_is_made_whole() {
    let scene = Scene::new();
    let steps = in_steps(TO - FROM, |done| scene.volume.punch(scene.file, FROM + done, TO - FROM - done));
    assert!(steps > 1);
    assert_eq!(scene.sizes(), (SIZE, CHUNK / 2 + CHUNK / 4));
    assert_eq!(scene.next_data(FROM), TO);
}

#[test]
fn a_zeroed_range_of_many_extents_is_a_hole_that_is_set_aside() {
    let scene = Scene::new();
    let zero = |done| scene.volume.zero(scene.file, FROM + done, TO - FROM - done, ReserveSize::Extend);
    assert!(in_steps(TO - FROM, zero) > 1);
    assert_eq!(scene.sizes(), (SIZE, SIZE));
    assert_eq!(scene.next_data(FROM), TO);
}

#[test]
fn space_is_set_aside_behind_many_extents_and_the_size_follows_at_the_end() {
    let scene = Scene::new();
    let first = scene.volume.reserve(scene.file, 0, 2 * SIZE, ReserveSize::Extend).unwrap();
    assert!(first < SIZE && scene.sizes() == (SIZE, SIZE), "{first}");
    let reserve = |done| scene.volume.reserve(scene.file, first + done, 2 * SIZE - first - done, ReserveSize::Extend);
    assert!(in_steps(2 * SIZE - first, reserve) > 1);
    assert_eq!(scene.sizes(), (2 * SIZE, 2 * SIZE));
    scene.truncate(SIZE / 2 + 1);
    assert_eq!(scene.sizes(), (SIZE / 2 + 1, SIZE / 2 + 1));
}

#[test]
fn a_file_of_many_extents_gets_shorter_at_once() {
    let scene = Scene::new();
    scene.truncate(SIZE / 2 + 5);
    assert_eq!(scene.sizes(), (SIZE / 2 + 5, SIZE / 2 + 5));
    scene.truncate(0);
    assert_eq!(scene.sizes(), (0, 0));
}
