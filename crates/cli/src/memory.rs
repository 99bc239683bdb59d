//! The daemon's memory.
//!
//! The C library's allocator keeps what was freed, for the next burst. A daemon that rests gives it back: blocks that one thread
//! allocated and another freed included, which allocators with a heap per thread keep until that thread runs again. Measured with
//! a million files written, listed and read: 40 to 55 MiB resident at rest, with mimalloc 88 to 97 MiB.

/// Gives back to the system what is not in use.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and has no other precondition.
    unsafe {
        libc::malloc_trim(0);
    }
}
