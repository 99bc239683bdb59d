//! A mounted file system.

use crate::device::Device;
use crate::idle_latency::IdleLatency;
use crate::mounts::{self, FuseMount};
use crate::workers::Workers;
use crate::{Capabilities, Filesystem, MountOptions, Notifier, Result, SessionConfig, mount, readahead, start};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A mounted file system and the threads that serve it.
///
/// Dropping it takes the mount out of sight; the threads go on until the last file in it is closed.
pub struct Session {
    mountpoint: PathBuf,
    /// What we mounted, to tell it from what others mount at the same place.
    mount: Option<FuseMount>,
    capabilities: Capabilities,
    notifier: Notifier,
    workers: Arc<Workers>,
    _idle_latency: Option<IdleLatency>,
}

impl Session {
    /// Mounts a file system and starts its threads. When it returns, requests are being served.
    ///
    /// Root mounts directly; other users need the helper `fusermount3`.
    ///
    /// # Errors
    ///
    /// Every kind of [`Error`](crate::Error) but those of unmounting; nothing stays mounted then.
    pub fn mount(
        filesystem: Arc<dyn Filesystem>,
        mountpoint: &Path,
        options: &MountOptions,
        config: &SessionConfig,
    ) -> Result<Self> {
        let mountpoint = mount::check(mountpoint)?;
        let device = Arc::new(mount::mount(&mountpoint, options)?);
        let place = mountpoint.clone();
        let workers = Workers::new(filesystem.clone(), move || abort(&place));
        let starting = workers.enter();
        match start::start(&*filesystem, &workers, &device, config) {
            Ok(capabilities) => {
                drop(starting);
                if config.no_open {
                    workers.tell_no_open(&mountpoint);
                }
                Ok(Self::started(mountpoint, capabilities, &device, workers, config))
            }
            Err(error) => {
                give_up(&mountpoint);
                Err(error)
            }
        }
    }

    fn started(
        mountpoint: PathBuf,
        mut capabilities: Capabilities,
        device: &Arc<Device>,
        workers: Arc<Workers>,
        config: &SessionConfig,
    ) -> Self {
        let mount = mounts::find(&mountpoint).ok().flatten();
        let readahead = mount.as_ref().and_then(|mount| readahead::raise(mount, config.max_readahead));
        capabilities.max_readahead = readahead.unwrap_or(capabilities.max_readahead);
        let idle_latency = config.idle_latency.then(|| workers.watch_idle_latency()).flatten();
        capabilities.idle_latency = idle_latency.as_ref().map(IdleLatency::bound);
        tracing::info!(mountpoint = %mountpoint.display(), ?capabilities, "mounted");
        let notifier = Notifier::new(device.clone());
        Self { mountpoint, mount, capabilities, notifier, workers, _idle_latency: idle_latency }
    }

    /// Waits until the file system is unmounted and its threads have ended. Several threads may wait.
    ///
    /// # Errors
    ///
    /// The first failure of a thread that serves requests; one of those who wait gets it.
    pub fn wait(&self) -> Result<()> {
        self.workers.wait()
    }

    /// Unmounts, unless something in it is in use. Then [`wait`](Self::wait) returns. Does nothing if it is not mounted any
    /// more.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`](crate::Error::Busy) if something is in use.
    pub fn unmount(&self) -> Result<()> {
        if self.is_mounted() { mounts::unmount(&self.mountpoint) } else { Ok(()) }
    }

    /// Takes the mount out of sight at once; it ends when what is open in it is closed. Does nothing if it is not mounted any
    /// more.
    ///
    /// # Errors
    ///
    /// As for [`mounts::detach`].
    pub fn detach(&self) -> Result<()> {
        if self.is_mounted() { mounts::detach(&self.mountpoint) } else { Ok(()) }
    }

    /// Cuts the connection at once: calls that wait fail with `ECONNABORTED`, all others with `ENOTCONN`, data that is
    /// not written back is lost. The dead mount is taken out of sight.
    ///
    /// # Errors
    ///
    /// As for [`mounts::abort`] and [`mounts::detach`].
    pub fn abort(&self) -> Result<()> {
        if !self.is_mounted() {
            return Ok(());
        }
        mounts::abort(&self.mountpoint)?;
        self.detach()
    }

    /// Whether what this session mounted is still the topmost mount at its place.
    fn is_mounted(&self) -> bool {
        if self.workers.has_ended() {
            return false;
        }
        match (mounts::find(&self.mountpoint), &self.mount) {
            (Ok(found), Some(ours)) => found.is_some_and(|found| found.device == ours.device),
            // Without /proc there is no telling; unmounting says what is wrong.
            _ => true,
        }
    }

    /// Tells the kernel about changes. See its documentation on deadlocks.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// How many requests of each kind the kernel has sent, by name (as in `enum fuse_opcode`); only of those that came.
    pub fn requests(&self) -> Vec<(&'static str, u64)> {
        self.workers.requests()
    }

    /// What the kernel granted, and how requests come.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Where it is mounted: an absolute path without symbolic links.
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }
}

/// A thread failed: without it some requests would wait for ever.
fn abort(mountpoint: &Path) {
    if let Err(error) = mounts::abort(mountpoint) {
        tracing::error!(%error, mountpoint = %mountpoint.display(), "cannot cut the connection");
    }
}

/// Takes back a mount that did not come about.
fn give_up(mountpoint: &Path) {
    if let Err(error) = mounts::detach(mountpoint) {
        tracing::warn!(%error, mountpoint = %mountpoint.display(), "cannot take the mount back");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
            tracing::warn!(%error, mountpoint = %self.mountpoint.display(), "cannot unmount");
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("mountpoint", &self.mountpoint)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}
