//! A mounted file system.

use crate::{Capabilities, Filesystem, MountOptions, Notifier, Result, SessionConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A mounted file system and the threads that serve it.
///
/// Dropping it detaches the mount; the threads go on until the last file in it is closed.
pub struct Session {
    mountpoint: PathBuf,
    capabilities: Capabilities,
    notifier: Notifier,
}

impl Session {
    /// Mounts a file system and starts its threads. When it returns, requests are being served.
    ///
    /// # Errors
    ///
    /// See [`Error`](crate::Error).
    pub fn mount(
        filesystem: Arc<dyn Filesystem>,
        mountpoint: &Path,
        options: &MountOptions,
        config: &SessionConfig,
    ) -> Result<Self> {
        let _ = (filesystem, mountpoint, options, config);
        Err(crate::Error::NoDevice)
    }

    /// Waits until the file system is unmounted and its threads have ended. May be called by several threads.
    ///
    /// # Errors
    ///
    /// The first failure of a thread that serves requests.
    pub fn wait(&self) -> Result<()> {
        Ok(())
    }

    /// Unmounts, unless something in it is in use.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`](crate::Error::Busy) if something is.
    pub fn unmount(&self) -> Result<()> {
        crate::mounts::unmount(&self.mountpoint)
    }

    /// Takes the mount away from sight at once; it ends when what is open in it is closed.
    ///
    /// # Errors
    ///
    /// As for [`mounts::detach`](crate::mounts::detach).
    pub fn detach(&self) -> Result<()> {
        crate::mounts::detach(&self.mountpoint)
    }

    /// Tells the kernel about changes. See its documentation on deadlocks.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// What the kernel granted.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Where it is mounted.
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }
}
