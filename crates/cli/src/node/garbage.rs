//! What the node tells about collecting garbage.

use super::Node;
use super::report::age_seconds;
use crate::status::{CollectionStatus, GarbageStatus, LastCollection};
use block::{CollectionProgress, CollectionStage};
use std::time::Duration;

/// How long a command waits for the next answer while a collection goes on.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(300);

impl Node {
    /// Has garbage collected now.
    pub(super) fn collect_garbage(&self) -> GarbageStatus {
        let awaited = self.pool.collect();
        self.garbage_status(awaited)
    }

    /// How it goes, once so many collections have ended or a moment has passed.
    pub(super) fn garbage(&self, finished: u64) -> GarbageStatus {
        self.pool.wait_for_collections(finished, PROGRESS_INTERVAL);
        self.garbage_status(finished)
    }

    fn garbage_status(&self, awaited: u64) -> GarbageStatus {
        let garbage = self.pool.garbage();
        let usage = self.pool.store().usage().unwrap_or_default();
        let purged = garbage.purged.unwrap_or_default();
        let last = garbage.last.map(|last| LastCollection {
            seconds_ago: age_seconds(last.ended),
            took_seconds: last.took.as_secs_f64(),
            collection: collection(&last.progress),
            error: last.error,
        });
        GarbageStatus {
            stage: stage(garbage.progress.stage).to_owned(),
            is_running: garbage.progress.is_running,
            is_held: garbage.is_held,
            live_bytes: usage.live_bytes,
            dead_bytes: usage.dead_bytes,
            collection: collection(&garbage.progress),
            finished: garbage.finished,
            last,
            awaited,
            is_purge_due: garbage.is_purge_due,
            still_needed_blocks: purged.still_needed,
            still_needed_bytes: purged.still_needed_bytes,
        }
    }
}

fn stage(stage: CollectionStage) -> &'static str {
    match stage {
        CollectionStage::None => "none",
        CollectionStage::Mark => "mark",
        CollectionStage::Sweep => "sweep",
        CollectionStage::Compact => "compact",
        CollectionStage::Done => "done",
    }
}

fn collection(progress: &CollectionProgress) -> CollectionStatus {
    CollectionStatus {
        marked_blocks: progress.marked_blocks,
        live_blocks: progress.live_blocks,
        dead_blocks: progress.dead_blocks,
        found_dead_bytes: progress.dead_bytes,
        segments_to_retire: progress.victims,
        retired_segments: progress.retired,
        retired_bytes: progress.retired_bytes,
        copied_bytes: progress.copied_bytes,
        damaged_segments: progress.damaged,
        memory_bytes: progress.memory_bytes,
    }
}
