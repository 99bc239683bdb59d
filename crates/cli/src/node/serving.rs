//! A volume that is being served at a mount directory: the one place that knows the crate `mount`.

use super::events::Event;
use anyhow::{Context, Result};
use mount::{MountOptions, VolumeMount};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;
use volume::Volume;

/// A thread that only waits needs little.
const WAITER_STACK_BYTES: usize = 128 << 10;

/// A mounted volume.
pub(super) struct Serving {
    mount: VolumeMount,
    has_ended: Mutex<bool>,
    ended: Condvar,
}

impl Serving {
    /// Mounts a volume. When the mount ends, however that comes, an event says so.
    pub(super) fn start(
        volume: Arc<Volume>,
        mountpoint: &Path,
        source: String,
        read_only: bool,
        events: Sender<Event>,
    ) -> Result<Arc<Self>> {
        let id = volume.id();
        let allow_other = crate::defaults::is_root();
        let options = MountOptions { source, allow_other, read_only, transport: fuse::Transport::Auto };
        let mount = VolumeMount::start(volume, mountpoint, options)
            .with_context(|| format!("cannot mount at {}", mountpoint.display()))?;
        let serving = Arc::new(Self { mount, has_ended: Mutex::new(false), ended: Condvar::new() });
        let waiting = serving.clone();
        let wait = move || {
            waiting.wait_and_note();
            // Without the node's main thread there is nobody left to tell.
            let _ = events.send(Event::Ended { volume: id, mount: waiting });
        };
        let thread = thread::Builder::new().name(format!("wait-{id}")).stack_size(WAITER_STACK_BYTES);
        thread.spawn(wait).context("cannot start a thread")?;
        Ok(serving)
    }

    fn wait_and_note(&self) {
        if let Err(error) = self.mount.wait() {
            tracing::error!(%error, mountpoint = %self.mountpoint().display(), "a mount failed");
        }
        *self.has_ended.lock() = true;
        self.ended.notify_all();
    }

    /// Waits until the mount has ended; false if it has not by then.
    pub(super) fn wait_ended(&self, time_max: Duration) -> bool {
        let mut has_ended = self.has_ended.lock();
        self.ended.wait_while_for(&mut has_ended, |has_ended| !*has_ended, time_max);
        *has_ended
    }

    /// Whether the kernel asks again for what a mirror may have changed.
    pub(super) fn follows(&self) -> bool {
        self.mount.follows()
    }

    /// Where it is mounted.
    pub(super) fn mountpoint(&self) -> &Path {
        self.mount.mountpoint()
    }

    /// Unmounts it, unless it is in use.
    pub(super) fn unmount(&self) -> Result<()> {
        Ok(self.mount.unmount()?)
    }

    /// Takes it out of sight, in use or not.
    pub(super) fn detach(&self) -> Result<()> {
        Ok(self.mount.detach()?)
    }

    /// Why sync(2) does not reach it, if it does not.
    pub(super) fn unsynced(&self) -> Option<String> {
        self.mount.unsynced().map(str::to_owned)
    }

    /// How many requests of each kind the kernel has sent, by name.
    pub(super) fn requests(&self) -> BTreeMap<String, u64> {
        self.mount.requests().into_iter().map(|(name, count)| (name.to_ascii_lowercase(), count)).collect()
    }

    /// How long an idle CPU may take to wake up while requests are frequent, in microseconds.
    pub(super) fn idle_latency(&self) -> Option<u32> {
        self.mount.idle_latency()
    }

    /// How requests come.
    pub(super) fn transport(&self) -> String {
        self.mount.transport().to_string()
    }
}
