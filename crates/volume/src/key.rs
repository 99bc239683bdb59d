//! Keys of a volume's tree: `docs/format.md`, "A volume's tree".
//!
//! All keys of an inode begin with its number, so they lie together, and an inode with everything of it is one range.

use crate::Inode;
use crate::limits::NAME_HASH_MAX;
use bytes::Bytes;

/// What a key is about, in the order of an inode's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Subject {
    Attributes = 0,
    Inline = 1,
    Xattr = 2,
    Dentry = 3,
    Extent = 4,
    Reserved = 5,
}

impl Subject {
    fn of(byte: u8) -> Option<Self> {
        let all = [Self::Attributes, Self::Inline, Self::Xattr, Self::Dentry, Self::Extent, Self::Reserved];
        all.into_iter().find(|subject| *subject as u8 == byte)
    }
}

const PREFIX_BYTES: usize = 9;

fn key(inode: Inode, subject: u8, rest: &[&[u8]]) -> Bytes {
    let mut key = Vec::with_capacity(PREFIX_BYTES + rest.iter().map(|part| part.len()).sum::<usize>());
    key.extend_from_slice(&inode.0.to_be_bytes());
    key.push(subject);
    rest.iter().for_each(|part| key.extend_from_slice(part));
    key.into()
}

pub(crate) fn attributes(inode: Inode) -> Bytes {
    key(inode, Subject::Attributes as u8, &[])
}

pub(crate) fn inline(inode: Inode) -> Bytes {
    key(inode, Subject::Inline as u8, &[])
}

pub(crate) fn reserved(inode: Inode) -> Bytes {
    key(inode, Subject::Reserved as u8, &[])
}

pub(crate) fn xattr(inode: Inode, name: &[u8]) -> Bytes {
    key(inode, Subject::Xattr as u8, &[name])
}

pub(crate) fn dentry(directory: Inode, hash: u64, name: &[u8]) -> Bytes {
    key(directory, Subject::Dentry as u8, &[&hash.to_be_bytes(), name])
}

pub(crate) fn extent(inode: Inode, offset: u64) -> Bytes {
    key(inode, Subject::Extent as u8, &[&offset.to_be_bytes()])
}

/// The first key of an inode.
pub(crate) fn first_of(inode: Inode) -> Bytes {
    attributes(inode)
}

/// Behind the last key of an inode.
pub(crate) fn end_of(inode: Inode) -> Bytes {
    attributes(Inode(inode.0 + 1))
}

/// Behind the last key of an inode that is about a subject.
pub(crate) fn end_of_subject(inode: Inode, subject: Subject) -> Bytes {
    key(inode, subject as u8 + 1, &[])
}

/// A key taken apart.
pub(crate) fn parse(key: &[u8]) -> Option<(Inode, Subject, &[u8])> {
    let (inode, rest) = key.split_first_chunk()?;
    let (subject, rest) = rest.split_first()?;
    Some((Inode(u64::from_be_bytes(*inode)), Subject::of(*subject)?, rest))
}

/// The hash and the name of a dentry's key, given what follows its prefix.
pub(crate) fn parse_dentry(rest: &[u8]) -> Option<(u64, &[u8])> {
    let (hash, name) = rest.split_first_chunk()?;
    let hash = u64::from_be_bytes(*hash);
    (hash <= NAME_HASH_MAX).then_some((hash, name))
}

/// The offset of an extent's key, given what follows its prefix.
pub(crate) fn parse_extent(rest: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}
