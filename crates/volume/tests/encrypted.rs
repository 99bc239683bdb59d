//! Encrypted volumes: nothing of them can be read on the disk, and without the key they are kept, not read.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, MemoryIndex, Position, RealDisk, Record, RecordKind, Store, StoreOptions, Thrift};
use seal::{Cost, KeySlots, Unlocking, VolumeKey};
use std::path::Path;
use std::sync::Arc;
use volume::{
    Creator, EraseError, Error, Inode, NewInode, Pool, PoolError, PoolOptions, Privileges, SnapshotError, Volume,
    XattrMode,
};

const OWNER: Creator = Creator { uid: 1, gid: 1 };

/// Stands in every name, content and attribute that the tests write.
const MARKER: &str = "MARKERmarkerMARKER";

fn key() -> VolumeKey {
    VolumeKey::from_bytes(&[7; VolumeKey::BYTES])
}

fn key_file(byte: u8) -> Unlocking {
    Unlocking::key_file(vec![byte; 64].into()).unwrap()
}

fn slots() -> KeySlots {
    KeySlots::new(&key(), &key_file(1), Cost::LEAST).unwrap()
}

fn options() -> PoolOptions {
    PoolOptions { background: false, ..PoolOptions::new(OWNER) }
}

/// A pool in a folder, with an encrypted volume `secret`.
fn create(folder: &Path) -> Pool {
    let disk = Arc::new(RealDisk::new(folder));
    let store = Store::create(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
    let pool = Pool::open(Arc::new(store), options()).unwrap();
    pool.create_encrypted_volume("secret", OWNER, key(), &slots()).unwrap();
    pool
}

fn open(folder: &Path) -> Pool {
    let disk = Arc::new(RealDisk::new(folder));
    let store = Store::open(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
    Pool::open(Arc::new(store), options()).unwrap()
}

fn secret(pool: &Pool) -> Arc<Volume> {
    pool.volume(pool.find_volume("secret").unwrap().id).unwrap()
}

fn make(volume: &Volume, directory: Inode, name: &str, new: NewInode<'_>) -> Inode {
    volume.make(directory, format!("{name}{MARKER}").as_bytes(), new, 0o644, OWNER).unwrap().0
}

fn content(bytes: usize) -> Vec<u8> {
    MARKER.bytes().cycle().take(bytes).collect()
}

/// One of each: files of several lengths, a directory, a link, attributes.
fn fill(volume: &Volume) -> Inode {
    let folder = make(volume, Inode::ROOT, "folder", NewInode::Directory);
    for bytes in [100, 3000, 200_000] {
        let file = make(volume, folder, &format!("file{bytes}"), NewInode::File);
        volume.write(file, 0, &content(bytes), Privileges::Keep).unwrap();
        for value_bytes in [50, 10_000] {
            let name = format!("user.{value_bytes}{MARKER}");
            volume.set_xattr(file, name.as_bytes(), &content(value_bytes), XattrMode::Set).unwrap();
        }
    }
    make(volume, folder, "link", NewInode::Symlink(content(200).as_slice()));
    folder
}

fn read(volume: &Volume, folder: Inode, name: &str) -> Result<Vec<u8>, Error> {
    let (file, attributes) = volume.lookup(folder, format!("{name}{MARKER}").as_bytes())?;
    let mut bytes = vec![0; attributes.size as usize];
    volume.read(file, 0, &mut bytes)?;
    Ok(bytes)
}

fn folder_of(volume: &Volume) -> Inode {
    volume.lookup(Inode::ROOT, format!("folder{MARKER}").as_bytes()).unwrap().0
}

/// All bytes of all files below a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { bytes_below(&path) } else { std::fs::read(&path).unwrap() });
    }
    bytes
}

fn occurs(marker: &str, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == marker.as_bytes()[0]) {
        rest = &rest[at..];
        if rest.starts_with(marker.as_bytes()) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[test]
fn nothing_of_an_encrypted_volume_can_be_read_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    let directory = fill(&volume);
    volume.sync().unwrap();
    assert!(!occurs(&MARKER[..8], &bytes_below(folder.path())), "in the journal");
    volume.create_snapshot(&format!("snapshot {MARKER}"), false).unwrap();
    volume.unlink(directory, format!("file100{MARKER}").as_bytes()).unwrap();
    pool.checkpoint().unwrap();
    assert!(!occurs(&MARKER[..8], &bytes_below(folder.path())), "in the tree");

    let main = pool.volume(volume::VolumeId::FIRST).unwrap();
    fill(&main);
    main.sync().unwrap();
    assert!(occurs(&MARKER[..8], &bytes_below(folder.path())), "the search finds what is there");
}

