//! A node's bytes: `docs/format.md`, "Tree nodes", draws them.
//!
//! A node is searched as it lies: [`Node::decode`] checks every offset and the order of the keys once, after which access
//! cannot fail.

use block::{Block, Name};
use bytes::Bytes;

/// One key with what it maps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// The block that the value refers to.
    pub link: Option<Name>,
}

pub(crate) const FORMAT_VERSION: u8 = 1;
pub(crate) const HEADER_BYTES: usize = 8;
pub(crate) const OFFSET_BYTES: usize = 4;
pub(crate) const ENTRY_HEADER_BYTES: usize = 6;
pub(crate) const NO_LINK: u16 = u16::MAX;

/// A decoded node.
#[derive(Debug)]
pub(crate) struct Node {
    links: Box<[Name]>,
    body: Bytes,
    level: u8,
    length: usize,
}

impl Node {
    /// Checks a block and takes it for a node; otherwise says why it is none.
    pub(crate) fn decode(block: Block) -> Result<Self, &'static str> {
        let header = block.body.get(..HEADER_BYTES).ok_or("it is shorter than a header")?;
        if header[0] != FORMAT_VERSION {
            return Err("its version is unknown");
        }
        if header[2..4] != [0, 0] {
            return Err("its reserved bytes are not zero");
        }
        let level = header[1];
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let node = Self { links: block.links.into(), body: block.body, level, length };
        node.check()?;
        Ok(node)
    }

    fn check(&self) -> Result<(), &'static str> {
        let mut end = HEADER_BYTES + self.length.checked_mul(OFFSET_BYTES).ok_or("its length overflows")?;
        if self.length == 0 || end > self.body.len() {
            return Err("its table of entries does not fit");
        }
        let mut links = 0;
        let mut key_before: Option<&[u8]> = None;
        for index in 0..self.length {
            if self.offset(index) != end {
                return Err("its entries do not follow one another");
            }
            let header = self.body.get(end..end + ENTRY_HEADER_BYTES).ok_or("an entry is cut off")?;
            let (key_bytes, value_bytes) = (le16(&header[0..2]), le16(&header[2..4]));
            end += ENTRY_HEADER_BYTES + key_bytes as usize + value_bytes as usize;
            if end > self.body.len() {
                return Err("an entry is cut off");
            }
            match le16(&header[4..6]) {
                NO_LINK if self.level == 0 => {}
                link if link as usize == links => links += 1,
                _ => return Err("its links are out of order"),
            }
            if self.level > 0 && value_bytes as usize != size_of::<u64>() {
                return Err("an inner entry's value is no count");
            }
            let key = self.key(index);
            if key_before.is_some_and(|before| before >= key) {
                return Err("its keys are out of order");
            }
            key_before = Some(key);
        }
        match links == self.links.len() && end == self.body.len() {
            true => Ok(()),
            false => Err("it has bytes or links that no entry owns"),
        }
    }

    /// Height above the leaves, which have 0.
    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// Number of entries; never 0.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The links of all entries, in order.
    pub(crate) fn links(&self) -> &[Name] {
        &self.links
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        let start = self.offset(index);
        let bytes = le16(&self.body[start..start + 2]) as usize;
        &self.body[start + ENTRY_HEADER_BYTES..][..bytes]
    }

    pub(crate) fn entry(&self, index: usize) -> Entry<'_> {
        let (header, rest) = self.body[self.offset(index)..].split_at(ENTRY_HEADER_BYTES);
        let (key, rest) = rest.split_at(le16(&header[0..2]) as usize);
        let value = &rest[..le16(&header[2..4]) as usize];
        Entry { key, value, link: self.links.get(le16(&header[4..6]) as usize).copied() }
    }

    /// The value of an entry, sharing the node's memory.
    pub(crate) fn value(&self, index: usize) -> Bytes {
        self.body.slice_ref(self.entry(index).value)
    }

    /// The key of an entry, sharing the node's memory.
    pub(crate) fn key_bytes(&self, index: usize) -> Bytes {
        self.body.slice_ref(self.key(index))
    }

    /// The child of an inner node's entry.
    pub(crate) fn child(&self, index: usize) -> Name {
        self.links[index]
    }

    /// The first entry whose key is not below `key`; [`Node::len`] if there is none.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.length);
        while low < high {
            let middle = (low + high) / 2;
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The entry below which `key` belongs in an inner node: the last that is not above it, or the first of all.
    pub(crate) fn child_for(&self, key: &[u8]) -> usize {
        let bound = self.lower_bound(key);
        let exact = bound < self.length && self.key(bound) == key;
        if exact { bound } else { bound.saturating_sub(1) }
    }

    /// Number of leaf entries at and below this node.
    pub(crate) fn leaf_entries(&self) -> u64 {
        if self.level == 0 {
            return self.length as u64;
        }
        (0..self.length).fold(0, |sum: u64, index| sum.saturating_add(leaf_entries_of(self.entry(index).value)))
    }

    /// Bytes that the node takes in memory, for the cache's bound.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.body.len() + self.links.len() * Name::BYTES + size_of::<Self>() + 64) as u64
    }

    fn offset(&self, index: usize) -> usize {
        let start = HEADER_BYTES + index * OFFSET_BYTES;
        let bytes = &self.body[start..start + OFFSET_BYTES];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
    }
}

/// An inner entry's value: how many leaf entries are below it.
pub(crate) fn leaf_entries_of(value: &[u8]) -> u64 {
    value.try_into().map(u64::from_le_bytes).unwrap_or(0)
}

fn le16(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}
