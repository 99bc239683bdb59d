//! Has snapshots made on time.

use super::Node;
use super::alarm::LOOK_INTERVAL;
use anyhow::Result;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use volume::Timestamp;

/// Starts the thread that wakes when the next snapshot is due.
pub(super) fn start(node: &Arc<Node>) -> Result<()> {
    let weak = Arc::downgrade(node);
    node.snapshot_alarm.start("schedule", move || weak.upgrade()?.run_schedules().map(time_until))
}

fn time_until(time: Timestamp) -> Duration {
    let now = Timestamp::from(SystemTime::now());
    // Just behind it, so that one look is enough.
    Duration::from_secs(time.seconds.saturating_sub(now.seconds).max(0) as u64 + 1)
}

impl Node {
    /// Has all volumes make what is due; gives when the next is.
    fn run_schedules(&self) -> Option<Timestamp> {
        let volumes = self.pool.list_volumes().unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the list of volumes");
            Vec::new()
        });
        let run = |info: &volume::VolumeInfo| {
            let volume = self.pool.volume(info.id)?;
            volume.run_schedule().unwrap_or_else(|error| {
                tracing::error!(volume = info.name, %error, "a snapshot on schedule failed; it will be tried again");
                Some(Timestamp::from(SystemTime::now() + LOOK_INTERVAL))
            })
        };
        // All of them, not only up to the first that has a schedule.
        let next: Vec<_> = volumes.iter().filter_map(run).collect();
        next.into_iter().min()
    }
}
