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

    /// Opens the store in a directory to be read only. Nothing in the directory is changed, so it may lie where nothing can be written;
    /// it is locked if it has a lock that can be had. `index` is a folder that is not there, elsewhere: the index is opened, and brought
    /// up to the log, in a copy there. `progress` is called with the bytes of the log that were read for this, and those to read.
    pub fn open_directory_read_only(
        path: &Path,
        index: &Path,
        options: StoreOptions,
        progress: Progress<'_>,
    ) -> Result<Self> {
        match survey(path)? {
            Survey::Store(_) => {}
            Survey::Empty => return Err(not_a_store(path, "it is empty or not there")),
            Survey::Other(why) => return Err(not_a_store(path, &why)),
        }
        let lock = DirectoryLock::take_to_read(path)?;
        let index = Box::new(FjallIndex::open_copy(&path.join(INDEX_FOLDER), index)?);
        let store = Self::open_read_only(Arc::new(RealDisk::to_read(path)), index, options, progress)?;
        lock.into_iter().for_each(|lock| store.keep_lock(lock));
        Ok(store)
    }

    /// Whether a directory holds a store with an index; nothing is changed.
    pub fn has_index(path: &Path) -> bool {
        matches!(survey(path), Ok(Survey::Store(_))) && path.join(INDEX_FOLDER).is_dir()
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
        store.flush_index()?;
        Ok(store)
    }
}

/// Looks what is in a directory; one that is not there is empty.
fn survey(path: &Path) -> Result<Survey> {
    let disk = RealDisk::to_read(path);
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
        lock_exclusively(&file, path, &lock)?;
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Takes the lock without writing anything; `None` if there is none, or the medium has no locks.
    fn take_to_read(path: &Path) -> Result<Option<Self>> {
        let lock = path.join(LOCK_FILE);
        let file = match File::open(&lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|source| Error::disk("lock", &lock.display().to_string(), source))?,
        };
        match lock_exclusively(&file, path, &lock) {
            Err(Error::Disk { source, .. }) if has_no_locks(&source) => Ok(None),
            locked => locked.map(|()| Some(Self { _file: file })),
        }
    }
}

fn lock_exclusively(file: &File, path: &Path, lock: &Path) -> Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Error::Locked { path: path.display().to_string() }),
        result => result.map_err(|errno| Error::disk("lock", &lock.display().to_string(), errno.into())),
    }
}

/// flock(2): a network file system that was mounted without locks, or a file that it locks only for writers.
fn has_no_locks(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| [Errno::NOLCK, Errno::OPNOTSUPP, Errno::BADF].contains(&errno))
}
