//! The journal's records: `docs/format.md`, "The journal" draws them.
//!
//! A commit writes one **group**: all changes since the commit before, of all inodes. A group is one or more **parts**, each a
//! record of the log; it counts only when its last part is there. So what recovery finds is the state at some commit, never a
//! state between. Of one inode, what takes records away comes before what puts them; otherwise the order in a group is free.

use crate::change::Change;
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::extent::Source;
use crate::limits::{
    JOURNAL_PART_BYTES, JOURNAL_PART_LINKS_MAX, NAME_BYTES_MAX, RESERVED_RANGES_MAX, SYMLINK_BYTES_MAX,
    XATTR_VALUE_BYTES_MAX,
};
use crate::{Inode, Result, record};
use block::{Blocks, Name};
use bytes::Bytes;

const PART_VERSION: u8 = 1;
const FLAG_LAST: u8 = 1;

/// What a volume counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The number that the next inode gets.
    pub(crate) next_inode: u64,
    /// Inodes that are there.
    pub(crate) inodes: u64,
    /// Bytes of all content, before compression.
    pub(crate) allocated_bytes: u64,
}

impl Counters {
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.next_inode);
        bytes.put_u64(self.inodes);
        bytes.put_u64(self.allocated_bytes);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parsed<Self> {
        Ok(Self { next_inode: reader.u64()?, inodes: reader.u64()?, allocated_bytes: reader.u64()? })
    }
}

/// One part of a group, as read from the log.
#[derive(Debug)]
pub(crate) struct Part {
    /// The group's number; groups of a volume are numbered one after another.
    pub(crate) sequence: u64,
    /// The part's number in its group, from 0.
    pub(crate) number: u32,
    pub(crate) is_last: bool,
    /// The volume's counters after the group.
    pub(crate) counters: Counters,
    pub(crate) changes: Vec<(Inode, Change)>,
}

/// The body and the links of a part that is ready to be appended.
pub(crate) struct EncodedPart {
    pub(crate) links: Vec<Name>,
    pub(crate) body: Bytes,
}

/// Encodes a group and gives one part after another to `append`. Data in memory that the changes refer to becomes blocks here.
pub(crate) fn encode(
    sequence: u64,
    counters: Counters,
    changes: &[(Inode, Change)],
    blocks: &dyn Blocks,
    append: &mut dyn FnMut(EncodedPart) -> Result<()>,
) -> Result<()> {
    let mut number = 0;
    let mut rest = changes;
    while !rest.is_empty() {
        let (mut links, mut body) = (Vec::new(), Vec::new());
        body.extend_from_slice(&[PART_VERSION, 0, 0, 0]);
        body.put_u32(number);
        body.put_u64(sequence);
        counters.put(&mut body);
        while let Some(((inode, change), others)) = rest.split_first() {
            put_change(&mut body, &mut links, *inode, change, blocks)?;
            rest = others;
            if body.len() >= JOURNAL_PART_BYTES || links.len() >= JOURNAL_PART_LINKS_MAX {
                break;
            }
        }
        if rest.is_empty() {
            body[1] = FLAG_LAST;
        }
        append(EncodedPart { links, body: body.into() })?;
        number += 1;
    }
    Ok(())
}

/// Reads a part. Any bytes may come: what is no part is refused.
pub(crate) fn decode(links: &[Name], body: &[u8]) -> Parsed<Part> {
    let mut reader = Reader(body);
    reader.version(PART_VERSION)?;
    let is_last = match reader.u8()? {
        0 => false,
        FLAG_LAST => true,
        _ => return Err(Malformed::Newer),
    };
    reader.reserved(2)?;
    let number = reader.u32()?;
    let sequence = reader.u64()?;
    let counters = Counters::read(&mut reader)?;
    let mut links = links.iter().copied();
    let mut changes = Vec::new();
    while !reader.is_empty() {
        changes.push(read_change(&mut reader, &mut links)?);
    }
    if links.next().is_some() {
        return Err(Malformed::Bytes);
    }
    Ok(Part { sequence, number, is_last, counters, changes })
}

/// The first byte of a change, behind its inode.
mod tag {
    pub(super) const DROP: u8 = 0;
    pub(super) const CLEAR: u8 = 1;
    pub(super) const ATTRIBUTES: u8 = 2;
    pub(super) const INLINE: u8 = 3;
    pub(super) const INLINE_GONE: u8 = 4;
    pub(super) const XATTR: u8 = 5;
    pub(super) const XATTR_GONE: u8 = 6;
    pub(super) const DENTRY: u8 = 7;
    pub(super) const DENTRY_GONE: u8 = 8;
    pub(super) const EXTENT: u8 = 9;
    pub(super) const EXTENT_GONE: u8 = 10;
    pub(super) const RESERVED: u8 = 11;
    pub(super) const RESERVED_GONE: u8 = 12;
}

