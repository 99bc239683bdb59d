//! The segments of a store: which there are, and their files.
//!
//! Invariant: a number is in the set only while the segment is part of the log. In the set's order, each segment follows on the
//! one before. A gap is a segment that says only this: it stands for one or more that were retired (`gaps`).

mod gaps;
mod spares;

use crate::checksum::Salt;
use crate::frame::{FRAME_HEADER_BYTES, FrameHeader};
use crate::limits::{READ_AHEAD_WINDOW_BYTES, SEGMENT_FILES_OPEN_MAX};
use crate::read_ahead::ReadAhead;
use crate::segment_file::SegmentFile;
use crate::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::{Disk, Error, Location, Patience, Position, Result, StoreId, reserve};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

/// The folder that holds the segments.
pub(crate) const SEGMENTS_FOLDER: &str = "segments";

const SUFFIX: &str = ".segment";

const GAP_SUFFIX: &str = ".gap";

/// What lies under a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Frames.
    Written,
    /// Nothing any more: a gap, which stands for all segments from the first to this one.
    Gap {
        /// The first.
        first: u32,
    },
}

impl Kind {
    fn is_gap(self) -> bool {
        matches!(self, Self::Gap { .. })
    }
}

/// What lies in the folder of segments.
#[derive(Default)]
pub(crate) struct Listing {
    /// The segments and gaps of the log, by their numbers.
    pub(crate) numbers: BTreeMap<u32, Kind>,
    /// Files of what gaps stand for: a crash left them.
    retired: Vec<String>,
}

/// The segments of one store.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    store: StoreId,
    numbers: RwLock<BTreeMap<u32, Kind>>,
    /// Files of retired segments that are still to be removed.
    retired: Mutex<Vec<String>>,
    /// Spare segments that are there.
    spares: Mutex<BTreeSet<u64>>,
    files: Cache<u32, Arc<SegmentFile>>,
    read_ahead: ReadAhead,
}

impl Segments {
    /// The segments that lie on a disk.
    pub(crate) fn new(disk: Arc<dyn Disk>, store: StoreId) -> Result<Self> {
        let Listing { numbers, retired } = list(&*disk)?;
        let (numbers, retired) = (RwLock::new(numbers), Mutex::new(retired));
        let spares = Mutex::new(spares::list(&*disk));
        Ok(Self {
            disk,
            store,
            numbers,
            retired,
            spares,
            files: Cache::new(SEGMENT_FILES_OPEN_MAX),
            read_ahead: ReadAhead::default(),
        })
    }