/// Of incompressible and of compressible content, sealed bodies look like noise: no byte is more frequent than chance allows.
#[test]
fn what_lies_in_the_store_looks_like_noise() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    fill(&volume);
    let file = make(&volume, Inode::ROOT, "large", NewInode::File);
    let mut random = sim::Random::new(1);
    let text: Vec<u8> = (0..1_000_000).map(|_| b"abcdefgh"[random.below(8) as usize]).collect();
    volume.write(file, 0, &text, Privileges::Keep).unwrap();
    volume.checkpoint().unwrap();
    let (mut counts, mut total, mut waiting) = ([0u64; 256], 0u64, vec![volume.state().tree().unwrap()]);
    while let Some(name) = waiting.pop() {
        let Block { links, body } = block::Blocks::get(&**pool.store(), &name).unwrap();
        waiting.extend(links);
        // Behind the version.
        body[1..].iter().for_each(|byte| counts[*byte as usize] += 1);
        total += body.len() as u64 - 1;
    }
    let expected = total as f64 / 256.0;
    let chi_squared: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(total > 300_000, "{total}");
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert!((120.0..400.0).contains(&chi_squared), "{chi_squared}");
}

#[test]
fn a_locked_volume_is_there_and_cannot_be_read_until_it_is_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    fill(&volume);
    volume.create_snapshot("before", false).unwrap();
    let late = make(&volume, Inode::ROOT, "late", NewInode::File);
    volume.write(late, 0, b"only in the journal", Privileges::Keep).unwrap();
    volume.sync().unwrap();
    drop((pool, volume));

    let pool = open(folder.path());
    let volume = secret(&pool);
    assert!(volume.is_encrypted() && volume.is_locked());
    assert!(
        pool.volume(volume::VolumeId::FIRST)
            .unwrap()
            .lookup(Inode::ROOT, b"x")
            .is_err_and(|error| error.errno() == libc::ENOENT)
    );
    let refused = volume.lookup(Inode::ROOT, b"folder").unwrap_err();
    assert_eq!((refused.errno(), refused.to_string().contains("pantala volume unlock")), (libc::ENOKEY, true));
    assert_eq!(volume.make(Inode::ROOT, b"x", NewInode::File, 0o644, OWNER).unwrap_err().errno(), libc::ENOKEY);
    assert!(matches!(volume.create_snapshot("x", false), Err(SnapshotError::Volume(_))));
    let labels: Vec<_> = volume.snapshots().unwrap().map(|snapshot| snapshot.unwrap().name).collect();
    assert!(labels.len() == 1 && labels[0].starts_with('='), "{labels:?}");
    pool.checkpoint().unwrap();
    pool.sync().unwrap();

    let other = VolumeKey::from_bytes(&[8; VolumeKey::BYTES]);
    assert!(matches!(pool.unlock_volume("secret", other), Err(PoolError::Key(_))));
    assert!(volume.is_locked());
    let wrong = pool.key_slots("secret").unwrap().unlock(&key_file(9)).unwrap_err().to_string();
    assert_eq!(wrong, "the key file is not that of the volume; it opens with one key file");
    pool.unlock_volume("secret", pool.key_slots("secret").unwrap().unlock(&key_file(1)).unwrap()).unwrap();
    assert!(!volume.is_locked());
    assert_eq!(read(&volume, folder_of(&volume), "file200000").unwrap(), content(200_000));
    assert_eq!(read(&volume, Inode::ROOT, "late").unwrap(), b"only in the journal");
    assert_eq!(volume.snapshot_names("", 9).unwrap(), ["before"]);
    assert!(volume.snapshot("before").is_ok());

    make(&volume, Inode::ROOT, "later", NewInode::File);
    pool.lock_volume("secret").unwrap();
    assert_eq!(volume.lookup(Inode::ROOT, b"folder").unwrap_err().errno(), libc::ENOKEY);
    assert!(matches!(pool.unlock_volume("main", key()), Err(PoolError::NotEncrypted { .. })));
    pool.unlock_volume("secret", key()).unwrap();
    assert_eq!(read(&volume, Inode::ROOT, "later").unwrap(), b"");
}

