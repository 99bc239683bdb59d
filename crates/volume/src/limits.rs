//! Every limit of this crate.

use std::time::Duration;

/// Longest name in a directory, in bytes (NAME_MAX).
pub const NAME_BYTES_MAX: usize = 255;

/// Longest target of a symbolic link, in bytes (PATH_MAX less the closing NUL).
pub const SYMLINK_BYTES_MAX: usize = 4095;

/// Longest name of an extended attribute, in bytes (XATTR_NAME_MAX).
pub const XATTR_NAME_BYTES_MAX: usize = 255;

/// Longest value of an extended attribute, in bytes (XATTR_SIZE_MAX).
pub const XATTR_VALUE_BYTES_MAX: usize = 64 << 10;

/// All names of an inode's extended attributes together, in bytes (XATTR_LIST_MAX).
pub const XATTR_LIST_BYTES_MAX: usize = 64 << 10;

/// Hard links to one inode.
pub const LINKS_MAX: u32 = 1 << 30;

/// Largest file, in bytes (what `off_t` holds).
pub const FILE_BYTES_MAX: u64 = i64::MAX as u64;

/// A file no longer than this lies in the tree instead of in blocks of its own, in bytes.
pub(crate) const INLINE_BYTES_MAX: usize = 2 << 10;

/// An extended attribute longer than this lies in a block of its own, in bytes.
pub(crate) const XATTR_INLINE_BYTES_MAX: usize = 4 << 10;

/// Files are cut at multiples of this, in bytes: no extent crosses one, so whatever covers an offset is found from the start of
/// its chunk. It is also the largest data block.
pub(crate) const CHUNK_BYTES: u64 = 128 << 10;

/// Log that was written, and content that went, since the last collection, before the next one begins: at least so many bytes,
pub(crate) const GARBAGE_BYTES_MIN: u64 = 256 << 20;

/// and at least one part in so many of what is alive; where space is short the first alone decides, and a quarter of it is enough.
pub(crate) const GARBAGE_LIVE_PARTS: u64 = 8;

/// Space is short when less than one part in so many of the disk is free.
pub(crate) const FREE_PARTS_SHORT: u64 = 10;

/// After a piece of work, a collection rests this many times as long as that took: it takes a quarter of a slow disk's time at
/// most, and the slower the disk answers, the longer it rests. Where space is short, and when somebody waits, it does not.
pub(crate) const GARBAGE_REST: u32 = 3;

/// After a collection failed, the next one waits at least so long, unless somebody orders one.
pub(crate) const GARBAGE_RETRY_INTERVAL: Duration = Duration::from_secs(60);

/// What a waiting change takes in journal and tree, as a multiple of what it takes in memory, about: it may make a leaf new.
pub(crate) const WAITING_CHANGES_COST: u64 = 8;

/// Bytes that are left free beyond what is promised: as much as one operation may add.
pub(crate) const ROOM_MARGIN_BYTES: u64 = 1 << 20;

/// Bytes admitted before the disk is asked again: no more than this,
pub(crate) const ROOM_ADMITTED_BYTES_MAX: u64 = 64 << 20;

/// and one part in so many of what is free, and of the reserve.
pub(crate) const ROOM_ADMITTED_PARTS: u64 = 4;

/// How long an operation waits for garbage to be collected when there is no room.
pub(crate) const ROOM_WAIT_MAX: Duration = Duration::from_secs(30);

/// How often it waits before it is refused.
pub(crate) const ROOM_TRIES_MAX: usize = 3;

/// What must have been written and freed since the last collection for an operation to wait for the next one, in bytes.
pub(crate) const ROOM_GARBAGE_BYTES_MIN: u64 = 1 << 20;

/// How often a collection is repeated with less history while there is no room.
pub(crate) const HISTORY_HALVINGS_MAX: usize = 8;

/// Inode numbers lie below this, so that 16 bits are left to tell the inodes of browsed snapshots from live ones.
pub const INODE_NUMBER_MAX: u64 = 1 << 48;

