//! A pool on a simulated disk, the same each time.

use block::{Compression, MemoryIndex, Store, StoreId, StoreOptions};
use sim::SimDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Creator, Environment, Pool, PoolOptions, Timestamp, Volume, VolumeId};

/// A clock that ticks when it is looked at.
#[derive(Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        let ticks = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp { seconds: ticks as i64, nanoseconds: 0 }
    }

    fn random(&self) -> u64 {
        7
    }
}

pub(crate) fn store_options() -> StoreOptions {
    let id = Some(StoreId::from_bytes([1; StoreId::BYTES]));
    StoreOptions { segment_bytes: 16 << 10, compression: Compression::Lz4, id }
}

pub(crate) const OWNER: Creator = Creator { uid: 1, gid: 1 };

pub(crate) fn pool_options() -> PoolOptions {
    PoolOptions { environment: Arc::new(Clock::default()), background: false, ..PoolOptions::new(OWNER) }
}

pub(crate) fn open_pool(disk: &SimDisk, is_new: bool) -> Result<Pool, volume::PoolError> {
    open_pool_at(disk, is_new, &Arc::default())
}

/// As [`open_pool`], at a time that goes on from one opening to the next.
pub(crate) fn open_pool_at(disk: &SimDisk, is_new: bool, clock: &Arc<Clock>) -> Result<Pool, volume::PoolError> {
    open_pool_with(disk, MemoryIndex::default(), is_new, clock)
}

/// As [`open_pool_at`], with the index that is there.
pub(crate) fn open_pool_with(
    disk: &SimDisk,
    index: MemoryIndex,
    is_new: bool,
    clock: &Arc<Clock>,
) -> Result<Pool, volume::PoolError> {
    let (disk, index) = (Arc::new(disk.clone()), Box::new(index));
    let store = match is_new {
        true => Store::create(disk, index, store_options())?,
        false => Store::open(disk, index, store_options())?,
    };
    Pool::open(Arc::new(store), PoolOptions { environment: clock.clone(), ..pool_options() })
}

pub(crate) fn main_volume(pool: &Pool) -> Arc<Volume> {
    pool.volume(VolumeId::FIRST).expect("a pool has a first volume")
}
