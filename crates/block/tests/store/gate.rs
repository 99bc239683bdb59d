//! A disk whose syncs, or one write, wait at a gate.

use block::{Disk, DiskFile, Space};
use parking_lot::{Condvar, Mutex};
use sim::SimDisk;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Where syncs wait.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    holds_next_write: bool,
    is_held: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
    }

    pub(crate) fn open(&self) {
        let mut state = self.state.lock();
        (state.is_closed, state.is_held) = (false, false);
        self.changed.notify_all();
    }

    /// The next write waits until the gate is opened; syncs and other writes pass.
    pub(crate) fn hold_next_write(&self) {
        self.state.lock().holds_next_write = true;
    }

    /// Returns when a sync or a write waits at the gate.
    pub(crate) fn await_arrival(&self) {
        let mut state = self.state.lock();
        while state.waiting == 0 {
            self.changed.wait(&mut state);
        }
    }

    fn pass_write(&self) {
        let mut state = self.state.lock();
        if !std::mem::take(&mut state.holds_next_write) {
            return;
        }
        state.is_held = true;
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_held {
            self.changed.wait(&mut state);
        }
        state.waiting -= 1;
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.is_closed {
            self.changed.wait(&mut state);
        }
        state.waiting -= 1;
    }
}

/// A simulated disk behind a gate.
pub(crate) struct GatedDisk {
    pub(crate) disk: SimDisk,
    pub(crate) gate: Arc<Gate>,
}

struct GatedFile {
    file: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl GatedDisk {
    fn gated(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(GatedFile { file, gate: self.gate.clone() })
    }
}

impl Disk for GatedDisk {
    fn create(&self, path: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.gated(self.disk.create(path, length)?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.gated(self.disk.open(path)?))
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        self.disk.length(path)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        self.disk.sync_folder(path)
    }

    fn space(&self) -> io::Result<Space> {
        self.disk.space()
    }

    fn place(&self) -> String {
        self.disk.place()
    }
}

impl DiskFile for GatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.gate.pass_write();
        self.file.write_at(slices, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}
