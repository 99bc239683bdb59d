//! Whether what makes a volume grow may come in: space is promised when an operation is accepted, not when it reaches the disk.
//!
//! What was promised is file data that no block holds yet, and what waiting changes will take in the journal and the tree. What
//! they take exactly is known only at the checkpoint; the store's reserve covers what this estimate misses.

use crate::limits::{
    ROOM_ADMITTED_BYTES_MAX, ROOM_ADMITTED_PARTS, ROOM_MARGIN_BYTES, ROOM_TRIES_MAX, WAITING_CHANGES_COST,
};
use crate::shared::Shared;
use crate::{Result, Volume};
use parking_lot::Mutex;

/// What may be admitted before the disk is asked again how much of it is free.
#[derive(Default)]
pub(crate) struct Room {
    left_bytes: Mutex<u64>,
}

impl Room {
    /// Takes from what is left, if it is enough.
    fn take(&self, bytes: u64) -> bool {
        let mut left = self.left_bytes.lock();
        let is_enough = *left >= bytes;
        *left -= if is_enough { bytes } else { 0 };
        is_enough
    }

    fn set(&self, bytes: u64) {
        *self.left_bytes.lock() = bytes;
    }
}

impl Volume {
    /// Refuses what adds so many bytes, and is not going to find space on the disk.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<()> {
        let room = &self.shared.room;
        if room.take(bytes) {
            return Ok(());
        }
        let free = self.room_bytes()?;
        if bytes > free {
            return Err(block::Error::Full.into());
        }
        // Others may take the space before the next look. Then what was admitted goes into the reserve, and leaves most of it.
        let unseen = (free / ROOM_ADMITTED_PARTS).min(self.shared.store.reserve_bytes() / ROOM_ADMITTED_PARTS);
        room.set(unseen.min(ROOM_ADMITTED_BYTES_MAX).saturating_sub(bytes));
        Ok(())
    }

    /// By how many bytes the volumes can still grow.
    pub(crate) fn room_bytes(&self) -> Result<u64> {
        let waiting = self.layers.overlay.memory_bytes() * WAITING_CHANGES_COST;
        let promised = self.shared.budget.bytes() + waiting + ROOM_MARGIN_BYTES;
        Ok(self.shared.store.room()?.saturating_sub(promised))
    }

    /// Does an operation that makes the volume grow. If there is no room, it waits for garbage to be collected, if there may be
    /// some, and tries once more: `operation` has taken no lock yet, and has changed nothing where it finds no room.
    pub(crate) fn with_room<R>(&self, operation: impl Fn() -> Result<R>) -> Result<R> {
        for _ in 0..ROOM_TRIES_MAX {
            match operation() {
                Err(error) if error.is_full() && self.shared.collector.make_space(&self.shared) => {}
                result => return result,
            }
        }
        operation()
    }
}

/// Whether even after a collection there is almost no room.
pub(crate) fn is_tight(shared: &Shared) -> bool {
    shared.store.room().is_ok_and(|room| room < 8 * ROOM_MARGIN_BYTES)
}
