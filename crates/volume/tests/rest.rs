//! What a pool gives back when nothing happens.

use block::{MemoryIndex, RealDisk, Store, StoreOptions};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use volume::{Creator, Inode, NewInode, Pool, PoolOptions, VolumeId};

/// Far more than the interval after which a pool rests.
const PATIENCE: Duration = Duration::from_secs(60);

const OWNER: Creator = Creator { uid: 0, gid: 0 };

#[test]
fn a_pool_rests_after_writes_and_again_after_reads() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let store = Store::create(disk, Box::new(MemoryIndex::default()), StoreOptions::default()).unwrap();
    let (sender, rested) = mpsc::channel();
    let sender = Mutex::new(sender);
    let on_rest = Box::new(move || sender.lock().unwrap().send(()).unwrap_or_default());
    let pool = Pool::open(Arc::new(store), PoolOptions { on_rest, ..PoolOptions::new(OWNER) }).unwrap();
    let volume = pool.volume(VolumeId::FIRST).unwrap();
    volume.make(Inode::ROOT, b"file", NewInode::File, 0o644, OWNER).unwrap();
    rested.recv_timeout(PATIENCE).expect("it rests after a write");
    assert_eq!(pool.cached_bytes(), 0);
    assert!(rested.try_recv().is_err(), "it rests once");
    volume.lookup(Inode::ROOT, b"file").unwrap();
    assert!(pool.cached_bytes() > 0);
    rested.recv_timeout(PATIENCE).expect("it rests after a read");
    assert_eq!(pool.cached_bytes(), 0);
}
