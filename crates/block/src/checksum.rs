//! CRC-32C, plain and salted.
//!
//! A salted checksum also covers the store's id and the position that the bytes are for. So bytes that look like a frame but
//! lie elsewhere (inside a user's file, in a file system's reused space, in another store) are never taken for a live one.

use crate::{Position, StoreId};
use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32C of slices, one after another.
pub(crate) fn checksum(slices: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for slice in slices {
        digest.update(slice);
    }
    digest.finalize() as u32
}

/// Where bytes belong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Salt {
    /// The store.
    pub(crate) store: StoreId,
    /// The place in its log.
    pub(crate) position: Position,
}

impl Salt {
    /// CRC-32C of the store's id, the position and the bytes.
    pub(crate) fn checksum(&self, bytes: &[u8]) -> u32 {
        checksum(&[self.store.as_bytes(), &self.position.to_u64().to_le_bytes(), bytes])
    }
}
