//! The disk that all peers get, one after another: one image, written once from end to end, behind a loop device.
//!
//! It is the same blocks for everybody, so no peer has a better place on the real disk, and none pays for space that the file
//! system below has yet to find. Direct I/O: what is read cold comes from the disk, not from a page cache below.

use crate::program::Program;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

const WRITE_BYTES: usize = 4 << 20;
const SECTOR_BYTES: u64 = 512;
/// Which of the numbers in `/sys/block/*/stat` counts the sectors written (Documentation/block/stat.rst).
const SECTORS_WRITTEN_FIELD: usize = 6;

/// A loop device, as long as this is there.
pub(super) struct Disk {
    device: PathBuf,
}

impl Disk {
    pub(super) fn make(image: &Path, bytes: u64) -> Result<Disk> {
        write_image(image, bytes).with_context(|| format!("an image of {} MiB for the peers", bytes >> 20))?;
        let options = ["--find", "--show", "--direct-io=on"];
        let device = Program::new("losetup").arguments(options).argument(image).output()?;
        Ok(Disk { device: device.trim().into() })
    }

    pub(super) fn device(&self) -> &Path {
        &self.device
    }

    /// Bytes written to it since it is there.
    pub(super) fn bytes_written(&self) -> Result<u64> {
        let name = self.device.file_name().context("a loop device has a name")?;
        let statistics = fs::read_to_string(Path::new("/sys/block").join(name).join("stat"))?;
        let sectors =
            statistics.split_whitespace().nth(SECTORS_WRITTEN_FIELD).context("a field of the disk's counts")?;
        Ok(sectors.parse::<u64>()? * SECTOR_BYTES)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        detach(&self.device);
    }
}

/// Detaches what an earlier run left.
pub(super) fn clear(image: &Path) -> Result<()> {
    let listed = Program::new("losetup").arguments(["--noheadings", "--output", "NAME", "--associated"]);
    for device in listed.argument(image).output()?.lines() {
        detach(Path::new(device.trim()));
    }
    Ok(())
}

fn detach(device: &Path) {
    if let Err(error) = Program::new("losetup").argument("--detach").argument(device).output() {
        println!("{} stays: {error:#}", device.display());
    }
}

fn write_image(image: &Path, bytes: u64) -> Result<()> {
    let mut file = File::create(image)?;
    let zeros = vec![0; WRITE_BYTES];
    for _ in 0..bytes.div_ceil(WRITE_BYTES as u64) {
        file.write_all(&zeros)?;
    }
    Ok(file.sync_all()?)
}
