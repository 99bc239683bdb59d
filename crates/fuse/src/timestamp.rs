//! Points in time as the kernel counts them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time since 1970-01-01 00:00:00 UTC. `nanoseconds` is below 1,000,000,000 and counts forward also before 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds after `seconds`.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// What the system's clock says.
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
            Err(error) => Self::before_epoch(error.duration()),
        }
    }
}

impl Timestamp {
    fn before_epoch(before: Duration) -> Self {
        let seconds = -(before.as_secs() as i64);
        match before.subsec_nanos() {
            0 => Self { seconds, nanoseconds: 0 },
            nanoseconds => Self { seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_count_nanoseconds_forward() {
        let time = UNIX_EPOCH - Duration::from_millis(1_250);
        assert_eq!(Timestamp::from(time), Timestamp { seconds: -2, nanoseconds: 750_000_000 });
    }
}
