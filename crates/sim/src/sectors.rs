//! The content of a file: sectors of 512 bytes, the unit that a disk writes whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a sector.
pub(crate) const SECTOR_BYTES: usize = 512;

/// One sector. Shared between images of a disk until one of them changes it.
pub(crate) type Sector = Arc<[u8; SECTOR_BYTES]>;

/// Sparse content of some length. Sectors that are not there read as zero; none lies wholly behind the end.
#[derive(Clone, Default)]
pub(crate) struct Sectors {
    pub(crate) length: u64,
    sectors: BTreeMap<u64, Sector>,
}

impl Sectors {
    /// Zeros.
    pub(crate) fn zeros(length: u64) -> Self {
        Self { length, sectors: BTreeMap::new() }
    }

    /// Reads at an offset; fewer bytes than asked for only at the end.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let available = self.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (number, from, part) in parts(&mut buffer[..available], offset) {
            match self.sectors.get(&number) {
                Some(sector) => part.copy_from_slice(&sector[from..from + part.len()]),
                None => part.fill(0),
            }
        }
        available
    }

    /// Writes at an offset and returns the sectors that changed.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) -> Vec<(u64, Sector)> {
        self.length = self.length.max(offset + bytes.len() as u64);
        let mut bytes = bytes.to_vec();
        parts(&mut bytes, offset).map(|(number, from, part)| (number, self.patch(number, from, part))).collect()
    }

    /// Puts a whole sector in its place.
    pub(crate) fn put(&mut self, number: u64, sector: Sector) {
        self.sectors.insert(number, sector);
    }

    /// Sets the length. What lies behind it is gone: a longer file later reads as zero there.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.length = length;
        self.sectors.split_off(&length.div_ceil(SECTOR_BYTES as u64));
        let kept = (length % SECTOR_BYTES as u64) as usize;
        if let Some(sector) = self.sectors.get_mut(&(length / SECTOR_BYTES as u64)) {
            Arc::make_mut(sector)[kept..].fill(0);
        }
    }

    fn patch(&mut self, number: u64, from: usize, part: &[u8]) -> Sector {
        let sector = self.sectors.entry(number).or_insert_with(|| Arc::new([0; SECTOR_BYTES]));
        Arc::make_mut(sector)[from..from + part.len()].copy_from_slice(part);
        sector.clone()
    }
}

/// Cuts bytes at sector borders: the sector's number, the offset in it, and the part.
fn parts(bytes: &mut [u8], offset: u64) -> impl Iterator<Item = (u64, usize, &mut [u8])> {
    let mut rest = bytes;
    let mut offset = offset;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let from = (offset % SECTOR_BYTES as u64) as usize;
        let length = rest.len().min(SECTOR_BYTES - from);
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(length);
        let number = offset / SECTOR_BYTES as u64;
        rest = behind;
        offset += length as u64;
        Some((number, from, part))
    })
}
