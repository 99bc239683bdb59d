//! The index on a real disk, which follows the log again after a disk was full or failed for a while.
//!
//! Once a write of its journal has failed, fjall takes no more until it is opened anew. That is done here, before the first write that it
//! refuses for that reason.
//!
//! Invariants:
//! - The index is closed only when the disk is known to take writes again: what it has can be read meanwhile.
//! - An index that lost what it had said to be durable is not gone on with: the store no longer looks for that in the log.
//! - The last notes may be gone afterwards, as after a crash; [`Index::generation`] tells.

use super::fjall::OpenIndex;
use super::{Index, IndexState, IndexUpdate, Location};
use crate::limits::{INDEX_PROBE_BYTES, INDEX_REOPENING_INTERVAL};
use crate::{Error, Name, Position, Result, StoreId};
use parking_lot::{Mutex, RwLock};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// An index in a folder.
pub struct FjallIndex {
    path: PathBuf,
    /// `None` if it could not be opened anew.
    open: RwLock<Option<OpenIndex>>,
    attempt: Mutex<Attempt>,
    generation: AtomicU64,
}

/// The last attempt to open it anew.
#[derive(Default)]
struct Attempt {
    /// When it failed, and why.
    failed: Option<(Instant, Error)>,
    /// Up to where the index had made the log its own when it was closed.
    watermark: Option<Position>,
}

impl FjallIndex {
    /// Opens the index in a folder, or makes one there.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::of(path, OpenIndex::open(path)?))
    }

    /// Opens the index in a folder; one that is damaged gives way to a new one, which the store fills from its log.
    pub fn open_or_renew(path: &Path) -> Result<Self> {
        Ok(Self::of(path, OpenIndex::open_or_renew(path)?))
    }

    /// Opens a copy of the index in a folder, which stays as it is; `copy` is a folder that is not there. An index that is damaged, is
    /// not there, or cannot be read is an empty one in the copy, which the store fills from its log.
    pub fn open_copy(path: &Path, copy: &Path) -> Result<Self> {
        Ok(Self::of(copy, OpenIndex::open_copy(path, copy)?))
    }

    /// Removes the index in a folder and makes an empty one.
    pub fn renew(path: &Path) -> Result<Self> {
        Ok(Self::of(path, OpenIndex::renew(path)?))
    }

    fn of(path: &Path, open: OpenIndex) -> Self {
        let (open, generation) = (RwLock::new(Some(open)), AtomicU64::new(0));
        Self { path: path.to_owned(), open, attempt: Mutex::default(), generation }
    }

    fn read<T>(&self, read: impl Fn(&OpenIndex) -> Result<T>) -> Result<T> {
        if let Some(open) = &*self.open.read() {
            return read(open);
        }
        self.open_anew()?;
        self.open.read().as_ref().map_or_else(|| Err(self.closed()), read)
    }

    fn write(&self, write: impl Fn(&OpenIndex) -> Result<()>) -> Result<()> {
        match self.read(&write) {
            Err(error) if self.is_usable() => Err(error),
            Err(_) => self.open_anew().and_then(|()| self.read(write)),
            Ok(()) => Ok(()),
        }
    }

    fn is_usable(&self) -> bool {
        self.open.read().as_ref().is_some_and(|open| !open.is_poisoned())
    }

    fn closed(&self) -> Error {
        Error::disk("open", &self.path.display().to_string(), io::Error::other("the index is closed"))
    }

    /// Opens it anew unless it is usable. It is not tried again at once; meanwhile there is the error of the last time.
    fn open_anew(&self) -> Result<()> {
        let mut attempt = self.attempt.lock();
        if self.is_usable() {
            return Ok(());
        }
        if let Some((at, error)) = &attempt.failed
            && at.elapsed() < INDEX_REOPENING_INTERVAL
        {
            return Err(error.clone());
        }
        let result = self.try_to_open_anew(&mut attempt.watermark);
        attempt.failed = result.as_ref().err().map(|error| (Instant::now(), error.clone()));
        result
    }

    fn try_to_open_anew(&self, watermark: &mut Option<Position>) -> Result<()> {
        let failed = |source| Error::disk("write", &self.path.display().to_string(), source);
        probe(self.path.parent().unwrap_or(&self.path)).map_err(failed)?;
        let mut open = self.open.write();
        if let Some(open) = &*open {
            *watermark = open.state()?.map(|state| state.watermark);
        }
        // It has the folder to itself.
        drop(open.take());
        let index = OpenIndex::open(&self.path)?;
        if index.state()?.map(|state| state.watermark) < *watermark {
            let what = format!("the index {} lost what was durable; take the pool down and up", self.path.display());
            return Err(Error::Corrupt { what });
        }
        *open = Some(index);
        self.generation.fetch_add(1, Ordering::Release);
        tracing::info!(path = %self.path.display(), "the index takes changes again");
        Ok(())
    }
}

/// Fails if the disk of a directory takes no writes. Where files cannot be without names, only opening the index tells.
fn probe(directory: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::open(directory, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode) {
        Ok(file) => {
            let mut file = File::from(file);
            file.write_all(&vec![0xA5; INDEX_PROBE_BYTES])?;
            file.sync_data()
        }
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Index for FjallIndex {
    fn get(&self, name: &Name) -> Result<Option<Location>> {
        self.read(|index| index.get(name))
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        self.read(|index| index.contains(name))
    }

    fn scan(&self, from: &Name, count: usize) -> Result<Vec<(Name, Location)>> {
        self.read(|index| index.scan(from, count))
    }

    fn state(&self) -> Result<Option<IndexState>> {
        self.read(OpenIndex::state)
    }

    fn apply(&self, update: &IndexUpdate) -> Result<()> {
        self.write(|index| index.apply(update))
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|index| index.note(key))
    }

    fn notes(&self, from: &[u8], count: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.read(|index| index.notes(from, count))
    }

    fn write_notes(&self, notes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<()> {
        self.write(|index| index.write_notes(notes))
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn reset(&self, store: StoreId) -> Result<()> {
        self.write(|index| index.reset(store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_lost_what_was_durable_is_refused_however_often_it_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let index = FjallIndex::open(&path).unwrap();
        index.reset(StoreId::from_bytes([3; StoreId::BYTES])).unwrap();
        index.apply(&IndexUpdate { watermark: Position::new(1, 640), ..IndexUpdate::default() }).unwrap();
        std::fs::remove_dir_all(&path).unwrap();
        let try_again = || {
            let mut attempt = index.attempt.lock();
            index.try_to_open_anew(&mut attempt.watermark)
        };
        for _ in 0..3 {
            assert!(matches!(try_again(), Err(Error::Corrupt { .. })));
            assert!(index.open.read().is_none());
        }
        assert_eq!(index.generation(), 0);
    }
}
