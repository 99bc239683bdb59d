//! The values of a volume's tree, and how the journal writes the same things: `docs/format.md`, "A volume's tree".

use crate::change::Dentry;
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::extent::{Extent, Source};
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INODE_NUMBER_MAX};
use crate::{Attributes, Kind, Timestamp};
use block::Name;

const ATTRIBUTES_VERSION: u8 = 1;

const KINDS: [Kind; 7] =
    [Kind::File, Kind::Directory, Kind::Symlink, Kind::Fifo, Kind::Socket, Kind::CharacterDevice, Kind::BlockDevice];

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Symlink => 2,
        Kind::Fifo => 3,
        Kind::Socket => 4,
        Kind::CharacterDevice => 5,
        Kind::BlockDevice => 6,
    }
}

fn kind_of(byte: u8) -> Parsed<Kind> {
    KINDS.get(byte as usize).copied().ok_or(Malformed::Bytes)
}

pub(crate) fn put_timestamp(bytes: &mut Vec<u8>, time: Timestamp) {
    bytes.put_u64(time.seconds as u64);
    bytes.put_u32(time.nanoseconds);
}

pub(crate) fn timestamp(reader: &mut Reader<'_>) -> Parsed<Timestamp> {
    let time = Timestamp { seconds: reader.i64()?, nanoseconds: reader.u32()? };
    if time.nanoseconds < 1_000_000_000 { Ok(time) } else { Err(Malformed::Bytes) }
}

pub(crate) fn put_attributes(bytes: &mut Vec<u8>, attributes: &Attributes) {
    bytes.put_u8(ATTRIBUTES_VERSION);
    bytes.put_u8(kind_byte(attributes.kind));
    bytes.put_u16(attributes.permissions as u16);
    bytes.put_u32(attributes.uid);
    bytes.put_u32(attributes.gid);
    bytes.put_u32(attributes.links);
    bytes.put_u32(attributes.device);
    bytes.put_u64(attributes.size);
    bytes.put_u64(attributes.allocated_bytes);
    bytes.put_u64(attributes.parent);
    for time in [attributes.accessed, attributes.modified, attributes.changed, attributes.born] {
        put_timestamp(bytes, time);
    }
}

pub(crate) fn attributes(reader: &mut Reader<'_>) -> Parsed<Attributes> {
    reader.version(ATTRIBUTES_VERSION)?;
    Ok(Attributes {
        kind: kind_of(reader.u8()?)?,
        permissions: reader.u16()? as u32,
        uid: reader.u32()?,
        gid: reader.u32()?,
        links: reader.u32()?,
        device: reader.u32()?,
        size: reader.u64()?,
        allocated_bytes: reader.u64()?,
        parent: reader.u64()?,
        accessed: timestamp(reader)?,
        modified: timestamp(reader)?,
        changed: timestamp(reader)?,
        born: timestamp(reader)?,
    })
}

pub(crate) fn put_dentry(bytes: &mut Vec<u8>, dentry: Dentry) {
    bytes.put_u64(dentry.inode);
    bytes.put_u8(kind_byte(dentry.kind));
}

pub(crate) fn dentry(reader: &mut Reader<'_>) -> Parsed<Dentry> {
    let dentry = Dentry { inode: reader.u64()?, kind: kind_of(reader.u8()?)? };
    if dentry.inode < INODE_NUMBER_MAX { Ok(dentry) } else { Err(Malformed::Bytes) }
}

/// An extent without its source, which is a link of the entry or of the journal's part.
pub(crate) fn put_extent(bytes: &mut Vec<u8>, extent: &Extent) {
    bytes.put_u32(extent.length);
    bytes.put_u32(extent.source_offset);
}

pub(crate) fn extent(reader: &mut Reader<'_>, offset: u64, link: Name) -> Parsed<Extent> {
    let (length, source_offset) = (reader.u32()?, reader.u32()?);
    let is_in_its_chunk = length > 0 && offset % CHUNK_BYTES + length as u64 <= CHUNK_BYTES;
    if !is_in_its_chunk || offset > FILE_BYTES_MAX || source_offset as u64 > CHUNK_BYTES {
        return Err(Malformed::Bytes);
    }
    Ok(Extent { length, source_offset, source: Source::Stored(link) })
}

/// Reads one value that fills the bytes.
pub(crate) fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Parsed<T>) -> Parsed<T> {
    let mut reader = Reader(bytes);
    let value = read(&mut reader)?;
    if reader.is_empty() { Ok(value) } else { Err(Malformed::Bytes) }
}
