//! Every limit of this crate, with its unit.

use std::time::Duration;

/// Blocks with links that one level of a descent holds until everything below them is sent, in bytes as stored. One more block may
/// go beyond it. A tree of a million files has four levels.
pub(crate) const LEVEL_BYTES_MAX: usize = 4 << 20;

/// Targets of one transfer.
pub(crate) const TARGETS_MAX: usize = 64;

/// Blocks that are asked of a source at a time: within these it may choose the order.
pub(crate) const READ_NAMES_MAX: usize = 1024;

/// Blocks between the thread that reads and one that sends, in bytes as stored. One more block may go beyond it.
pub(crate) const QUEUE_BYTES_MAX: usize = 8 << 20;

/// What a target may have received that is not durable yet, in bytes: a lost power or a pulled drive makes at most this much
/// travel twice.
pub(crate) const UNSYNCED_BYTES_MAX: usize = 4 << 20;

/// After this many bytes a target takes note of what it has received, so that it is not garbage there.
pub(crate) const KEEP_BYTES: u64 = 64 << 20;

/// Longest message of the protocol, in bytes: a block and its kind.
pub(crate) const MESSAGE_BYTES_MAX: u32 = block::PackedBlock::ENCODED_BYTES_MAX as u32 + 1;

/// Names in one message.
pub(crate) const NAMES_MAX: usize = 16 << 10;

/// Kept roots in one message: each takes a few hundred bytes.
pub(crate) const KEPT_PER_MESSAGE: usize = 1024;

/// Kept roots that a source may offer.
pub(crate) const KEPT_OFFERED_MAX: usize = 1 << 20;

/// Read of a log between two looks at whether to go on, in bytes.
pub(crate) const VERIFY_STEP_BYTES: u64 = 8 << 20;

/// How often a place looks again after something was healed: each time it can be one level of a tree further down.
pub(crate) const VERIFY_ROUNDS_MAX: usize = 32;

/// How often a two-way sync goes round again because the other side has changed meanwhile.
pub(crate) const MERGE_ROUNDS_MAX: usize = 8;

/// Bytes of paths in one message, in which at least one difference is.
pub(crate) const LINES_BYTES_PER_MESSAGE: usize = 256 << 10;

/// A transfer tells how far it is at most this often.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

const _: () = assert!(NAMES_MAX * block::Name::BYTES < MESSAGE_BYTES_MAX as usize);
const _: () = assert!(READ_NAMES_MAX <= NAMES_MAX && LEVEL_BYTES_MAX < u32::MAX as usize);