#[test]
fn a_locked_volume_keeps_its_journal_through_collections_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    let directory = fill(&volume);
    volume.create_snapshot("one", false).unwrap();
    volume.create_snapshot("two", false).unwrap();
    let file = make(&volume, directory, "journaled", NewInode::File);
    volume.write(file, 0, &content(400_000), Privileges::Keep).unwrap();
    volume.sync().unwrap();
    drop((pool, volume));
    for round in 0..3 {
        let pool = open(folder.path());
        let main = pool.volume(volume::VolumeId::FIRST).unwrap();
        let name = format!("other{round}");
        let other = main.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o644, OWNER).unwrap().0;
        main.write(other, 0, &vec![round; 500_000], Privileges::Keep).unwrap();
        if round == 1 {
            let label = secret(&pool).snapshots().unwrap().next().unwrap().unwrap().name;
            secret(&pool).delete_snapshot(&label).unwrap();
        }
        let mut collection = pool.begin_collection(Thrift::SpaceIsOut).unwrap().unwrap();
        while collection.step().unwrap() {}
        drop(collection);
        pool.checkpoint().unwrap();
    }
    let pool = open(folder.path());
    pool.unlock_volume("secret", key()).unwrap();
    let volume = secret(&pool);
    assert_eq!(volume.snapshot_names("", 9).unwrap(), ["two"]);
    assert_eq!(read(&volume, folder_of(&volume), "journaled").unwrap(), content(400_000));
    assert_eq!(read(&volume, folder_of(&volume), "file200000").unwrap(), content(200_000));
    pool.lock_volume("secret").unwrap();
    drop((pool, volume));
    let pool = open(folder.path());
    pool.unlock_volume("secret", key()).unwrap();
    assert_eq!(read(&secret(&pool), folder_of(&secret(&pool)), "journaled").unwrap(), content(400_000));
}

#[test]
fn ways_to_the_key_come_and_go_and_nothing_is_encrypted_anew() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    fill(&secret(&pool));
    pool.checkpoint().unwrap();
    let tree = secret(&pool).state().tree();
    let mut slots = pool.key_slots("secret").unwrap();
    slots.add(&key(), &key_file(2), Cost::LEAST).unwrap();
    slots.remove(&key(), 0).unwrap();
    pool.set_key_slots("secret", &key(), &slots).unwrap();
    assert!(matches!(pool.set_key_slots("secret", &key(), &slots), Err(PoolError::SlotsChanged { .. })));
    let other = VolumeKey::from_bytes(&[8; VolumeKey::BYTES]);
    let forged = KeySlots::new(&other, &key_file(3), Cost::LEAST).unwrap();
    assert!(matches!(pool.set_key_slots("secret", &other, &forged), Err(PoolError::Key(_))));
    assert_eq!(secret(&pool).state().tree(), tree);
    drop(pool);
    let pool = open(folder.path());
    let there = pool.key_slots("secret").unwrap();
    assert!(there.unlock(&key_file(1)).is_err());
    // Also while it is locked.
    let mut slots = there.clone();
    slots.add(&key(), &key_file(4), Cost::LEAST).unwrap();
    pool.set_key_slots("secret", &key(), &slots).unwrap();
    assert!(secret(&pool).is_locked());
    pool.unlock_volume("secret", pool.key_slots("secret").unwrap().unlock(&key_file(4)).unwrap()).unwrap();
    assert_eq!(read(&secret(&pool), folder_of(&secret(&pool)), "file100").unwrap(), content(100));
}

#[test]
fn a_clone_has_the_key_of_its_source_and_shares_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    fill(&volume);
    let snapshot = volume.create_snapshot("base", false).unwrap();
    let blocks = pool.store().statistics().blocks;
    pool.clone_volume(&volume, &snapshot.root, "clone").unwrap();
    let clone = pool.volume(pool.find_volume("clone").unwrap().id).unwrap();
    assert_eq!(read(&clone, folder_of(&clone), "file3000").unwrap(), content(3000));
    assert!(pool.store().statistics().blocks < blocks + 6);
    pool.lock_volume("secret").unwrap();
    make(&clone, Inode::ROOT, "own", NewInode::File);
    pool.checkpoint().unwrap();
    drop((pool, volume, clone));
    let pool = open(folder.path());
    pool.unlock_volume("clone", pool.key_slots("clone").unwrap().unlock(&key_file(1)).unwrap()).unwrap();
    let clone = pool.volume(pool.find_volume("clone").unwrap().id).unwrap();
    assert!(read(&clone, Inode::ROOT, "own").is_ok() && secret(&pool).is_locked());
}

