//! The segments of a store: which there are, and their files.
//!
//! Invariant: a number is in the set only while the segment is part of the log. In the set's order, each segment follows on the
//! one before.

use crate::checksum::Salt;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader};
use crate::limits::SEGMENT_FILES_OPEN_MAX;
use crate::segment_file::SegmentFile;
use crate::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::{Disk, Error, Location, Position, Result, StoreId};
use bytes::Bytes;
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use std::collections::BTreeSet;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

/// The folder that holds the segments.
pub(crate) const SEGMENTS_FOLDER: &str = "segments";

const SUFFIX: &str = ".segment";

/// The segments of one store.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    store: StoreId,
    numbers: RwLock<BTreeSet<u32>>,
    files: Cache<u32, Arc<SegmentFile>>,
}

impl Segments {
    /// The segments that lie on a disk.
    pub(crate) fn new(disk: Arc<dyn Disk>, store: StoreId) -> Result<Self> {
        let numbers = RwLock::new(list(&*disk)?);
        Ok(Self { disk, store, numbers, files: Cache::new(SEGMENT_FILES_OPEN_MAX) })
    }

    /// The store's identity.
    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.numbers.read().len()
    }

    /// The numbers from one on, in order.
    pub(crate) fn numbers_from(&self, number: u32) -> Vec<u32> {
        self.numbers.read().range(number..).copied().collect()
    }

    /// The segment behind another one.
    pub(crate) fn successor(&self, number: u32) -> Option<u32> {
        self.numbers.read().range(number + 1..).next().copied()
    }

    /// The segment's file, open.
    pub(crate) fn open(&self, number: u32) -> Result<Arc<SegmentFile>> {
        self.files.get_or_insert_with(&number, || self.open_uncached(number))
    }

    fn open_uncached(&self, number: u32) -> Result<Arc<SegmentFile>> {
        let path = self.path(number);
        match self.disk.open(&file_name(number)) {
            Ok(file) => Ok(Arc::new(SegmentFile::new(number, path, file))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Error::Corrupt { what: format!("{path} is missing") })
            }
            Err(error) => Err(Error::disk("open", &path, error)),
        }
    }

    /// The segment's header, or `None` if it has no valid one.
    pub(crate) fn header(&self, number: u32) -> Result<Option<SegmentHeader>> {
        let file = self.open(number)?;
        let bytes = file.read(0, SEGMENT_HEADER_BYTES)?;
        let header = SegmentHeader::decode(&bytes, number, &self.disk.place())?;
        if header.is_some_and(|header| header.store != self.store) {
            return Err(Error::Corrupt { what: format!("{} belongs to another store", file.path) });
        }
        Ok(header)
    }

    /// Makes a segment of some length. Neither its header nor its name is durable yet.
    pub(crate) fn create(&self, header: &SegmentHeader, bytes: u64) -> Result<Arc<SegmentFile>> {
        let path = self.path(header.number);
        let failed = |source| Error::disk("create", &path, source);
        let file = self.disk.create(&file_name(header.number), bytes).map_err(failed)?;
        file.write_at(&[IoSlice::new(&header.encode())], 0).map_err(failed)?;
        let file = Arc::new(SegmentFile::new(header.number, path, file));
        self.files.insert(header.number, file.clone());
        self.numbers.write().insert(header.number);
        Ok(file)
    }

    /// Removes a segment that is no part of the log.
    pub(crate) fn remove(&self, number: u32) -> Result<()> {
        self.numbers.write().remove(&number);
        self.files.remove(&number);
        self.disk.remove(&file_name(number)).map_err(|source| Error::disk("remove", &self.path(number), source))
    }

    /// Makes the names of new and removed segments durable.
    pub(crate) fn sync_names(&self) -> Result<()> {
        self.disk.sync_folder(SEGMENTS_FOLDER).map_err(|source| Error::disk("sync", &self.folder(), source))
    }

    /// The frame at a location: its header and its payload, not yet compared with its checksum.
    pub(crate) fn read(&self, location: Location) -> Result<(FrameHeader, Bytes)> {
        let Location { position, payload_bytes } = location;
        let file = self.open(position.segment())?;
        let bytes = file.read(position.offset() as u64, FRAME_HEADER_BYTES + payload_bytes as usize)?;
        let salt = Salt { store: self.store, position };
        let header = FrameHeader::decode(&bytes, salt)
            .map_err(|fault| Error::Corrupt { what: format!("{} at {}: {fault}", file.path, position.offset()) })?;
        Ok((header, Bytes::from(bytes).slice(FRAME_HEADER_BYTES..)))
    }

    /// The header of the frame at a position.
    pub(crate) fn read_header_at(&self, position: Position) -> Result<FrameHeader> {
        let file = self.open(position.segment())?;
        let bytes = file.read(position.offset() as u64, FRAME_HEADER_BYTES)?;
        let salt = Salt { store: self.store, position };
        FrameHeader::decode(&bytes, salt)
            .map_err(|fault| Error::Corrupt { what: format!("{} at {}: {fault}", file.path, position.offset()) })
    }

    fn path(&self, number: u32) -> String {
        format!("{}/{}", self.disk.place(), file_name(number))
    }

    fn folder(&self) -> String {
        format!("{}/{SEGMENTS_FOLDER}", self.disk.place())
    }
}

/// The numbers of the segments on a disk; a folder that is not there holds none.
pub(crate) fn list(disk: &dyn Disk) -> Result<BTreeSet<u32>> {
    match disk.list(SEGMENTS_FOLDER) {
        Ok(names) => Ok(names.iter().filter_map(|name| number_of(name)).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Error::disk("list", &format!("{}/{SEGMENTS_FOLDER}", disk.place()), error)),
    }
}

fn file_name(number: u32) -> String {
    format!("{SEGMENTS_FOLDER}/{number:010}{SUFFIX}")
}

/// The first bytes of a segment's file, to learn whose it is before a store is known.
pub(crate) fn read_header(disk: &dyn Disk, number: u32) -> Result<Option<SegmentHeader>> {
    let failed = |source| Error::disk("read", &format!("{}/{}", disk.place(), file_name(number)), source);
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let length = disk.open(&file_name(number)).and_then(|file| file.read_at(&mut bytes, 0)).map_err(failed)?;
    SegmentHeader::decode(&bytes[..length], number, &disk.place())
}

fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && format!("{number:010}{SUFFIX}") == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_store_gives_count_as_segments() {
        assert_eq!(number_of("0000000012.segment"), Some(12));
        for name in ["12.segment", "0000000000.segment", "0000000012.segment.old", "x", "+000000012.segment"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
