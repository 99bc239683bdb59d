//! A limit on bytes per second.

use std::thread;
use std::time::{Duration, Instant};

/// Spreads bytes over time.
pub(crate) struct Pace {
    bytes_per_second: f64,
    /// When the next bytes may go.
    free_at: Instant,
}

/// After a pause, at most this much of it is made up for.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    /// At most so many bytes per second.
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1) as f64, free_at: Instant::now() }
    }

    /// Waits until some bytes may go.
    pub(crate) fn wait(&mut self, bytes: u64) {
        let now = Instant::now();
        thread::sleep(self.delay(now, bytes));
    }

    fn delay(&mut self, now: Instant, bytes: u64) -> Duration {
        let begin = self.free_at.max(now.checked_sub(BURST).unwrap_or(now));
        self.free_at = begin + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        begin.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_the_time_that_they_may_take() {
        let mut pace = Pace::new(1000);
        let start = pace.free_at;
        assert_eq!(pace.delay(start, 500), Duration::ZERO);
        assert_eq!(pace.delay(start, 500), Duration::from_millis(500));
        assert_eq!(pace.delay(start, 1), Duration::from_secs(1));
        let later = start + Duration::from_secs(10);
        assert_eq!(pace.delay(later, 100), Duration::ZERO);
        assert_eq!(pace.delay(later, 100), Duration::ZERO, "a short burst makes up for the pause");
        assert_eq!(pace.delay(later, 1), Duration::from_millis(100));
    }
}
