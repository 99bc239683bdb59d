//! What a volume asks of the world beside blocks: the time and chance. A simulation gives its own.

use crate::Timestamp;
use std::time::SystemTime;

/// Time and chance.
pub trait Environment: Send + Sync {
    /// The time that timestamps get.
    fn now(&self) -> Timestamp;

    /// A number that nobody can foretell.
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
