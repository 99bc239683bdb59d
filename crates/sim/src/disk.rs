//! The simulated disk.
//!
//! Invariants:
//! - Only a file's sync makes its content durable, only a folder's sync makes its names durable.
//! - A crash keeps any part of what was not synced: sectors and names each by themselves, decided by a seed.
//! - After the power is gone, every operation fails and nothing changes.

use crate::faults::{Fate, Faults};
use crate::file::FileState;
use crate::folder::{FileNumber, Names};
use crate::random::Random;
use block::{Disk, DiskFile, Space};
use parking_lot::Mutex;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

/// How many of 100 unsynced changes a crash may keep. The extremes are the likely ones on real disks.
const SURVIVE_PERCENTS: [u64; 6] = [0, 10, 50, 90, 99, 100];

/// Size of the disk unless a test sets another.
const CAPACITY_BYTES: u64 = 1 << 40;

/// A disk in memory that keeps what was written and what is durable apart. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct State {
    names: Names,
    files: Vec<FileState>,
    faults: Faults,
    syncs: u64,
    capacity_bytes: u64,
    /// The disk after each operation, if somebody wants to know.
    images: Option<Vec<SimDisk>>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::with_state(State {
            names: Names::default(),
            files: Vec::new(),
            faults: Faults::default(),
            syncs: 0,
            capacity_bytes: CAPACITY_BYTES,
            images: None,
        })
    }

    /// Another disk with the same content, durable and not. Cheap: sectors are shared.
    pub fn image(&self) -> Self {
        Self::with_state(self.state.lock().image())
    }

    /// Keeps an image of the disk after each operation that changes it, from now on: every moment at which the power can go.
    pub fn keep_images(&self) {
        self.state.lock().images = Some(Vec::new());
    }

    /// The images kept since the last call.
    pub fn take_images(&self) -> Vec<Self> {
        self.state.lock().images.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The disk as it is after a loss of power now: what was synced, and a part of the rest that the seed chooses. This disk
    /// stays as it is.
    pub fn crash(&self, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let survive_percent = SURVIVE_PERCENTS[random.below(SURVIVE_PERCENTS.len() as u64) as usize];
        let state = self.state.lock();
        Self::with_state(State {
            names: state.names.after_crash(&mut random, survive_percent),
            files: state.files.iter().map(|file| file.after_crash(&mut random, survive_percent)).collect(),
            faults: Faults::default(),
            syncs: 0,
            capacity_bytes: state.capacity_bytes,
            images: None,
        })
    }

    /// The disk after a loss of power now, of which nothing survives but what was synced.
    pub fn crash_to_durable(&self) -> Self {
        let state = self.state.lock();
        let names = state.names.after_crash(&mut Random::new(0), 0);
        let files = state.files.iter().map(|file| file.after_crash(&mut Random::new(0), 0)).collect();
        let (faults, capacity_bytes) = (Faults::default(), state.capacity_bytes);
        Self::with_state(State { names, files, faults, syncs: 0, capacity_bytes, images: None })
    }

    /// The disk as the next process finds it when only the process has ended: all that was written is there, and what no sync
    /// covered can still be lost. This disk stays as it is.
    pub fn restart(&self) -> Self {
        let state = self.state.lock().image();
        Self::with_state(State { faults: Faults::default(), ..state })
    }

    /// How many operations have changed the disk, or tried to: creations of files and folders, writes, cuts, removals, renames,
    /// syncs.
    pub fn operations(&self) -> u64 {
        self.state.lock().faults.operations()
    }

    /// How many syncs of files there were.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// The power goes at this operation, counted from 0: it fails although a part of it may survive the crash, and every later
    /// one fails without effect.
    pub fn stop_at(&self, operation: u64) {
        self.state.lock().faults.stop_at(operation);
    }

    /// Whether the power is gone.
    pub fn is_stopped(&self) -> bool {
        self.state.lock().faults.is_stopped()
    }

    /// This operation fails, counted from 0.
    pub fn fail_at(&self, operation: u64, kind: ErrorKind) {
        self.state.lock().faults.fail_at(operation, kind);
    }

    /// Syncs of files do nothing from now on, and say that they did: a disk that lies.
    pub fn ignore_syncs(&self) {
        self.state.lock().faults.ignore_syncs();
    }

    /// Syncs of folders do nothing from now on, and say that they did.
    pub fn ignore_folder_syncs(&self) {
        self.state.lock().faults.ignore_folder_syncs();
    }

    /// This sync of a file, counted from 0, does nothing, and says that it did.
    pub fn skip_sync(&self, number: u64) {
        self.state.lock().faults.skip_sync(number);
    }

    /// Syncs of files cover only the last write from now on: what was written before it reaches the disk after it.
    pub fn reverse_syncs(&self) {
        self.state.lock().faults.reverse_syncs();
    }

    /// Sets the size. A file for which there is no space is not made.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Flips bits of a file's byte: damage by the medium.
    pub fn flip(&self, path: &str, offset: u64, mask: u8) {
        let mut state = self.state.lock();
        if let Some(file) = state.names.get(path) {
            state.files[file].flip(offset, mask);
        }
    }

    /// The paths of the files in a folder.
    pub fn paths(&self, folder: &str) -> Vec<String> {
        self.state.lock().names.list(folder).into_iter().map(|name| format!("{folder}/{name}")).collect()
    }

    fn with_state(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Runs a change of the disk, unless it is to fail.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        let result = match state.faults.next() {
            Fate::Work => change(&mut state),
            Fate::Interrupted => {
                change(&mut state)?;
                Err(power_is_gone())
            }
            Fate::Fail(kind) => Err(kind.into()),
            Fate::Gone => Err(power_is_gone()),
        };
        state.keep_image();
        result
    }

    fn file(&self, number: FileNumber) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), number })
    }
}

