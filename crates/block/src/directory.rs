//! A store in a directory of this machine.
//!
//! Invariants:
//! - A directory that is neither empty nor a store is never written to.
//! - At most one process has a store open: it holds an exclusive lock on the file `lock`, which the kernel drops with it.

use crate::index::FjallIndex;
use crate::layout::{self, INDEX_FOLDER, LOCK_FILE, Survey};
use crate::real_disk::{RealDisk, make_directory};
use crate::recovery::Progress;
use crate::{Disk, Error, Result, Store, StoreOptions};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// What to do when a directory holds no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Make one, if the directory is empty or not there.
    Create,
    /// Fail.
    MustExist,
}

impl Store {
    /// Opens the store in a directory, or makes one if the mode says so.
    ///
    /// [`Error::NotAStore`] if something else is there, [`Error::NewerVersion`] if a newer version made it, [`Error::Locked`]
    /// if it is open already; in none of these cases is anything written.
    pub fn open_directory(path: &Path, options: StoreOptions, mode: OpenMode) -> Result<Self> {
        let survey = survey(path)?;
        match (&survey, mode) {
            (Survey::Other(why), _) => return Err(not_a_store(path, why)),
            (Survey::Empty, OpenMode::MustExist) => return Err(not_a_store(path, "it is empty or not there")),
            (Survey::Empty, OpenMode::Create) => {
                make_directory(path).map_err(|source| Error::disk("make", &path.display().to_string(), source))?;
            }
            (Survey::Store(_), _) => {}
        }
        let lock = DirectoryLock::take(path)?;
        let disk = Arc::new(RealDisk::new(path));
        let index = Box::new(FjallIndex::open_or_renew(&path.join(INDEX_FOLDER))?);
        let store = match survey {
            Survey::Store(_) => Self::open(disk, index, options)?,
            _ => Self::create(disk, index, options)?,
        };
        store.keep_lock(lock);
        Ok(store)
    }

    /// Drops the index of the store in a directory and makes it again from the segments. `progress` is called with the bytes
    /// read and the bytes to read.
    pub fn reindex_directory(path: &Path, options: StoreOptions, progress: Progress<'_>) -> Result<Self> {
        if let Survey::Empty | Survey::Other(_) = survey(path)? {
            return Err(not_a_store(path, "there is nothing to index"));
        }
        let lock = DirectoryLock::take(path)?;
        let index = Box::new(FjallIndex::renew(&path.join(INDEX_FOLDER))?);
        let store = Self::open_with_progress(Arc::new(RealDisk::new(path)), index, options, progress)?;
        store.keep_lock(lock);
        Ok(store)
    }
}

/// Looks what is in a directory; one that is not there is empty.
fn survey(path: &Path) -> Result<Survey> {
    let disk = RealDisk::new(path);
    match disk.list("") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Survey::Empty),
        _ => layout::survey(&disk),
    }
}

fn not_a_store(path: &Path, why: &str) -> Error {
    Error::NotAStore { path: path.display().to_string(), why: why.to_owned() }
}

/// The exclusive use of a directory, until it is dropped.
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock, and leaves this process's id in the file for whoever asks who has it.
    fn take(path: &Path) -> Result<Self> {
        let lock = path.join(LOCK_FILE);
        let failed = |source| Error::disk("lock", &lock.display().to_string(), source);
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::Locked { path: path.display().to_string() });
            }
            result => result.map_err(|errno| failed(errno.into()))?,
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
