//! FUSE over io_uring: whether it works here, and how root turns it on.
//!
//! The kernel (6.14 and newer) allows it once the module parameter `enable_uring` is `Y`. A connection that began without
//! it stays without it.
//!
//! # Memory
//!
//! Every possible CPU has a queue, every queue [`uring_depth`](crate::SessionConfig::uring_depth) entries, every entry a
//! page for headers and a payload buffer as large as the largest request (`max_write`). That is `CPUs * depth * max_write`
//! of address space: 8 CPUs of depth 16 with 1 MiB take 128 MiB. It is reserved, not used: the kernel hands out the entry that
//! was used last first, so the memory touched grows with the number of large requests that are really open at once, not
//! with the depth. Queues of CPUs that are not online have one entry.

use std::fs;
use std::io;

const PARAMETER: &str = "/sys/module/fuse/parameters/enable_uring";

/// Whether FUSE over io_uring can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Turned on.
    Enabled,
    /// The kernel has it; root must turn it on: [`enable`].
    Disabled,
    /// The kernel does not have it (before Linux 6.14), or the fuse module is not loaded.
    Unsupported,
}

/// Whether FUSE over io_uring can be used.
pub fn status() -> Status {
    match fs::read_to_string(PARAMETER) {
        Ok(value) if value.starts_with('Y') => Status::Enabled,
        Ok(_) => Status::Disabled,
        Err(_) => Status::Unsupported,
    }
}

/// Turns FUSE over io_uring on, for all mounts to come on this machine. Needs root.
///
/// # Errors
///
/// `PermissionDenied` for others, `NotFound` where the kernel does not have it.
pub fn enable() -> io::Result<()> {
    match status() {
        Status::Enabled => Ok(()),
        Status::Disabled => fs::write(PARAMETER, "Y"),
        Status::Unsupported => Err(io::ErrorKind::NotFound.into()),
    }
}
