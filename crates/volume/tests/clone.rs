//! Copies by reference of data that no block holds yet.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{MemoryIndex, Store, StoreOptions};
use sim::{Random, SimDisk};
use std::sync::Arc;
use volume::{Creator, FilePoint, Inode, NewInode, Pool, PoolOptions, Privileges, Volume, VolumeId};

fn pool() -> Pool {
    let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
    let options = PoolOptions { background: false, ..PoolOptions::new(Creator { uid: 0, gid: 0 }) };
    Pool::open(Arc::new(store.unwrap()), options).unwrap()
}

fn file(volume: &Volume, name: &[u8], content: &[u8]) -> Inode {
    let (inode, _) = volume.make(Inode::ROOT, name, NewInode::File, 0o600, Creator { uid: 0, gid: 0 }).unwrap();
    volume.write(inode, 0, content, Privileges::Keep).unwrap();
    inode
}

fn content(volume: &Volume, inode: Inode) -> Vec<u8> {
    let mut content = vec![0; volume.attributes(inode).unwrap().size as usize];
    volume.read(inode, 0, &mut content).unwrap();
    content
}

/// Both refer to bytes in memory, which writes change in place until somebody else refers to them.
#[test]
fn a_write_in_place_changes_one_side_only() {
    let pool = pool();
    let volume = pool.volume(VolumeId::FIRST).unwrap();
    let original = Random::new(1).bytes(100_000);
    let (source, copy) = (file(&volume, b"source", &original), file(&volume, b"copy", b""));
    let start = |inode| FilePoint { inode, offset: 0 };
    let copied = volume.clone_range(start(source), start(copy), u64::MAX, Privileges::Keep).unwrap();
    assert_eq!(copied, original.len() as u64);
    volume.write(source, 500, b"written over the source", Privileges::Keep).unwrap();
    volume.write(source, original.len() as u64, b"and appended", Privileges::Keep).unwrap();
    assert!(content(&volume, copy) == original);
    volume.write(copy, 700, b"written over the copy", Privileges::Keep).unwrap();
    volume.write(copy, original.len() as u64, b"appended to the copy", Privileges::Keep).unwrap();
    let mut expected = original;
    expected[500..523].copy_from_slice(b"written over the source");
    expected.extend_from_slice(b"and appended");
    assert!(content(&volume, source) == expected);
}