    /// The store's identity.
    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.numbers.read().values().filter(|kind| **kind == Kind::Written).count()
    }

    /// What they take on the disk, in bytes.
    pub(crate) fn bytes(&self) -> Result<u64> {
        self.written_below(u32::MAX).into_iter().map(|number| self.length(number)).sum()
    }

    /// What one that has frames takes on the disk, in bytes.
    pub(crate) fn length(&self, number: u32) -> Result<u64> {
        self.disk.length(&file_name(number)).map_err(|source| Error::disk("measure", &self.path(number), source))
    }

    /// The numbers from one on, in order.
    pub(crate) fn numbers_from(&self, number: u32) -> Vec<u32> {
        self.numbers.read().range(number..).map(|(number, _)| *number).collect()
    }

    /// Those below a number that have frames, in order.
    pub(crate) fn written_below(&self, number: u32) -> Vec<u32> {
        let numbers = self.numbers.read();
        let written = numbers.range(..number).filter(|(_, kind)| **kind == Kind::Written);
        written.map(|(number, _)| *number).collect()
    }

    /// Those from a number on that have frames, in order.
    pub(crate) fn written_from(&self, number: u32) -> Vec<u32> {
        let numbers = self.numbers.read();
        let written = numbers.range(number..).filter(|(_, kind)| **kind == Kind::Written);
        written.map(|(number, _)| *number).collect()
    }

    /// The first one behind a number that has frames.
    pub(crate) fn written_behind(&self, number: u32) -> Option<u32> {
        let numbers = self.numbers.read();
        let mut behind = numbers.range(number + 1..);
        behind.find(|(_, kind)| **kind == Kind::Written).map(|(number, _)| *number)
    }

    /// The segment behind another one.
    pub(crate) fn successor(&self, number: u32) -> Option<u32> {
        self.numbers.read().range(number + 1..).next().map(|(number, _)| *number)
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
        let header = match self.numbers.read().get(&number) {
            Some(Kind::Gap { first }) => self.read_gap(*first, number)?,
            _ => {
                let bytes = self.open(number)?.read(0, SEGMENT_HEADER_BYTES)?;
                SegmentHeader::decode(&bytes, number, &self.disk.place())?.filter(|header| !header.is_gap())
            }
        };
        if header.is_some_and(|header| header.store != self.store) {
            return Err(Error::Corrupt { what: format!("{} belongs to another store", self.path(number)) });
        }
        Ok(header)
    }

    /// Makes a segment of some length, and no less than `bytes_min`; gives its length. If the disk is full, and the caller may use the
    /// reserve, it is made of a spare. Neither its header nor its name is durable yet.
    pub(crate) fn create(&self, header: &SegmentHeader, bytes: u64, bytes_min: u64) -> Result<(Arc<SegmentFile>, u64)> {
        let (number, path) = (header.number, self.path(header.number));
        let (file, bytes) = match self.create_file(number, bytes) {
            Err(Error::Full) if reserve::may_use() => self.take_spare(number, bytes_min).ok_or(Error::Full)?,
            created => (created?, bytes),
        };
        let written = file.file().write_at(&[IoSlice::new(&header.encode())], 0);
        if let Err(source) = written {
            // The reason why there is no segment counts, not whether its remains could be removed.
            let _ = self.disk.remove(&file_name(number));
            return Err(Error::disk("create", &path, source));
        }
        self.files.insert(number, file.clone());
        self.numbers.write().insert(number, Kind::Written);
        Ok((file, bytes))
    }

    fn create_file(&self, number: u32, bytes: u64) -> Result<Arc<SegmentFile>> {
        if !self.has_room(bytes) {
            return Err(Error::Full);
        }
        let path = self.path(number);
        let file = self.disk.create(&file_name(number), bytes);
        let file = file.map_err(|source| Error::disk("create", &path, source))?;
        Ok(Arc::new(SegmentFile::new(number, path, file)))
    }

    /// Takes segments that are no part of the log for not there, and leaves their files.
    pub(crate) fn forget(&self, strangers: &[u32]) {
        let mut numbers = self.numbers.write();
        numbers.retain(|number, _| !strangers.contains(number));
    }

    /// Removes a segment that is no part of the log.
    pub(crate) fn remove(&self, number: u32) -> Result<()> {
        let kind = self.numbers.write().remove(&number);
        self.files.remove(&number);
        let name = match kind {
            Some(Kind::Gap { first }) => gap_name(first, number),
            _ => file_name(number),
        };
        let removed = self.disk.remove(&name);
        removed.map_err(|source| Error::disk("remove", &format!("{}/{name}", self.disk.place()), source))
    }

    /// Makes the names of new and removed segments durable.
    pub(crate) fn sync_names(&self) -> Result<()> {
        self.disk.sync_folder(SEGMENTS_FOLDER).map_err(|source| Error::disk("sync", &self.folder(), source))
    }

    /// The frame at a location: its header and its payload, not yet compared with its checksum.
    pub(crate) fn read(&self, location: Location) -> Result<(FrameHeader, Bytes)> {
        let Location { position, payload_bytes, .. } = location;
        let file = self.open(position.segment())?;
        let (offset, bytes) = (position.offset() as u64, FRAME_HEADER_BYTES + payload_bytes as usize);
        if let Some(window) = self.read_ahead.note(position.segment(), offset, bytes) {
            file.file().will_read(window, READ_AHEAD_WINDOW_BYTES);
        }
        self.frame(&file, position, file.read(offset, bytes)?)
    }

    /// As [`Self::read`], if that waits for nothing; `None` if it would, or if anything is in the way.
    pub(crate) fn read_at_hand(&self, location: Location) -> Option<(FrameHeader, Bytes)> {
        let Location { position, payload_bytes, .. } = location;
        let file = self.open(position.segment()).ok()?;
        let mut bytes = vec![0; FRAME_HEADER_BYTES + payload_bytes as usize];
        let is_read = file.file().read_at_hand(&mut bytes, position.offset() as u64);
        if is_read { self.frame(&file, position, bytes).ok() } else { None }
    }

    fn frame(&self, file: &SegmentFile, position: Position, bytes: Vec<u8>) -> Result<(FrameHeader, Bytes)> {
        let salt = Salt { store: self.store, position };
        let header = FrameHeader::decode(&bytes, salt)
            .map_err(|fault| Error::Corrupt { what: format!("{} at {}: {fault}", file.path, position.offset()) })?;
        Ok((header, Bytes::from(bytes).slice(FRAME_HEADER_BYTES..)))
    }

    /// Fills a buffer with bytes of a frame's payload from an offset on, not compared with anything. False if it cannot, or not
    /// with so much patience.
    pub(crate) fn read_payload(
        &self,
        position: Position,
        offset: usize,
        buffer: &mut [u8],
        patience: Patience,
    ) -> bool {
        let Ok(segment) = self.open(position.segment()) else { return false };
        let (file, place) = (segment.file(), position.offset() as u64 + (FRAME_HEADER_BYTES + offset) as u64);
        match patience {
            Patience::Unlimited => file.read_at(buffer, place).is_ok_and(|length| length == buffer.len()),
            Patience::AtHand => file.read_at_hand(buffer, place),
        }
    }

    /// A hint: bytes of a frame's payload will be read soon.
    pub(crate) fn will_read_payload(&self, position: Position, offset: usize, bytes: usize) {
        if let Ok(segment) = self.open(position.segment()) {
            segment.file().will_read(position.offset() as u64 + (FRAME_HEADER_BYTES + offset) as u64, bytes as u64);
        }
    }

    /// A hint: this frame will be read soon.
    pub(crate) fn will_read(&self, location: Location) {
        if let Ok(segment) = self.open(location.position.segment()) {
            segment.file().will_read(location.position.offset() as u64, location.frame_bytes() as u64);
        }
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
        self.place_of(SEGMENTS_FOLDER)
    }

    /// What messages call a file.
    fn place_of(&self, name: &str) -> String {
        format!("{}/{name}", self.disk.place())
    }
}