impl State {
    fn image(&self) -> Self {
        Self { images: None, ..self.clone() }
    }

    fn keep_image(&mut self) {
        let image = self.images.is_some().then(|| SimDisk::with_state(self.image()));
        if let (Some(images), Some(image)) = (&mut self.images, image) {
            images.push(image);
        }
    }

    fn create(&mut self, path: &str, length: u64) -> io::Result<FileNumber> {
        if !self.names.has_folder_of(path) {
            return Err(ErrorKind::NotFound.into());
        }
        if self.names.get(path).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if length > self.free_bytes() {
            return Err(ErrorKind::StorageFull.into());
        }
        self.files.push(FileState::zeros(length));
        self.names.link(path, self.files.len() - 1);
        Ok(self.files.len() - 1)
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        self.find(path)?;
        self.names.unlink(path);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        self.names.rename(from, to, file);
        Ok(())
    }

    fn find(&self, path: &str) -> io::Result<FileNumber> {
        self.names.get(path).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Syncs a file. A sync in which the power goes has made nothing durable for certain, so the crash decides.
    fn sync(&mut self, number: FileNumber, fate: Fate) -> io::Result<()> {
        let sync = self.syncs;
        self.syncs += 1;
        match fate {
            Fate::Work if self.faults.ignores_sync(sync) => Ok(()),
            Fate::Work if self.faults.reverses_syncs() => {
                self.files[number].sync_last_write();
                Ok(())
            }
            Fate::Work => {
                self.files[number].sync();
                Ok(())
            }
            Fate::Interrupted | Fate::Gone => Err(power_is_gone()),
            Fate::Fail(kind) => {
                self.files[number].fail_sync();
                Err(kind.into())
            }
        }
    }

    fn sync_folder(&mut self, path: &str, fate: Fate) -> io::Result<()> {
        match fate {
            Fate::Work if self.faults.ignores_folder_syncs() => Ok(()),
            Fate::Work => {
                self.names.sync(path);
                Ok(())
            }
            Fate::Interrupted | Fate::Gone => Err(power_is_gone()),
            Fate::Fail(kind) => Err(kind.into()),
        }
    }

    fn free_bytes(&self) -> u64 {
        let used: u64 = self.names.files().map(|file| self.files[file].length()).sum();
        self.capacity_bytes.saturating_sub(used)
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.change(|state| state.create(path, length))?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        check_power(&state)?;
        Ok(self.file(state.find(path)?))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        let state = self.state.lock();
        check_power(&state)?;
        Ok(state.files[state.find(path)?].length())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        check_power(&state)?;
        if !state.names.has_folder(folder) {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(state.names.list(folder))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        check_power(&self.state.lock())?;
        if self.state.lock().names.has_folder(path) {
            return Ok(());
        }
        self.change(|state| {
            state.names.make_folder(path);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.change(|state| state.remove(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|state| state.rename(from, to))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        let fate = state.faults.next();
        let result = state.sync_folder(path, fate);
        state.keep_image();
        result
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state.lock();
        Ok(Space { total_bytes: state.capacity_bytes, free_bytes: state.free_bytes() })
    }

    fn place(&self) -> String {
        "simulated".to_owned()
    }
}

struct SimFile {
    disk: SimDisk,
    number: FileNumber,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state.lock();
        check_power(&state)?;
        Ok(state.files[self.number].read(buffer, offset))
    }

    /// No operation of its own: a crash at the next one meets what is written here.
    fn will_write(&self, offset: u64, bytes: u64) {
        let mut state = self.disk.state.lock();
        if !state.faults.is_stopped() {
            state.files[self.number].write(&vec![0; bytes as usize], offset);
        }
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.disk.change(|state| {
            state.files[self.number].write(&bytes, offset);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let fate = state.faults.next();
        let result = state.sync(self.number, fate);
        state.keep_image();
        result
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state.lock();
        check_power(&state)?;
        Ok(state.files[self.number].length())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.change(|state| {
            state.files[self.number].set_length(length);
            Ok(())
        })
    }
}

fn check_power(state: &State) -> io::Result<()> {
    if state.faults.is_stopped() { Err(power_is_gone()) } else { Ok(()) }
}

fn power_is_gone() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the power is gone")
}
