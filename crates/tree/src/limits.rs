//! Every limit of this crate.

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// Longest value, in bytes. Larger ones belong in a block of their own, behind a link.
pub const VALUE_BYTES_MAX: usize = 8 << 10;

/// No node ends before it has this many bytes (but the last of its level).
pub(crate) const NODE_BYTES_MIN: usize = 4 << 10;

/// Bytes that a node has on average beyond [`NODE_BYTES_MIN`].
pub(crate) const NODE_BYTES_SPREAD: usize = 12 << 10;

/// A node ends with the entry that makes it this long, so none has more than this and one entry.
pub(crate) const NODE_BYTES_MAX: usize = 64 << 10;

/// Levels of a tree. Even the smallest nodes make a tree of this height larger than any disk.
pub(crate) const LEVELS_MAX: usize = 24;

/// Nodes that a search for what is lacking knows to be sound: about 40 MiB.
pub(crate) const SOUND_NODES_MAX: usize = 1 << 20;

/// Leaves that are remembered for each thread: those of a directory and of the inodes in it.
pub(crate) const FINGERS_PER_THREAD: usize = 2;

/// Threads that have leaves of their own; more of them share.
pub(crate) const FINGER_THREADS: usize = 16;

const _: () = assert!(NODE_BYTES_MAX + KEY_BYTES_MAX + VALUE_BYTES_MAX + 1024 < block::BODY_BYTES_MAX);
const _: () = assert!(NODE_BYTES_MAX / block::Name::BYTES < block::LINKS_MAX);
const _: () = assert!(VALUE_BYTES_MAX < u16::MAX as usize);
