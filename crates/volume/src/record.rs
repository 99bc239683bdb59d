//! The values of a volume's tree, and how the journal writes the same things: `docs/format.md`, "A volume's tree".

use crate::change::Dentry;
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::extent::{Extent, Source};
use crate::limits::{CHUNK_BYTES, FILE_BYTES_MAX, INODE_NUMBER_MAX};
use crate::{Attributes, InodeFlags, Kind, Timestamp};
use block::Name;

/// Versions of an inode's attributes: the second has flags, the third also the length of the extended attributes. What an inode does
/// not need is not written.
const ATTRIBUTES: u8 = 1;
const ATTRIBUTES_WITH_FLAGS: u8 = 2;
const ATTRIBUTES_WITH_XATTRS: u8 = 3;

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
    let version = match (attributes.flags, attributes.xattr_bytes) {
        (_, 1..) => ATTRIBUTES_WITH_XATTRS,
        (flags, 0) if flags != InodeFlags::default() => ATTRIBUTES_WITH_FLAGS,
        _ => ATTRIBUTES,
    };
    bytes.put_u8(version);
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
    if version >= ATTRIBUTES_WITH_FLAGS {
        bytes.put_u32(attributes.flags.bits());
    }
    if version >= ATTRIBUTES_WITH_XATTRS {
        bytes.put_u64(attributes.xattr_bytes);
    }
}

pub(crate) fn attributes(reader: &mut Reader<'_>) -> Parsed<Attributes> {
    let version = match reader.u8()? {
        0 => return Err(Malformed::Bytes),
        version @ (ATTRIBUTES | ATTRIBUTES_WITH_FLAGS | ATTRIBUTES_WITH_XATTRS) => version,
        _ => return Err(Malformed::Newer),
    };
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
        flags: match version {
            ATTRIBUTES => InodeFlags::default(),
            _ => InodeFlags::from_bits(reader.u32()?).ok_or(Malformed::Newer)?,
        },
        xattr_bytes: match version {
            ATTRIBUTES_WITH_XATTRS => reader.u64()?,
            _ => 0,
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it, byte by byte.
    fn first_version() -> Vec<u8> {
        let mut bytes = vec![1, 0];
        bytes.extend_from_slice(&0o640u16.to_le_bytes());
        [1000u32, 100, 2, 0].iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        [70_000u64, 65_536, 0].iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        for seconds in 1..5u64 {
            bytes.extend_from_slice(&seconds.to_le_bytes());
            bytes.extend_from_slice(&7u32.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn attributes_of_the_first_version_are_read_and_written_as_they_were() {
        let read = whole(&first_version(), attributes).unwrap();
        assert_eq!((read.permissions, read.uid, read.size, read.flags), (0o640, 1000, 70_000, InodeFlags::default()));
        assert_eq!(read.born, Timestamp { seconds: 4, nanoseconds: 7 });
        let mut written = Vec::new();
        put_attributes(&mut written, &read);
        assert_eq!(written, first_version());
    }

    #[test]
    fn flags_make_the_second_version_and_unknown_ones_a_newer_one() {
        let mut read = whole(&first_version(), attributes).unwrap();
        read.flags = InodeFlags::IMMUTABLE | InodeFlags::NO_DUMP;
        let mut written = Vec::new();
        put_attributes(&mut written, &read);
        assert_eq!((written[0], written.len()), (2, 96));
        assert_eq!(whole(&written, attributes), Ok(read));
        written[95] = 1;
        assert_eq!(whole(&written, attributes), Err(Malformed::Newer));
    }
}
