//! The directory that the test works in, and what an earlier run left there.

use super::{mounts, process};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The working directory; every path below it is the test's own.
pub(super) struct Stage {
    dir: PathBuf,
}

impl Stage {
    /// An empty working directory: what was there is unmounted, ended and removed.
    pub(super) fn new(dir: PathBuf) -> Result<Stage> {
        fs::create_dir_all(&dir)?;
        let stage = Stage { dir: dir.canonicalize()? };
        stage
            .clear()
            .with_context(|| format!("what an earlier run left in {} cannot be cleared", stage.dir.display()))?;
        fs::create_dir_all(stage.mount())?;
        Ok(stage)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The pool's mount point.
    pub(super) fn mount(&self) -> PathBuf {
        self.dir.join("mount")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// A directory on the local disk, to compare the mount with.
    pub(super) fn local(&self, name: &str) -> Result<PathBuf> {
        let directory = self.dir.join("local").join(name);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    pub(super) fn remove(&self) -> Result<()> {
        self.clear()
    }

    fn clear(&self) -> Result<()> {
        clear(&self.dir, &self.store())?;
        self.clear_users()
    }

    /// Notes where the ordinary user's part of the test works, since that is elsewhere.
    pub(super) fn note_user_directory(&self, directory: &Path) -> Result<()> {
        Ok(fs::write(self.user_note(), directory.as_os_str().as_encoded_bytes())?)
    }

    fn user_note(&self) -> PathBuf {
        self.dir.with_extension("user")
    }

    fn clear_users(&self) -> Result<()> {
        let Ok(directory) = fs::read_to_string(self.user_note()).map(PathBuf::from) else {
            return Ok(());
        };
        clear(&directory, &directory.join("store"))?;
        Ok(fs::remove_file(self.user_note())?)
    }
}

/// Ends what serves the store, unmounts what is mounted in the directory, and removes the directory.
pub(crate) fn clear(directory: &Path, store: &Path) -> Result<()> {
    process::kill_all_of_store(store)?;
    mounts::detach_below(directory)?;
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => Ok(outcome?),
    }
}
