//! The locks of every crate, which know this one under the name of `parking_lot`.
//!
//! They are those of parking_lot. Under the feature `shuttle` they have the same interface, but shuttle runs one thread at a time and
//! decides at each lock which one goes on (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
//! ASPLOS 2010). So a test tries many schedules of the very code that otherwise runs, and a schedule that fails can be had again.
//!
//! What it deliberately does not change: atomics and channels. Threads are not switched there, and orders of memory weaker than
//! sequential consistency are not tried: ThreadSanitizer looks at those.

#[cfg(feature = "shuttle")]
mod condvar;

#[cfg(feature = "shuttle")]
pub use condvar::{Condvar, WaitTimeoutResult};
#[cfg(not(feature = "shuttle"))]
pub use parking_lot::*;
#[cfg(feature = "shuttle")]
pub use shuttle;
#[cfg(feature = "shuttle")]
pub use shuttle_parking_lot_impl::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
