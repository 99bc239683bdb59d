//! Every limit of the store, with its unit.

/// Size of a new segment unless the options say otherwise.
pub(crate) const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;