/// Inode numbers are given in lanes of two to the power of this: volumes of one identity that go on apart give them in different ones.
/// One that gives more goes on in the lane behind.
pub(crate) const INODE_LANE_BITS: u32 = 32;

/// Lanes that are tried for one that no inode is in.
pub(crate) const INODE_LANES_TRIED_MAX: usize = 16;

/// Others with whom a volume remembers a state in common.
pub(crate) const MEETINGS_MAX: usize = 8;

/// Largest hash of a name: cookies of listings, which are one more, are positive `off_t`s.
pub(crate) const NAME_HASH_MAX: u64 = i64::MAX as u64 - 1;

/// Smallest hash of a name: cookies below it are free for `.` and `..`.
pub const NAME_HASH_MIN: u64 = 16;

/// Names of volumes, in bytes.
pub const VOLUME_NAME_BYTES_MAX: usize = 200;

/// Key of a volume's setting, in bytes.
pub(crate) const SETTING_KEY_BYTES_MAX: usize = 64;

/// Value of a volume's setting, in bytes: an entry of the catalog holds all of them.
pub(crate) const SETTING_VALUE_BYTES_MAX: usize = 500;

/// Names of snapshots, in bytes.
pub const SNAPSHOT_NAME_BYTES_MAX: usize = 200;

/// Longest label of a snapshot, in bytes: its name, or that sealed and as digits. With a byte before it, it is a key.
pub(crate) const SNAPSHOT_LABEL_BYTES_MAX: usize = 511;

const _: () = assert!(SNAPSHOT_LABEL_BYTES_MAX < tree::KEY_BYTES_MAX);

/// Snapshots of one rule of a schedule that are looked at.
pub(crate) const SCHEDULED_SNAPSHOTS_MAX: usize = 20_000;

/// Roots of history that a checkpoint holds against the retention.
pub(crate) const RETENTION_BATCH_ROOTS: usize = 128;

/// How long deleting a snapshot waits for views of it that are about to be dropped.
pub(crate) const UNPIN_TIME_MAX: Duration = Duration::from_secs(1);

/// File data in memory that no block holds yet, over all volumes of a pool, in bytes. Writers wait beyond it.
pub(crate) const DIRTY_BYTES_MAX: u64 = 64 << 20;

/// Data of this many bytes is cut into blocks ahead of any sync.
pub(crate) const DIRTY_BYTES_COMMIT: u64 = DIRTY_BYTES_MAX / 2;

/// Memory of one volume's overlay that starts a checkpoint, in bytes.
pub(crate) const OVERLAY_BYTES_CHECKPOINT: u64 = 20 << 20;

/// Memory of one volume's overlay at which operations wait for the checkpoint under way, in bytes.
pub(crate) const OVERLAY_BYTES_MAX: u64 = 2 * OVERLAY_BYTES_CHECKPOINT;

/// Journal behind the last checkpoint that starts the next one, in bytes: bounds the replay after a crash.
pub(crate) const JOURNAL_BYTES_CHECKPOINT: u64 = 32 << 20;

/// A volume's root is written anew when this many bytes of log lie behind it, so that no idle volume makes recovery look far back.
pub(crate) const ROOT_AGE_BYTES_MAX: u64 = 128 << 20;

/// Times of access that are kept aside before they are settled: 24 bytes of memory and more for each. Beyond twice as many none is noted.
pub(crate) const ACCESSES_ASIDE_MAX: usize = 256 << 10;

/// How long they are kept aside while the volume does not rest.
pub(crate) const ACCESSES_ASIDE_TIME: Duration = Duration::from_secs(10 * 60);

/// How long changes wait for a checkpoint.
pub(crate) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);

/// Blocks of the content of what is erased together: 32 bytes of memory and more for each.
pub(crate) const ERASE_BLOCKS_MAX: usize = 2 << 20;

/// Paths that are shown of what is about to be erased.
pub(crate) const ERASE_PATHS_SHOWN: usize = 8;

/// How often an erase removes what somebody makes anew meanwhile.
pub(crate) const ERASE_PASSES_MAX: usize = 8;

