//! A quota, kept to the byte.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{MemoryIndex, Store, StoreOptions};
use sim::SimDisk;
use std::sync::{Arc, Barrier};
use volume::{
    AccessListKind, Creator, Inode, NewInode, Pool, PoolOptions, Privileges, SetGroupId, Volume, VolumeId, XattrMode,
};

const OWNER: Creator = Creator { uid: 0, gid: 0 };
const KIB: u64 = 1 << 10;

fn pool() -> Pool {
    let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
    let options = PoolOptions { background: false, ..PoolOptions::new(OWNER) };
    Pool::open(Arc::new(store.unwrap()), options).unwrap()
}

fn volume(pool: &Pool) -> Arc<Volume> {
    pool.volume(VolumeId::FIRST).unwrap()
}

fn set_quota(pool: &Pool, bytes: u64) {
    pool.set_volume("main", &[("quota".to_owned(), bytes.to_string())]).unwrap();
}

#[track_caller]
fn refused<T>(result: volume::Result<T>) {
    assert_eq!(result.err().map(|error| error.errno()), Some(libc::EDQUOT));
}

/// All of what the quota allows is used, and nothing more, however the writers meet.
#[test]
fn writers_beside_each_other_stay_within_the_quota_and_can_use_all_of_it() {
    const WRITERS: u64 = 4;
    const PIECE: u64 = 4 * KIB;
    for round in 0..50 {
        let pool = pool();
        let volume = volume(&pool);
        let make = |number: u64| {
            let name = format!("file {number}");
            volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o600, OWNER).unwrap().0
        };
        let files: Vec<Inode> = (0..WRITERS).map(make).collect();
        let quota = volume.used_bytes() + 64 * PIECE;
        set_quota(&pool, quota);
        let start = Barrier::new(files.len());
        let fill = |file: Inode| {
            start.wait();
            let write = |number: u64| volume.write(file, number * PIECE, &[7; PIECE as usize], Privileges::Keep);
            (0..).take_while(|number| write(*number).is_ok()).count()
        };
        let written: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = files.iter().map(|file| scope.spawn(|| fill(*file))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!((written, volume.used_bytes()), (64, quota), "round {round}");
    }
}

#[test]
fn extended_attributes_count() {
    let pool = pool();
    let volume = volume(&pool);
    let set = |inode, value: &[u8]| volume.set_xattr(inode, b"user.name", value, XattrMode::Set);
    let empty = volume.used_bytes();
    let (file, _) = volume.make(Inode::ROOT, b"file", NewInode::File, 0o600, OWNER).unwrap();
    let before = volume.used_bytes();
    set(file, &[1; 10_000]).unwrap();
    assert_eq!(volume.used_bytes(), before + 10_009);
    set(file, &[1; 10]).unwrap();
    assert_eq!(volume.used_bytes(), before + 19);
    volume.set_xattr(file, b"security.capability", &[0; 20], XattrMode::Set).unwrap();
    volume.write(file, 0, b"takes the capability away", Privileges::DropCapabilities).unwrap();
    assert_eq!(volume.used_bytes(), before + 19 + 25);
    set_quota(&pool, before + 19 + 25);
    refused(set(file, &[2; 11]));
    set(file, &[2; 10]).unwrap();
    set(file, &[2; 5]).unwrap();
    refused(volume.set_xattr(file, b"user.b", b"", XattrMode::Set));
    volume.remove_xattr(file, b"user.name").unwrap();
    volume.set_xattr(file, b"user.b", b"fits now", XattrMode::Create).unwrap();
    volume.checkpoint().unwrap();
    assert_eq!(volume.attributes(file).unwrap().xattr_bytes, 14);
    volume.unlink(Inode::ROOT, b"file").unwrap();
    volume.reclaim(file).unwrap();
    assert_eq!(volume.used_bytes(), empty);
}

#[test]
fn access_lists_count_also_where_they_are_inherited() {
    let pool = pool();
    let volume = volume(&pool);
    let (directory, _) = volume.make(Inode::ROOT, b"directory", NewInode::Directory, 0o700, OWNER).unwrap();
    let before = volume.used_bytes();
    let (owner, user, group, mask, others) = (0x01u16, 0x02u16, 0x04u16, 0x10u16, 0x20u16);
    let entry = |tag: u16, id: u32| [tag.to_le_bytes().as_slice(), &7u16.to_le_bytes(), &id.to_le_bytes()].concat();
    let nobody = u32::MAX;
    let entries = [(owner, nobody), (user, 1000), (group, nobody), (mask, nobody), (others, nobody)];
    let entries: Vec<u8> = entries.into_iter().flat_map(|(tag, id)| entry(tag, id)).collect();
    let list = [2u32.to_le_bytes().as_slice(), &entries].concat();
    let set = |kind| volume.set_access_list(directory, kind, &list, SetGroupId::Keep);
    set(AccessListKind::Default).unwrap();
    let counted = (b"system.posix_acl_default".len() + list.len()) as u64;
    assert_eq!(volume.used_bytes(), before + counted);
    let (inside, attributes) = volume.make(directory, b"inside", NewInode::Directory, 0o777, OWNER).unwrap();
    let inherited = counted + (b"system.posix_acl_access".len() + list.len()) as u64;
    assert_eq!(attributes.xattr_bytes, inherited);
    assert_eq!(volume.used_bytes(), before + counted + 512 + inherited);
    volume.remove_directory(directory, b"inside").unwrap();
    volume.reclaim(inside).unwrap();
    set_quota(&pool, before + counted + 60);
    refused(volume.make(directory, b"inside", NewInode::Directory, 0o777, OWNER));
    refused(set(AccessListKind::Access));
    volume.remove_access_list(directory, AccessListKind::Default).unwrap();
    assert_eq!(volume.used_bytes(), before);
}
