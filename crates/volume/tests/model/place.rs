//! A pool on a simulated disk, the same each time.

use block::{Compression, MemoryIndex, Store, StoreId, StoreOptions};
use seal::{Cost, KeySlots, Unlocking, VolumeKey};
use sim::SimDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Creator, Environment, Pool, PoolOptions, Timestamp, Volume, VolumeId};

/// A clock that ticks when it is looked at. It also says whether the first volume of a new pool is encrypted.
#[derive(Default)]
pub(crate) struct Clock {
    ticks: AtomicU64,
    is_encrypted: bool,
}

impl Clock {
    pub(crate) fn of_pool(is_encrypted: bool) -> Arc<Self> {
        Arc::new(Self { ticks: AtomicU64::new(0), is_encrypted })
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        let ticks = self.ticks.fetch_add(1, Ordering::Relaxed);
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
    let (store, options) = (Arc::new(store), PoolOptions { environment: clock.clone(), ..pool_options() });
    if is_new && clock.is_encrypted {
        let pool = Pool::open_as_it_is(store, options)?;
        let way = Unlocking::key_file(vec![1; 64].into())?;
        pool.create_encrypted_volume("main", OWNER, key(), &KeySlots::new(&key(), &way, Cost::LEAST)?)?;
        return Ok(pool);
    }
    let pool = Pool::open(store, options)?;
    unlock_all(&pool)?;
    Ok(pool)
}

fn key() -> VolumeKey {
    VolumeKey::from_bytes(&[7; VolumeKey::BYTES])
}

/// Unlocks what is encrypted, but for replicas that have received nothing.
pub(crate) fn unlock_all(pool: &Pool) -> Result<(), volume::PoolError> {
    for info in pool.list_volumes()? {
        match pool.volume(info.id) {
            Some(volume) if volume.is_locked() && volume.state().roots().next().is_some() => {
                pool.unlock_volume(&info.name, key())?;
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn main_volume(pool: &Pool) -> Arc<Volume> {
    pool.volume(VolumeId::FIRST).expect("a pool has a first volume")
}
