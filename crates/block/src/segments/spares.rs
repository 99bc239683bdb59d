//! Spare segments: files of zeros that become segments when the disk has no space for another.

use super::{SEGMENTS_FOLDER, Segments, file_name};
use crate::limits::SPARE_SEGMENTS;
use crate::segment_file::SegmentFile;
use crate::{Disk, Error, Result, reserve};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

fn spare_name(number: u64) -> String {
    format!("{SEGMENTS_FOLDER}/{number}.spare")
}

/// The spares that lie on a disk.
pub(super) fn list(disk: &dyn Disk) -> BTreeSet<u64> {
    (1..=SPARE_SEGMENTS).filter(|number| disk.length(&spare_name(*number)).is_ok()).collect()
}

impl Segments {
    /// How many spares there are.
    pub(crate) fn spares(&self) -> u64 {
        self.spares.lock().len() as u64
    }

    /// How many spares are used up.
    pub(crate) fn spares_missing(&self) -> u64 {
        SPARE_SEGMENTS - self.spares()
    }

    /// Makes those that are missing, as long as there is space beside them.
    pub(crate) fn make_spares(&self, bytes: u64) -> Result<()> {
        let mut spares = self.spares.lock();
        for number in 1..=SPARE_SEGMENTS {
            if spares.contains(&number) || !self.has_room(bytes) {
                continue;
            }
            let made = self.disk.create(&spare_name(number), bytes);
            made.map_err(|source| Error::disk("create", &self.place_of(&spare_name(number)), source))?;
            spares.insert(number);
        }
        Ok(())
    }

    /// Makes a spare the segment with a number, if one is there that has so many bytes.
    pub(super) fn take_spare(&self, number: u32, bytes_min: u64) -> Option<(Arc<SegmentFile>, u64)> {
        let mut spares = self.spares.lock();
        let spare = spares.pop_first()?;
        let take = || {
            let bytes = self.disk.length(&spare_name(spare))?;
            if bytes < bytes_min {
                return Err(ErrorKind::StorageFull.into());
            }
            self.disk.rename(&spare_name(spare), &file_name(number))?;
            Ok((Arc::new(SegmentFile::new(number, self.path(number), self.disk.open(&file_name(number))?)), bytes))
        };
        let taken: std::io::Result<_> = take();
        taken.inspect_err(|error| tracing::warn!(%error, "a spare segment cannot be used")).ok()
    }

    /// Removes a spare if little of the disk is free, so that the index has some space.
    pub(crate) fn give_spare_to_index(&self) {
        let is_tight = self.disk.space().is_ok_and(|disk| disk.free_bytes < reserve::index_room(disk) / 2);
        if !is_tight {
            return;
        }
        if let Some(spare) = self.spares.lock().pop_last()
            && let Err(error) = self.disk.remove(&spare_name(spare))
        {
            tracing::warn!(%error, "a spare segment cannot be removed");
        }
    }

    /// Whether a file of some length leaves enough for the index.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.disk.space().is_ok_and(|disk| disk.free_bytes >= bytes + reserve::index_room(disk))
    }
}