/// Kept states that are edited with one durable root.
pub(crate) const ERASE_BATCH_STATES: usize = 256;

/// Collections of a purge of a store with so many blocks that a few dead ones pass for alive in each.
pub(crate) const PURGE_ROUNDS_MAX: usize = 8;

/// Bytes of one part of a journal group. Its last item may go beyond it.
pub(crate) const JOURNAL_PART_BYTES: usize = 512 << 10;

/// Links of one part of a journal group.
pub(crate) const JOURNAL_PART_LINKS_MAX: usize = 8 << 10;

/// Entries of a directory that a listing takes at a time.
pub(crate) const DIRECTORY_BATCH_ENTRIES: usize = 256;

/// Ranges that are reserved for a file; beyond, the shortest go.
pub(crate) const RESERVED_RANGES_MAX: usize = 256;

/// Space is reserved in multiples of this, in bytes.
pub(crate) const RESERVED_UNIT_BYTES: u64 = 4096;

/// What an inode with its name counts against a quota, in bytes: about what it takes in the tree.
pub(crate) const QUOTA_INODE_BYTES: u64 = 512;

/// A time of last access that is older is set by the next read, whatever else is so (as the kernel's `relatime` does).
pub(crate) const ACCESS_TIME_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Extents of a file that are taken from a layer at a time.
pub(crate) const EXTENT_BATCH: usize = 1024;

/// Blocks that the ledger takes in at a time.
pub(crate) const LEDGER_BATCH_BLOCKS: usize = 16 << 10;

/// Memory for decoded tree nodes, in bytes, per pool.
pub(crate) const NODE_CACHE_BYTES: u64 = 32 << 20;

/// A read of more than this, in bytes, is too much work for a thread that takes requests, unless it is all in memory.
pub(crate) const AT_HAND_BYTES_MAX: usize = 64 << 10;

/// Reads of no less than this, in bytes, are looked at whether they go on where the last one ended;
pub(crate) const STREAM_READ_BYTES_MIN: u64 = 256 << 10;

/// then so many bytes ahead of them are fetched.
pub(crate) const STREAM_AHEAD_BYTES: u64 = 2 << 20;

/// Files that can be read so at once.
pub(crate) const STREAM_SLOTS: usize = 256;

/// Memory for decoded data blocks, in bytes, per pool.
pub(crate) const DATA_CACHE_BYTES: u64 = 8 << 20;

/// Locks on inodes: inodes whose numbers differ by a multiple of this share one.
pub(crate) const LOCK_STRIPES: usize = 1024;

/// Parts of the overlay, each under its own lock.
pub(crate) const OVERLAY_SHARDS: usize = 64;

/// Damaged stretches of the log, and blocks that are lacking, that a scrub keeps in mind.
pub(crate) const SCRUB_DAMAGES_MAX: usize = 10_000;

/// Blocks to which a scrub's walk comes in a step.
pub(crate) const SCRUB_WALK_STEP_BLOCKS: usize = 1_000;

/// Users that a scrub names of a block.
pub(crate) const SCRUB_USERS_MAX: usize = 100;

/// Nodes of an archive's kept roots that are held decoded, in bytes.
pub(crate) const ARCHIVE_CACHE_BYTES: u64 = 4 << 20;

/// Kept roots of an archive.
pub(crate) const KEPT_ROOTS_MAX: usize = 1 << 20;

/// Threads that cut full blocks ahead of a sync, per pool.
pub(crate) const FLUSH_THREADS: usize = 2;

const _: () = assert!(JOURNAL_PART_BYTES + XATTR_VALUE_BYTES_MAX + 1024 < block::BODY_BYTES_MAX);
const _: () = assert!(JOURNAL_PART_LINKS_MAX < block::LINKS_MAX);
const _: () = assert!(16 * RESERVED_RANGES_MAX < tree::VALUE_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES as usize <= block::BODY_BYTES_MAX);
const _: () = assert!(SYMLINK_BYTES_MAX < tree::VALUE_BYTES_MAX && XATTR_INLINE_BYTES_MAX < tree::VALUE_BYTES_MAX);
