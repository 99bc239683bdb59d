//! A pack: some MiB of blocks as one object, behind a table of them. `docs/format.md`, "Object stores".

use crate::limits::PACK_ENTRIES_MAX;
use crate::place::{ObjectId, Place, take_name};
use block::{Name, PackedBlock};
use bytes::{Buf, BufMut, Bytes};

const MAGIC: [u8; 8] = *b"PnPack\0\x01";
const HEADER_BYTES: usize = MAGIC.len() + 8;
const ENTRY_BYTES: usize = Name::BYTES + 8;
const SUM_BYTES: usize = 32;
const HAS_LINKS: u32 = 1;

/// Blocks on their way into a pack.
#[derive(Default)]
pub(crate) struct Draft {
    blocks: Vec<PackedBlock>,
    bytes: usize,
}

impl Draft {
    pub(crate) fn push(&mut self, block: PackedBlock) {
        self.bytes += block.encoded_bytes();
        self.blocks.push(block);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The pack, and where its blocks lie. Those with links come last, so that a walk reads one piece of it.
    pub(crate) fn build(mut self, pack: ObjectId) -> (Bytes, Vec<(Name, Place)>) {
        self.blocks.sort_by_key(|block| !block.links().is_empty());
        let table_bytes = HEADER_BYTES + self.blocks.len() * ENTRY_BYTES + SUM_BYTES;
        let mut bytes = Vec::with_capacity(table_bytes + self.bytes);
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(self.blocks.len() as u32);
        bytes.put_u32_le(0);
        for block in &self.blocks {
            bytes.put_slice(block.name().as_bytes());
            bytes.put_u32_le(block.encoded_bytes() as u32);
            bytes.put_u32_le(if block.links().is_empty() { 0 } else { HAS_LINKS });
        }
        let sum = blake3::hash(&bytes);
        bytes.put_slice(sum.as_bytes());
        self.blocks.iter().for_each(|block| block.encode(&mut bytes));
        let places = table(&bytes, pack).expect("a table that was just written");
        (bytes.into(), places)
    }
}

/// Bytes of the table of a pack that begins with these; `None` if it is no pack.
pub(crate) fn table_bytes(mut head: &[u8]) -> Option<usize> {
    let magic = head.get(..MAGIC.len())?;
    if magic != MAGIC {
        return None;
    }
    head.advance(MAGIC.len());
    let count = head.try_get_u32_le().ok().filter(|count| *count <= PACK_ENTRIES_MAX)?;
    let is_known = head.try_get_u32_le().ok()? == 0;
    is_known.then(|| HEADER_BYTES + count as usize * ENTRY_BYTES + SUM_BYTES)
}

/// Where the blocks of a pack lie that begins with these bytes; `None` if the table is damaged or not whole.
pub(crate) fn table(bytes: &[u8], pack: ObjectId) -> Option<Vec<(Name, Place)>> {
    let length = table_bytes(bytes)?;
    let (entries, sum) = bytes.get(..length)?.split_at(length - SUM_BYTES);
    if blake3::hash(entries).as_bytes() != sum {
        return None;
    }
    let mut entries = &entries[HEADER_BYTES..];
    let mut offset = u32::try_from(length).ok()?;
    let mut places = Vec::with_capacity(entries.len() / ENTRY_BYTES);
    while entries.has_remaining() {
        let (name, length, flags) = (take_name(&mut entries), entries.get_u32_le(), entries.get_u32_le());
        if length as usize > PackedBlock::ENCODED_BYTES_MAX || flags > HAS_LINKS {
            return None;
        }
        places.push((name, Place { pack, offset, length, has_links: flags == HAS_LINKS }));
        offset = offset.checked_add(length)?;
    }
    Some(places)
}
