//! What a volume's content depends on beside its operations: the time and chance. A simulation gives its own.

use crate::Timestamp;
use std::time::SystemTime;

/// Time and chance.
pub trait Environment: Send + Sync {
    /// The time that timestamps get.
    fn now(&self) -> Timestamp;

    /// A number that differs from one call to the next.
    fn random(&self) -> u64;
}

/// The machine's clock and randomness.
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn random(&self) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(std::process::id())
    }
}
