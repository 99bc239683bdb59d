//! What `statx(2)` shows beyond `stat(2)`.

use crate::{Attr, flags::flags};
use std::time::Duration;

flags! {
    /// Which fields of a [`Statx`] are valid (`STATX_*`).
    StatxMask: u32 {
        /// Everything that `stat(2)` shows.
        BASIC = 0x7ff;
        /// The time of creation.
        BTIME = 0x800;
    }
}

/// The question: which fields, and how fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatxRequest {
    /// The open file that it came through.
    pub handle: Option<u64>,
    /// `AT_STATX_FORCE_SYNC`, `AT_STATX_DONT_SYNC`.
    pub flags: u32,
    /// What the caller wants to know.
    pub mask: StatxMask,
}

/// The answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statx {
    /// The attributes, `btime` included.
    pub attr: Attr,
    /// How long the kernel may use them without asking.
    pub attr_valid: Duration,
    /// Which fields are valid.
    pub mask: StatxMask,
    /// `STATX_ATTR_*` flags that are set.
    pub attributes: u64,
    /// `STATX_ATTR_*` flags that this file system knows.
    pub attributes_mask: u64,
}
