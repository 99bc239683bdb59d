//! Space that is held back, so that what makes space can be done on a full disk: deleting, checkpoints, collecting garbage.
//!
//! The reserve is some spare segments, files that take their space already. Only who says so may use them, and only when there
//! is no other space. They are made again when there is. Beside them, some of the disk stays free for the index.

use crate::limits::{INDEX_ROOM_BYTES_MAX, INDEX_ROOM_PARTS, SEGMENT_BYTES_MIN, SEGMENT_PARTS};
use crate::{Space, Store};
use std::cell::Cell;

thread_local! {
    /// How many calls of this thread that may use the reserve are under way.
    static USES: Cell<u32> = const { Cell::new(0) };
}

/// Whether what this thread does may use the reserve.
pub(crate) fn may_use() -> bool {
    USES.get() > 0
}

/// Counts a use until it is dropped, also by a panic.
struct Use;

impl Use {
    fn begin() -> Self {
        USES.set(USES.get() + 1);
        Self
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        USES.set(USES.get() - 1);
    }
}

/// The size of segments on a disk: as wanted, but on a small disk a small part of it.
pub(crate) fn segment_bytes(wanted: u64, disk: Space) -> u64 {
    wanted.min((disk.total_bytes / SEGMENT_PARTS).max(SEGMENT_BYTES_MIN))
}

/// What stays free for the index.
pub(crate) fn index_room(disk: Space) -> u64 {
    (disk.total_bytes / INDEX_ROOM_PARTS).min(INDEX_ROOM_BYTES_MAX)
}

impl Store {
    /// Does something that may use the reserve: it makes space, or finishes what was accepted when there was some.
    pub fn with_reserve<R>(&self, work: impl FnOnce() -> R) -> R {
        let _use = Use::begin();
        work()
    }

    /// Makes the reserve, or what is missing of it, where there is space. What cannot be made now may be later.
    pub fn fill_reserve(&self) {
        if self.check_writable().is_ok()
            && let Err(error) = self.segments.make_spares(self.log.segment_bytes())
        {
            tracing::warn!(%error, "the space that is held back is not all there");
        }
    }

    /// Bytes that are held back now.
    pub fn reserve_bytes(&self) -> u64 {
        self.segments.spares() * self.log.segment_bytes()
    }

    /// Bytes that can still be appended without using the reserve. Other users of the disk may take them.
    pub fn room(&self) -> crate::Result<u64> {
        let disk = self.space()?;
        let segment_bytes = self.log.segment_bytes();
        let held_back = index_room(disk) + self.segments.spares_missing() * segment_bytes;
        let free_bytes = disk.free_bytes.saturating_sub(held_back);
        Ok(free_bytes / segment_bytes * segment_bytes + self.log.room())
    }
}
