//! What the node's main thread waits for.

use super::serving::Serving;
use std::sync::Arc;
use volume::VolumeId;

pub(super) enum Event {
    /// The mounts are gone; the process is to follow.
    Stop,
    /// A signal asks for the end.
    Signal(i32),
    /// A mount has ended.
    Ended { volume: VolumeId, mount: Arc<Serving> },
}