/// The segments on a disk; a folder that is not there holds none.
pub(crate) fn list(disk: &dyn Disk) -> Result<Listing> {
    let names = match disk.list(SEGMENTS_FOLDER) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::disk("list", &format!("{}/{SEGMENTS_FOLDER}", disk.place()), error)),
    };
    let mut listing = Listing::default();
    listing.numbers.extend(names.iter().filter_map(|name| Some((number_of(name)?, Kind::Written))));
    let mut gaps: Vec<_> = names.iter().filter_map(|name| gap_of(name)).collect();
    // The larger of two gaps that overlap is the newer one.
    gaps.sort_by_key(|(first, last)| last - first);
    gaps.into_iter().for_each(|(first, last)| listing.add_gap(first, last));
    Ok(listing)
}

impl Listing {
    /// Adds a gap; what it stands for is no part of the log any more.
    fn add_gap(&mut self, first: u32, last: u32) {
        let retired: Vec<_> = self.numbers.range(first..=last).map(|(number, kind)| (*number, *kind)).collect();
        for (number, kind) in retired {
            self.numbers.remove(&number);
            self.retired.push(kind.file_name(number));
        }
        self.numbers.insert(last, Kind::Gap { first });
    }
}

impl Kind {
    fn file_name(self, number: u32) -> String {
        match self {
            Self::Written => file_name(number),
            Self::Gap { first } => gap_name(first, number),
        }
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

fn gap_name(first: u32, last: u32) -> String {
    format!("{SEGMENTS_FOLDER}/{first:010}-{last:010}{GAP_SUFFIX}")
}

fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && format!("{number:010}{SUFFIX}") == name).then_some(number)
}

/// The first and the last number that a gap stands for.
fn gap_of(name: &str) -> Option<(u32, u32)> {
    let (first, last) = name.strip_suffix(GAP_SUFFIX)?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let is_ours = 0 < first && first <= last && format!("{first:010}-{last:010}{GAP_SUFFIX}") == name;
    is_ours.then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_store_gives_count_as_segments() {
        assert_eq!(number_of("0000000012.segment"), Some(12));
        assert_eq!(gap_of("0000000007-0000000012.gap"), Some((7, 12)));
        for name in ["12.segment", "0000000000.segment", "0000000012.segment.old", "x", "+000000012.segment"] {
            assert_eq!(number_of(name), None, "{name}");
        }
        for name in ["0000000012.gap", "7-12.gap", "0000000012-0000000007.gap", "0000000000-0000000007.gap"] {
            assert_eq!(gap_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_gap_hides_what_it_stands_for() {
        let mut listing = Listing::default();
        listing.numbers.extend((1..=9).map(|number| (number, Kind::Written)));
        listing.add_gap(3, 4);
        listing.add_gap(3, 7);
        let numbers: Vec<_> = listing.numbers.into_keys().collect();
        assert_eq!(numbers, [1, 2, 7, 8, 9]);
        let retired: Vec<_> = [3, 5, 6, 7].map(file_name).into();
        assert!(retired.iter().all(|name| listing.retired.contains(name)));
        assert!(listing.retired.contains(&gap_name(3, 4)));
    }
}
