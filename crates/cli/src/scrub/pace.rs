//! A limit on bytes per second.

use std::time::{Duration, Instant};

/// Spreads bytes over time.
pub(crate) struct Pace {
    /// When what was counted by now may have been read.
    free_at: Instant,
}

impl Pace {
    /// From now on.
    pub(crate) fn new() -> Self {
        Self { free_at: Instant::now() }
    }

    /// Counts bytes that were read, and tells until when to wait.
    pub(crate) fn count(&mut self, bytes: u64, limit: Option<u64>) -> Instant {
        let now = Instant::now();
        let time = limit.map_or(Duration::ZERO, |limit| Duration::from_secs_f64(bytes as f64 / limit.max(1) as f64));
        self.free_at = self.free_at.max(now) + time;
        self.free_at
    }
}
