//! Holes in files of many extents.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{MemoryIndex, Store, StoreOptions};
use sim::SimDisk;
use std::sync::Arc;
use volume::{Creator, FilePoint, Inode, NewInode, Pool, PoolOptions, Privileges, VolumeId};

/// More extents than one operation takes: the file is the same block over and over.
#[test]
fn a_hole_of_many_extents_is_made_whole() {
    const CHUNK: u64 = 128 << 10;
    const CHUNKS: u64 = 5000;
    let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
    let owner = Creator { uid: 0, gid: 0 };
    let options = PoolOptions { background: false, ..PoolOptions::new(owner) };
    let pool = Pool::open(Arc::new(store.unwrap()), options).unwrap();
    let volume = pool.volume(VolumeId::FIRST).unwrap();
    let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, owner).unwrap();
    volume.write(file, 0, &vec![7; CHUNK as usize], Privileges::Keep).unwrap();
    let at = |offset| FilePoint { inode: file, offset };
    let mut size = CHUNK;
    while size < CHUNKS * CHUNK {
        size += volume.clone_range(at(0), at(size), size.min(CHUNKS * CHUNK - size), Privileges::Keep).unwrap();
    }
    let (from, to) = (CHUNK / 2, size - CHUNK / 4);
    volume.punch(file, from, to - from).unwrap();
    let attributes = volume.attributes(file).unwrap();
    assert_eq!((attributes.size, attributes.allocated_bytes), (size, CHUNK / 2 + CHUNK / 4));
    assert_eq!(volume.count_allocated(file).unwrap(), attributes.allocated_bytes);
    assert_eq!(volume.seek(file, from, volume::Seek::Data).unwrap(), to);
}