/// Somebody who can write to the store, and has no key, lets the volume begin with a block of his choice.
#[test]
fn a_root_that_nobody_with_the_key_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    fill(&volume);
    pool.checkpoint().unwrap();
    let earlier = newest_root(&pool, volume.id().0);
    let late = make(&volume, Inode::ROOT, "late", NewInode::File);
    volume.write(late, 0, b"late", Privileges::Keep).unwrap();
    pool.checkpoint().unwrap();
    let newest = newest_root(&pool, volume.id().0);
    let mut forged = newest.clone();
    forged.links[0] = earlier.links[0];
    drop(volume);
    append(&pool, forged);
    drop(pool);
    let pool = open(folder.path());
    let refused = pool.unlock_volume("secret", key()).unwrap_err().to_string();
    assert!(refused.contains("nobody with its key made it"), "{refused}");
    assert!(secret(&pool).is_locked());
    // An earlier state is authentic: that it is not the newest cannot be told.
    append(&pool, earlier);
    drop(pool);
    let pool = open(folder.path());
    pool.unlock_volume("secret", key()).unwrap();
    assert!(read(&secret(&pool), folder_of(&secret(&pool)), "file100").is_ok());
}

fn newest_root(pool: &Pool, stream: u64) -> Record {
    pool.store().latest_root(stream).unwrap().unwrap().record
}

fn append(pool: &Pool, record: Record) {
    assert_eq!(record.kind, RecordKind::Root);
    assert!(pool.store().append(&record).unwrap() > Position::START);
    block::Blocks::sync(&**pool.store()).unwrap();
}

#[test]
fn a_journal_that_was_changed_is_noticed_and_the_rest_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let volume = secret(&pool);
    fill(&volume);
    pool.checkpoint().unwrap();
    let record = Record { kind: RecordKind::Intent, stream: volume.id().0, links: vec![], body: vec![1; 100].into() };
    pool.store().append(&record).unwrap();
    block::Blocks::sync(&**pool.store()).unwrap();
    drop((pool, volume));
    let pool = open(folder.path());
    pool.unlock_volume("secret", key()).unwrap();
    let volume = secret(&pool);
    assert!(volume.damage().unwrap().contains("does not open with the volume's key"));
    assert_eq!(read(&volume, folder_of(&volume), "file100").unwrap(), content(100));
    assert_eq!(volume.make(Inode::ROOT, b"x", NewInode::File, 0o644, OWNER).unwrap_err().errno(), libc::EROFS);
}

#[test]
fn key_slots_are_kept_twice() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    fill(&secret(&pool));
    pool.checkpoint().unwrap();
    let encoded = pool.key_slots("secret").unwrap().encode();
    // A wrapped key does not compress, so it is there as it is.
    let wrapped = &encoded[12 + 44..12 + 92];
    drop(pool);
    let mut hits = 0;
    for entry in std::fs::read_dir(folder.path().join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        while let Some(at) = bytes.windows(wrapped.len()).position(|window| window == wrapped) {
            bytes[at + 7] ^= 1;
            hits += 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(hits > 0);
    let pool = open(folder.path());
    assert_eq!(pool.key_slots("secret").unwrap().encode(), encoded);
    pool.unlock_volume("secret", key()).unwrap();
}

#[test]
fn what_is_erased_is_gone_from_all_states_and_these_are_still_those_that_the_key_made() {
    let folder = tempfile::tempdir().unwrap();
    let pool = create(folder.path());
    let (volume, id) = (secret(&pool), pool.find_volume("secret").unwrap().id);
    let inside = fill(&volume);
    volume.create_snapshot("one", false).unwrap();
    let path = format!("folder{MARKER}/file3000{MARKER}");
    pool.lock_volume("secret").unwrap();
    assert!(matches!(pool.erase(id, path.as_bytes(), false), Err(EraseError::Locked)));
    pool.unlock_volume("secret", key()).unwrap();
    let erased = pool.erase(id, path.as_bytes(), false).unwrap();
    assert_eq!((&erased.erasure.snapshots, erased.erasure.inodes), (&vec!["one".to_owned()], 1));
    pool.purge_here(erased.blocks).unwrap();
    assert!(matches!(read(&volume, inside, "file3000"), Err(Error::NotFound)));
    assert!(read(&volume, inside, "file200000").unwrap() == content(200_000));
    let past = volume.open_kept(&volume.snapshot("one").unwrap().root).unwrap();
    assert!(past.resolve(path.as_bytes()).is_err() && past.resolve(format!("folder{MARKER}").as_bytes()).is_ok());
    drop((past, volume, pool));
    let pool = open(folder.path());
    pool.unlock_volume("secret", key()).unwrap();
    let volume = secret(&pool);
    volume.open_kept(&volume.snapshot("one").unwrap().root).unwrap();
    assert!(read(&volume, inside, "file200000").unwrap() == content(200_000));
}
