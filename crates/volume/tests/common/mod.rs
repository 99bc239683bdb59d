//! What test programs share that play pools on a simulated disk.

use block::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Creator, Environment, Pool, PoolOptions, Timestamp};

pub(crate) const OWNER: Creator = Creator { uid: 0, gid: 0 };

/// A second passes whenever somebody looks.
#[derive(Default)]
pub(crate) struct Clock(AtomicU64);

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.0.fetch_add(1, Ordering::Relaxed) as i64, nanoseconds: 0 }
    }

    fn random(&self) -> u64 {
        7
    }
}

/// A pool that does nothing by itself.
pub(crate) fn open(store: Store, clock: &Arc<Clock>) -> Pool {
    let options = PoolOptions { environment: clock.clone(), background: false, ..PoolOptions::new(OWNER) };
    Pool::open(Arc::new(store), options).unwrap()
}
