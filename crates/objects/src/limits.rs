//! Every limit of this crate, with its unit.

use std::time::Duration;

/// Bytes of blocks that make a pack. While one is on its way the next one is filled, so a cut makes at most twice as much travel
/// again.
pub(crate) const PACK_BYTES: usize = 2 << 20;

/// Entries of one page of an index: what a look-up fetches.
pub(crate) const PAGE_ENTRIES: usize = 512;

/// Entries of one index object.
pub(crate) const INDEX_OBJECT_ENTRIES: usize = 64 << 10;

/// Entries that are held in memory before they become a run of index objects.
pub(crate) const ENTRIES_IN_MEMORY_MAX: usize = 256 << 10;

/// A run that is less than so many times as large as the one behind it is merged with that.
pub(crate) const RUN_RATIO: u64 = 4;

/// Pages that are held.
pub(crate) const PAGES_MAX: usize = 1024;

/// Of an index object as many pages are fetched singly; more, and it is fetched whole.
pub(crate) const PAGES_SINGLY_MAX: usize = 32;

/// Bytes between two blocks of a pack that are fetched for nothing, rather than asking twice.
pub(crate) const GAP_BYTES_MAX: u32 = 64 << 10;

/// Bytes that are fetched in one piece. One block may be longer.
pub(crate) const FETCH_BYTES_MAX: u32 = 2 << 20;

/// Requests under way at the same time.
pub(crate) const REQUESTS_MAX: usize = 4;

/// A prune is due when so many bytes were added since the last one, and more than half of what was alive then.
pub(crate) const PRUNE_BYTES_MIN: u64 = 64 << 20;

/// How long what nothing needs any more is left for who may still read it, in seconds.
pub(crate) const RETIRED_SECONDS: i64 = 3600;

/// Longest manifest, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: usize = 256 << 20;

/// Entries of a pack's table: a block takes 48 bytes at least.
pub(crate) const PACK_ENTRIES_MAX: u32 = (2 * PACK_BYTES / 48) as u32 + 1;

/// A request is tried again, with growing pauses, for so long.
pub(crate) const RETRY_TIME_MAX: Duration = Duration::from_secs(60);

/// And so often.
pub(crate) const RETRIES_MAX: usize = 8;

/// A server that does not answer a request within this time does not answer.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// A server that cannot be connected to within this time is away.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