fn put_change(
    body: &mut Vec<u8>,
    links: &mut Vec<Name>,
    inode: Inode,
    change: &Change,
    blocks: &dyn Blocks,
) -> Result<()> {
    body.put_u64(inode.0);
    match change {
        Change::Drop => body.put_u8(tag::DROP),
        Change::Clear { from } => {
            body.put_u8(tag::CLEAR);
            body.put_u64(*from);
        }
        Change::Attributes(attributes) => {
            body.put_u8(tag::ATTRIBUTES);
            record::put_attributes(body, attributes);
        }
        Change::Inline(Some(content)) => {
            body.put_u8(tag::INLINE);
            put_long(body, content);
        }
        Change::Inline(None) => body.put_u8(tag::INLINE_GONE),
        Change::Reserved(Some(ranges)) => {
            body.put_u8(tag::RESERVED);
            put_long(body, ranges);
        }
        Change::Reserved(None) => body.put_u8(tag::RESERVED_GONE),
        Change::Xattr { name, value } => {
            body.put_u8(if value.is_some() { tag::XATTR } else { tag::XATTR_GONE });
            put_short(body, name);
            value.iter().for_each(|value| put_long(body, value));
        }
        Change::Dentry { hash, name, dentry } => {
            body.put_u8(if dentry.is_some() { tag::DENTRY } else { tag::DENTRY_GONE });
            body.put_u64(*hash);
            put_short(body, name);
            dentry.iter().for_each(|dentry| record::put_dentry(body, *dentry));
        }
        Change::Extent { offset, extent } => {
            let source = extent.as_ref().map(|extent| source_name(&extent.source, blocks)).transpose()?;
            body.put_u8(if source.is_some() { tag::EXTENT } else { tag::EXTENT_GONE });
            body.put_u64(*offset);
            extent.iter().for_each(|extent| record::put_extent(body, extent));
            links.extend(source);
        }
    }
    Ok(())
}

/// The block that an extent's bytes are in, made if they are in memory.
pub(crate) fn source_name(source: &Source, blocks: &dyn Blocks) -> Result<Name> {
    match source {
        Source::Stored(name) => Ok(*name),
        Source::Dirty(dirty) => dirty.store(blocks),
    }
}

fn read_change(reader: &mut Reader<'_>, links: &mut impl Iterator<Item = Name>) -> Parsed<(Inode, Change)> {
    let inode = Inode(reader.u64()?);
    let change = match reader.u8()? {
        tag::DROP => Change::Drop,
        tag::CLEAR => Change::Clear { from: reader.u64()? },
        tag::ATTRIBUTES => Change::Attributes(Box::new(record::attributes(reader)?)),
        tag::INLINE => Change::Inline(Some(long(reader, SYMLINK_BYTES_MAX)?)),
        tag::INLINE_GONE => Change::Inline(None),
        tag::XATTR => Change::Xattr { name: short(reader)?, value: Some(long(reader, XATTR_VALUE_BYTES_MAX)?) },
        tag::XATTR_GONE => Change::Xattr { name: short(reader)?, value: None },
        tag::DENTRY => {
            let (hash, name) = (reader.u64()?, short(reader)?);
            Change::Dentry { hash, name, dentry: Some(record::dentry(reader)?) }
        }
        tag::DENTRY_GONE => Change::Dentry { hash: reader.u64()?, name: short(reader)?, dentry: None },
        tag::EXTENT => {
            let (offset, link) = (reader.u64()?, links.next().ok_or(Malformed::Bytes)?);
            Change::Extent { offset, extent: Some(record::extent(reader, offset, link)?) }
        }
        tag::EXTENT_GONE => Change::Extent { offset: reader.u64()?, extent: None },
        tag::RESERVED => Change::Reserved(Some(long(reader, 16 * RESERVED_RANGES_MAX)?)),
        tag::RESERVED_GONE => Change::Reserved(None),
        _ => return Err(Malformed::Bytes),
    };
    Ok((inode, change))
}

fn put_short(body: &mut Vec<u8>, bytes: &[u8]) {
    body.put_u16(bytes.len() as u16);
    body.extend_from_slice(bytes);
}

fn short(reader: &mut Reader<'_>) -> Parsed<Box<[u8]>> {
    let length = reader.u16()? as usize;
    if length > NAME_BYTES_MAX {
        return Err(Malformed::Bytes);
    }
    reader.bytes(length).map(Into::into)
}

fn put_long(body: &mut Vec<u8>, bytes: &[u8]) {
    body.put_u32(bytes.len() as u32);
    body.extend_from_slice(bytes);
}

fn long(reader: &mut Reader<'_>, bytes_max: usize) -> Parsed<Bytes> {
    let length = reader.u32()? as usize;
    if length > bytes_max {
        return Err(Malformed::Bytes);
    }
    reader.bytes(length).map(Bytes::copy_from_slice)
}
