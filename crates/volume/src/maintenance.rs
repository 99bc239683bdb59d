//! The thread that makes checkpoints: when changes have waited long enough, when there are many, and when somebody wakes it.
//!
//! Once nothing has changed and nothing was read for an interval, it drops the caches and sleeps: an idle pool takes little memory
//! and no time. The first use after a quiet time wakes it.

use crate::limits::{CHECKPOINT_INTERVAL, DIRTY_BYTES_COMMIT, JOURNAL_BYTES_CHECKPOINT, OVERLAY_BYTES_CHECKPOINT};
use crate::shared::{Shared, Volumes};
use crate::{Result, Volume};
use block::Health;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>, volumes: Arc<Volumes>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("maintenance".into()).spawn(move || {
        while shared.wake.wait(None) {
            let mut looked = Instant::now();
            while shared.wake.wait(Some(CHECKPOINT_INTERVAL)) {
                let afterwards = maintain_all(&shared, &volumes);
                if afterwards == Afterwards::Busy || looked.elapsed() < CHECKPOINT_INTERVAL {
                    continue;
                }
                looked = Instant::now();
                shared.store.refresh_copies();
                if shared.take_use() {
                    continue;
                }
                let open: Vec<_> = volumes.read().values().cloned().collect();
                if open.iter().any(|volume| volume.settle_accesses()) {
                    continue;
                }
                shared.rest();
                break;
            }
        }
    })
}

/// What a round leaves.
#[derive(PartialEq, Eq)]
enum Afterwards {
    /// No volume has changes, and no operation is under way.
    Quiet,
    /// There will be more to do, or the store takes no writes yet.
    Busy,
}

fn maintain_all(shared: &Shared, volumes: &Volumes) -> Afterwards {
    if shared.store.is_closed() {
        return Afterwards::Quiet;
    }
    let open: Vec<_> = volumes.read().values().cloned().collect();
    if let Health::ReadOnly { .. } = shared.store.health()
        && let Err(error) = shared.store.come_back()
    {
        tracing::warn!(%error, "the store still takes no writes");
        return Afterwards::Busy;
    }
    for volume in &open {
        if let Err(error) = maintain(shared, volume) {
            tracing::error!(volume = %volume.id(), %error, "a checkpoint failed; it will be tried again");
        }
    }
    shared.collector.consider(shared);
    let is_quiet = !shared.collector.has_purge() && open.iter().all(|volume| volume.is_quiet());
    if is_quiet { Afterwards::Quiet } else { Afterwards::Busy }
}

fn maintain(shared: &Shared, volume: &Volume) -> Result<()> {
    if shared.budget.bytes() >= DIRTY_BYTES_COMMIT {
        volume.commit()?;
    }
    let is_due = !volume.is_quiet() && volume.last_checkpoint.lock().at.elapsed() >= CHECKPOINT_INTERVAL;
    let is_large = volume.layers.overlay.memory_bytes() >= OVERLAY_BYTES_CHECKPOINT
        || volume.journal.lock().bytes >= JOURNAL_BYTES_CHECKPOINT;
    volume.settle_accesses_if_due();
    if is_due || is_large || volume.is_root_old() {
        volume.checkpoint_changes()?;
        // Only then: what it reads keeps the pool from resting.
        shared.ledger.wake.wake();
    }
    Ok(())
}
