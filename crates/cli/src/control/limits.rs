//! Every limit of the control socket.

use std::time::Duration;

/// Longest request, in bytes: a command, a name and a path.
pub(crate) const REQUEST_BYTES_MAX: u32 = 64 << 10;

/// Longest response, in bytes: some hundred bytes per volume.
pub(crate) const RESPONSE_BYTES_MAX: u32 = 64 << 20;

/// How long a node waits for a request to arrive whole, and for its response to be taken.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a command waits for a status.
pub(crate) const STATUS_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a command waits for what writes to the disk.
pub(crate) const WORK_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// How long a command waits for a node's process to end after it said that it would.
pub(crate) const END_TIME_MAX: Duration = Duration::from_secs(60);
