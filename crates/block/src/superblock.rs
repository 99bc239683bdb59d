//! The superblock: the file `store` of a store's directory. It says that the directory is a store, in which format, and whose.
//!
//! It is written once. Everything in it also stands in each segment's header, so losing it loses nothing.

use crate::checksum::checksum;
use crate::{Error, Result, StoreId};
use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the superblock.
pub(crate) const SUPERBLOCK_BYTES: usize = 64;

/// The format of a store that has no gaps.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// The format of a store whose log has gaps, where segments were retired.
pub(crate) const FORMAT_VERSION_WITH_GAPS: u32 = 2;

/// The format of a store whose log goes on behind damage that was accepted; it may have gaps. The newest that this program reads.
pub(crate) const FORMAT_VERSION_WITH_MENDS: u32 = 3;

const MAGIC: [u8; 8] = *b"Pantala\0";
const CHECKED_BYTES: usize = SUPERBLOCK_BYTES - 4;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawSuperblock {
    magic: [u8; 8],
    version: U32,
    store: [u8; StoreId::BYTES],
    reserved: [u8; 32],
    checksum: U32,
}

const _: () = assert!(size_of::<RawSuperblock>() == SUPERBLOCK_BYTES);

/// What a superblock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    /// The store's id.
    pub(crate) store: StoreId,
    /// Its format.
    pub(crate) version: u32,
}

/// The bytes of a store's superblock.
pub(crate) fn encode(Superblock { store, version }: Superblock) -> [u8; SUPERBLOCK_BYTES] {
    let mut raw = RawSuperblock {
        magic: MAGIC,
        version: version.into(),
        store: *store.as_bytes(),
        reserved: [0; 32],
        checksum: 0.into(),
    };
    raw.checksum = checksum(&[&raw.as_bytes()[..CHECKED_BYTES]]).into();
    bytes_of(&raw)
}

/// A superblock, or `None` if the bytes are no superblock. [`Error::NewerVersion`] if they are one that this program does
/// not know; `place` is for that message.
pub(crate) fn decode(bytes: &[u8], place: &str) -> Result<Option<Superblock>> {
    let Ok((raw, _)) = RawSuperblock::read_from_prefix(bytes) else {
        return Ok(None);
    };
    if raw.magic != MAGIC || raw.checksum.get() != checksum(&[&bytes[..CHECKED_BYTES]]) {
        return Ok(None);
    }
    check_version(raw.version.get(), place)?;
    Ok(Some(Superblock { store: StoreId::from_bytes(raw.store), version: raw.version.get() }))
}

/// Refuses formats that are newer than this program.
pub(crate) fn check_version(found: u32, place: &str) -> Result<()> {
    let supported = FORMAT_VERSION_WITH_MENDS;
    if found > supported {
        return Err(Error::NewerVersion { path: place.to_owned(), found, supported });
    }
    Ok(())
}

fn bytes_of(raw: &RawSuperblock) -> [u8; SUPERBLOCK_BYTES] {
    let mut bytes = [0; SUPERBLOCK_BYTES];
    bytes.copy_from_slice(raw.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock() -> Superblock {
        Superblock { store: StoreId::from_bytes([9; 16]), version: FORMAT_VERSION }
    }

    #[test]
    fn a_superblock_names_its_store() {
        for version in [FORMAT_VERSION, FORMAT_VERSION_WITH_GAPS, FORMAT_VERSION_WITH_MENDS] {
            let superblock = Superblock { version, ..superblock() };
            assert_eq!(decode(&encode(superblock), "here").expect("this version"), Some(superblock));
        }
    }

    #[test]
    fn every_flipped_byte_of_a_superblock_is_noticed() {
        for position in 0..SUPERBLOCK_BYTES {
            let mut bytes = encode(superblock());
            bytes[position] ^= 0x20;
            assert_eq!(decode(&bytes, "here").expect("no version"), None, "byte {position}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        let mut bytes = encode(superblock());
        bytes[8] = 4;
        let sum = checksum(&[&bytes[..CHECKED_BYTES]]).to_le_bytes();
        bytes[CHECKED_BYTES..].copy_from_slice(&sum);
        assert!(matches!(decode(&bytes, "here"), Err(Error::NewerVersion { found: 4, supported: 3, .. })));
    }
}
