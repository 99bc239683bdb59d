//! Where a block lies: in which pack, and where in that.

use block::Name;
use bytes::{Buf, BufMut};
use std::fmt;

/// An object of which there is no other with the same content: a pack, or a part of an index. Its name holds the manifest on which
/// the sync built that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId {
    /// The sequence number of that manifest.
    pub(crate) base: u64,
    pub(crate) random: u64,
}

impl ObjectId {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn new(base: u64) -> Self {
        use std::hash::{BuildHasher, RandomState};
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |age| age.as_nanos());
        Self { base, random: RandomState::new().hash_one((std::process::id(), now)) }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, random) = text.split_once('/')?;
        let number = |digits: &str| (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten();
        Some(Self { base: number(base)?, random: number(random)? })
    }

    pub(crate) fn put(self, bytes: &mut Vec<u8>) {
        bytes.put_u64_le(self.base);
        bytes.put_u64_le(self.random);
    }

    /// From at least [`ObjectId::BYTES`].
    pub(crate) fn take(bytes: &mut &[u8]) -> Self {
        Self { base: bytes.get_u64_le(), random: bytes.get_u64_le() }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}/{:016x}", self.base, self.random)
    }
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pack: ObjectId,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Whether it links to others: then a walk has to read it.
    pub(crate) has_links: bool,
}

/// Set in the length of a block that has links: no block is nearly as long.
const HAS_LINKS: u32 = 1 << 31;

/// Bytes of a name and its place.
pub(crate) const ENTRY_BYTES: usize = Name::BYTES + ObjectId::BYTES + 8;

pub(crate) fn put_entry(bytes: &mut Vec<u8>, name: &Name, place: &Place) {
    bytes.put_slice(name.as_bytes());
    place.pack.put(bytes);
    bytes.put_u32_le(place.offset);
    bytes.put_u32_le(place.length | if place.has_links { HAS_LINKS } else { 0 });
}

/// From at least [`ENTRY_BYTES`].
pub(crate) fn take_entry(bytes: &mut &[u8]) -> (Name, Place) {
    let name = take_name(bytes);
    let (pack, offset, length) = (ObjectId::take(bytes), bytes.get_u32_le(), bytes.get_u32_le());
    (name, Place { pack, offset, length: length & !HAS_LINKS, has_links: length & HAS_LINKS != 0 })
}

pub(crate) fn take_name(bytes: &mut &[u8]) -> Name {
    let mut name = [0; Name::BYTES];
    bytes.copy_to_slice(&mut name);
    Name::from_bytes(name)
}

/// The first bytes of a name as a number: names are hashes, so these tell nearly all of them apart.
pub(crate) fn prefix(name: &Name) -> u64 {
    (&name.as_bytes()[..8]).get_u64()
}

const _: () = assert!(block::PackedBlock::ENCODED_BYTES_MAX < HAS_LINKS as usize);
