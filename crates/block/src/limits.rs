//! Every limit of the store, with its unit. The limits of a block are part of the contract: [`BODY_BYTES_MAX`], [`LINKS_MAX`].

use crate::frame::{FRAME_ALIGNMENT_BYTES, FRAME_HEADER_BYTES};
use crate::segment_header::SEGMENT_HEADER_BYTES;
use crate::{BODY_BYTES_MAX, LINKS_MAX, Name};
use std::time::Duration;

/// Size of a new segment unless the options say otherwise.
pub(crate) const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// A sync of no more than this, in bytes, is a small one: others like it may follow.
pub(crate) const SMALL_SYNC_BYTES_MAX: u64 = 64 << 10;

/// Zeros that the first small sync takes along, in bytes; each further one that has to takes twice as many,
pub(crate) const ZEROS_AHEAD_BYTES_MIN: u32 = 32 << 10;

/// up to so many.
pub(crate) const ZEROS_AHEAD_BYTES_MAX: u32 = 256 << 10;

/// Largest segment. Offsets are 32 bits wide; this leaves room to add to one without overflow.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Longest payload of a frame: links and body.
pub(crate) const PAYLOAD_BYTES_MAX: usize = LINKS_MAX * Name::BYTES + BODY_BYTES_MAX;

/// Longest frame.
pub(crate) const FRAME_BYTES_MAX: usize = FRAME_HEADER_BYTES + PAYLOAD_BYTES_MAX + FRAME_ALIGNMENT_BYTES;

/// Memory for the hashes of pieces, in bytes: those of 8 MiB suffice for 3 GiB of blocks of 128 KiB.
pub(crate) const PIECE_HASHES_BYTES_MAX: u64 = 8 << 20;

/// Segment files kept open for reading.
pub(crate) const SEGMENT_FILES_OPEN_MAX: usize = 256;

/// Entries that may wait in memory before they are moved to the index.
pub(crate) const UNINDEXED_ENTRIES_MAX: usize = 64 << 10;

/// Bytes that the log may run ahead of the index: what recovery reads after a crash, and up to [`UNINDEXED_OVERRUN_MAX`] times
/// that where the disk cannot keep up.
pub(crate) const UNINDEXED_BYTES_MAX: u64 = 64 << 20;

/// An end of the log that is no longer than this, in bytes, is read again at each opening rather than moved to the index then.
pub(crate) const REREAD_BYTES_MAX: u64 = 1 << 20;

/// While one caller moves entries to the index, the others go on until this many times the two limits above.
pub(crate) const UNINDEXED_OVERRUN_MAX: u64 = 2;

/// Parts of the map of unindexed blocks, each with its own lock.
pub(crate) const RECENT_SHARDS: usize = 16;

/// A block whose payload is no longer than this, in bytes, is read, decompressed and hashed in less time than it takes to wake a
/// thread for that.
pub(crate) const AT_HAND_BYTES_MAX: u32 = 32 << 10;

/// Around blocks that are read and no longer than this, in bytes, others are looked for;
pub(crate) const READ_AHEAD_BLOCK_BYTES_MAX: usize = 32 << 10;

/// in a window of so many bytes.
pub(crate) const READ_AHEAD_WINDOW_BYTES: u64 = 256 << 10;

/// Windows that are kept in mind: those of 64 MiB.
pub(crate) const READ_AHEAD_WINDOWS: usize = 256;

/// Read at once when a segment is scanned for records.
pub(crate) const SCAN_WINDOW_BYTES: usize = 64 << 10;

/// Read at once when a segment is scanned for everything.
pub(crate) const RECOVERY_WINDOW_BYTES: usize = 1 << 20;

/// Read at once where the disk refused a larger piece.
pub(crate) const CAREFUL_WINDOW_BYTES: usize = 4 << 10;

/// A compressed body must save at least one part in this many.
pub(crate) const COMPRESSION_GAIN_PARTS: usize = 16;

/// Bodies above this size are compressed only if a sample of them gains.
pub(crate) const COMPRESSION_SAMPLED_BYTES_MIN: usize = 64 << 10;

/// Length of that sample.
pub(crate) const COMPRESSION_SAMPLE_BYTES: usize = 8 << 10;

/// The file of the copies. About 250 bytes for the root of each volume; the catalog takes as much again.
pub(crate) const COPIES_BYTES_MAX: usize = 8 << 20;

