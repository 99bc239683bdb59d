//! A directory of a node's own beside a store in which nothing is written: for its socket, its log and its copy of the index.
//!
//! It follows from the store's path and the user, so commands find the node by the store alone. It lies among the user's caches, which
//! are on a disk: a copy of an index may have to be made again from a whole log, and is too large for memory then.

use anyhow::{Context, Result, ensure};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const INDEX_FOLDER: &str = "index";
const LOCK_FILE: &str = "lock";

/// Digits of the name that tell one store from another.
const NAME_DIGITS: usize = 32;

/// The directory, for as long as a process uses it.
pub(crate) struct Runtime {
    path: PathBuf,
    _lock: File,
}

/// Where a store's directory is, or would be.
pub(crate) fn path(store: &Path) -> PathBuf {
    let name = block::Block::data(store.as_os_str().as_bytes().to_vec().into()).name().to_string();
    base().join(&name[..NAME_DIGITS])
}

/// The XDG base directory specification; the last resort is for a user who has no home.
fn base() -> PathBuf {
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    if let Some(caches) = caches.filter(|path| path.is_absolute()) {
        return caches.join("pantala");
    }
    let user = rustix::process::geteuid();
    match env::home_dir().filter(|home| home.is_absolute()) {
        _ if user.is_root() => "/var/cache/pantala".into(),
        Some(home) => home.join(".cache/pantala"),
        None => PathBuf::from("/var/tmp").join(format!("pantala-{}", user.as_raw())),
    }
}

impl Runtime {
    /// Makes that of a store. What a killed process left in it goes.
    pub(crate) fn make(store: &Path) -> Result<Self> {
        let (base, path) = (base(), path(store));
        let shown = path.display().to_string();
        let cannot = || format!("cannot make {shown}; name a directory that can be written in XDG_CACHE_HOME");
        DirBuilder::new().recursive(true).mode(0o700).create(&path).with_context(cannot)?;
        let owner = fs::symlink_metadata(&base).with_context(cannot)?;
        let is_own = owner.is_dir() && owner.uid() == rustix::process::geteuid().as_raw();
        ensure!(is_own, "{} belongs to somebody else; name another directory in XDG_CACHE_HOME", base.display());
        let lock = File::create(path.join(LOCK_FILE)).with_context(cannot)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(block::Error::Locked { path: store.display().to_string() })?,
            locked => locked.with_context(cannot)?,
        }
        let runtime = Self { path, _lock: lock };
        runtime.remove_index().with_context(cannot)?;
        Ok(runtime)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a copy of the index goes.
    pub(crate) fn index(&self) -> PathBuf {
        self.path.join(INDEX_FOLDER)
    }

    fn remove_index(&self) -> std::io::Result<()> {
        match fs::remove_dir_all(self.index()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Err(error) = self.remove_index() {
            tracing::warn!(%error, path = %self.index().display(), "a copy of an index stays until the next start");
        }
    }
}
