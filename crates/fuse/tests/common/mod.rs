//! Mounts that go away with the test, whatever happens in it.
#![allow(dead_code, reason = "not every test file uses everything")]

pub(crate) mod probe;

use fuse::{Filesystem, MountOptions, Session, SessionConfig, Transport, mounts, uring};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The transports that work here. io_uring is left out, with the reason, only where the kernel does not have it.
pub(crate) fn transports() -> Vec<Transport> {
    if let Err(error) = uring::enable() {
        println!("skipping io_uring: it is {:?} and cannot be turned on: {error}", uring::status());
        return vec![Transport::Device];
    }
    vec![Transport::Device, Transport::Uring]
}

/// A mounted file system that is taken away when dropped.
pub(crate) struct Mounted {
    session: Session,
    directory: TempDir,
}

impl Mounted {
    /// Mounts for root alone.
    pub(crate) fn new(filesystem: Arc<dyn Filesystem>, transport: Transport) -> Self {
        Self::with(filesystem, &MountOptions::default(), &SessionConfig { transport, ..SessionConfig::default() })
    }

    pub(crate) fn with(filesystem: Arc<dyn Filesystem>, options: &MountOptions, config: &SessionConfig) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let session = Session::mount(filesystem, directory.path(), options, config).expect("mounted");
        assert_eq!(session.capabilities().transport.is_uring(), config.transport == Transport::Uring);
        Self { session, directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }
}

impl Deref for Mounted {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        detach(self.directory.path());
    }
}

/// A directory that is unmounted before it is removed.
pub(crate) struct Mountpoint(pub(crate) TempDir);

impl Mountpoint {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().canonicalize().expect("it exists")
    }
}

impl Drop for Mountpoint {
    fn drop(&mut self) {
        detach(self.0.path());
    }
}

fn detach(path: &Path) {
    while mounts::find(path).ok().flatten().is_some() && mounts::detach(path).is_ok() {}
}

/// Waits for something that other threads or processes bring about.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