/// Damaged blocks that are kept in mind.
pub(crate) const DAMAGED_BLOCKS_MAX: usize = 10_000;

/// Blocks with links that a walk along links knows again: about 50 MiB.
pub(crate) const REACHED_BLOCKS_MAX: usize = 2 << 20;

/// Spare segments, for what makes space on a full disk. A checkpoint and a collection need less than one each as a rule.
pub(crate) const SPARE_SEGMENTS: u64 = 2;

/// A segment takes at most one part in so many of the disk,
pub(crate) const SEGMENT_PARTS: u64 = 64;

/// but is no smaller than this for that reason.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 1 << 20;

/// What the log leaves free for the index: one part in so many of the disk,
pub(crate) const INDEX_ROOM_PARTS: u64 = 32;

/// and no more than this.
pub(crate) const INDEX_ROOM_BYTES_MAX: u64 = 32 << 20;

/// While the index cannot be changed, the log goes on until it is so many times too far ahead of it.
pub(crate) const UNINDEXED_STOP_MAX: u64 = 8;

/// Memory for marks on blocks without links: almost four bits for each of 100 million, of which one in six dead ones then passes
/// for alive, until the next collection. Together with four to five bytes for each of the blocks with links that are alive (two and a
/// half million beside a hundred million small files) a collection stays within 64 MiB.
pub(crate) const BLOOM_BYTES_MAX: usize = 44 << 20;

/// The same, of a smaller store.
pub(crate) const BLOOM_BITS_PER_BLOCK: u64 = 12;

/// Blocks without links that are marked one by one, with four to five bytes for each, where no dead one may pass for alive: 44 MiB at
/// most. With more blocks than these, collections with several salts take the place of one.
pub(crate) const EXACT_LEAVES_MAX: u64 = 8 << 20;

/// Places looked at for each name.
pub(crate) const BLOOM_PROBES_MAX: u32 = 8;

/// Blocks that were put again while a collection marks, and that wait to be followed. Beyond it they are written anew.
pub(crate) const REVIVED_MAX: usize = 16 << 10;

/// How deep links go. Trees have up to 24 levels, and a volume's root leads to a tree of trees.
pub(crate) const MARK_DEPTH_MAX: usize = 128;

/// Blocks that are marked at a time.
pub(crate) const MARK_STEP_BLOCKS: u64 = 1024;

/// Entries of the index that are swept in a collection's first step.
pub(crate) const SWEEP_STEP_ENTRIES_FIRST: usize = 16;

/// Entries of the index that are swept at a time, at most.
pub(crate) const SWEEP_STEP_ENTRIES_MAX: usize = 64 << 10;

/// Bytes of a segment that are gone through at a time when it is rewritten.
pub(crate) const COMPACT_STEP_BYTES: u64 = 1 << 20;

/// A segment is rewritten if no more than so many of 100 bytes are alive: a byte is written for each that is freed.
pub(crate) const LIVE_PERCENT_MAX: u64 = 50;

/// The same when space is short: three bytes are written for each that is freed.
pub(crate) const LIVE_PERCENT_MAX_WHEN_SHORT: u64 = 75;

/// The same when there is no space left: nine bytes are written for each that is freed.
pub(crate) const LIVE_PERCENT_MAX_WHEN_OUT: u64 = 90;

/// Block cache of the index.
pub(crate) const INDEX_CACHE_BYTES: u64 = 16 << 20;

/// Memtable of the index: for its state, and for its roots.
pub(crate) const INDEX_MEMTABLE_BYTES: u64 = 1 << 20;

/// Write-ahead journals of the index. The least that it allows.
pub(crate) const INDEX_JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// So many notes at a time become a table of the index; fewer go through its journal.
pub(crate) const INGESTED_NOTES_MIN: usize = 1024;

/// Threads that compact the index.
pub(crate) const INDEX_THREADS: usize = 1;

/// What a disk must take, in bytes, before an index that takes no writes any more is opened anew there,
pub(crate) const INDEX_PROBE_BYTES: usize = 1 << 20;

/// and how long after a failure it is tried again.
pub(crate) const INDEX_REOPENING_INTERVAL: Duration = Duration::from_secs(1);

const _: () = assert!(FRAME_BYTES_MAX as u64 + SEGMENT_HEADER_BYTES as u64 <= SEGMENT_BYTES_MAX);
const _: () = assert!(SEGMENT_BYTES_MAX + FRAME_BYTES_MAX as u64 <= u32::MAX as u64);
