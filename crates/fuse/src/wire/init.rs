//! The first exchange.

use super::wire;

/// The protocol this crate speaks.
pub(crate) const MAJOR: u32 = 7;
/// The newest minor version this crate knows (Linux 6.18).
pub(crate) const MINOR: u32 = 45;
/// The oldest minor version it takes (Linux 5.4): the layouts below hold from there on.
pub(crate) const MINOR_MIN: u32 = 31;

wire! {
    /// `struct fuse_init_in`
    InitIn: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        flags2: u32,
        unused: [u32; 11],
    }

    /// `struct fuse_init_out`
    InitOut: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        max_background: u16,
        congestion_threshold: u16,
        max_write: u32,
        /// Granularity of timestamps, in nanoseconds.
        time_granularity: u32,
        max_pages: u16,
        map_alignment: u16,
        flags2: u32,
        max_stack_depth: u32,
        /// In seconds; 0: none.
        request_timeout: u16,
        unused: [u16; 11],
    }
}

/// What a kernel before 7.36 sends: [`InitIn`] up to `flags`.
pub(crate) const INIT_IN_SIZE_OLD: usize = 16;
