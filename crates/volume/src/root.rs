//! A volume's root record: the state that a checkpoint made durable. `docs/format.md`, "Root records" draws it.

use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::contents::Contents;
use crate::journal::Counters;
use crate::sealed::{Sealed, Tagged};
use crate::{Result, Timestamp, record};
use block::{Name, Position, Record, RecordKind};

/// Of volumes that are not encrypted.
const ROOT_VERSION: u8 = 2;

/// Of encrypted ones: with a tag, and a link to the key slots.
const ENCRYPTED_VERSION: u8 = 3;

/// Version 1 knew no kept tree: its one link, if any, is the volume's tree.
const VERSION_WITHOUT_KEPT: u8 = 1;

const HAS_TREE: u8 = 1;
const HAS_KEPT: u8 = 2;
const HAS_SLOTS: u8 = 4;

/// A whole file system, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// The root of the volume's tree; `None` if it is empty.
    pub(crate) tree: Option<Name>,
    /// The root of the kept tree; `None` if nothing is kept.
    pub(crate) kept: Option<Name>,
    /// The last journal group that is in the tree. Later ones are to be replayed.
    pub(crate) sequence: u64,
    /// No later group lies before this place of the log.
    pub(crate) replay_from: Position,
    pub(crate) counters: Counters,
    /// Keys the hashes of directory entries.
    pub(crate) hash_seed: u64,
    /// When the state was taken.
    pub(crate) taken: Timestamp,
    /// Only of an encrypted volume.
    pub(crate) sealed: Option<Sealed>,
}

impl Root {
    /// The record for a volume's stream.
    pub(crate) fn record(&self, stream: u64) -> Record {
        let flag = |link: Option<Name>, flag| if link.is_some() { flag } else { 0 };
        let slots = self.sealed.and_then(|sealed| sealed.slots);
        let flags = flag(self.tree, HAS_TREE) | flag(self.kept, HAS_KEPT) | flag(slots, HAS_SLOTS);
        let version = if self.sealed.is_some() { ENCRYPTED_VERSION } else { ROOT_VERSION };
        let mut body = vec![version, flags, 0, 0, 0, 0, 0, 0];
        body.put_u64(self.sequence);
        body.put_u64(self.replay_from.to_u64());
        self.counters.put(&mut body);
        body.put_u64(self.hash_seed);
        record::put_timestamp(&mut body, self.taken);
        self.sealed.iter().for_each(|sealed| body.extend_from_slice(&sealed.tag));
        Record { kind: RecordKind::Root, stream, links: self.links().collect(), body: body.into() }
    }

    /// The blocks that it refers to.
    pub(crate) fn links(&self) -> impl Iterator<Item = Name> {
        let slots = self.sealed.and_then(|sealed| sealed.slots);
        self.tree.into_iter().chain(self.kept).chain(slots)
    }

    /// With the tag of its state, if the volume is encrypted. It must be unlocked.
    pub(crate) fn tagged(mut self, contents: &Contents) -> Result<Self> {
        if let (Some(encryption), Some(sealed)) = (&contents.encryption, self.sealed) {
            let tag = encryption.tag(&self.state())?;
            self.sealed = Some(Sealed { tag, ..sealed });
        }
        Ok(self)
    }

    /// Refuses the root of an encrypted volume if nobody with the key made its state.
    pub(crate) fn check(&self, contents: &Contents) -> Result<()> {
        let tag = self.sealed.as_ref().map(|sealed| &sealed.tag);
        contents.encryption.as_ref().map_or(Ok(()), |encryption| encryption.check(&self.state(), tag))
    }

    fn state(&self) -> Tagged {
        Tagged { tree: self.tree, counters: self.counters, hash_seed: self.hash_seed, taken: self.taken }
    }

    /// Takes a record for a root.
    pub(crate) fn parse(record: &Record) -> Parsed<Self> {
        let mut reader = Reader(&record.body);
        let (version, tree, kept, slots) = links(&mut reader, &record.links)?;
        let mut root = Self {
            tree,
            kept,
            sequence: reader.u64()?,
            replay_from: Position::from_u64(reader.u64()?),
            counters: Counters::read(&mut reader)?,
            hash_seed: reader.u64()?,
            taken: record::timestamp(&mut reader)?,
            sealed: None,
        };
        if version == ENCRYPTED_VERSION {
            let tag = reader.bytes(32)?.try_into().map_err(|_| Malformed::Bytes)?;
            root.sealed = Some(Sealed { tag, slots });
        }
        if reader.is_empty() { Ok(root) } else { Err(Malformed::Bytes) }
    }
}

/// Version, tree, kept tree, key slots.
type Links = (u8, Option<Name>, Option<Name>, Option<Name>);

/// The links of a root, by what its version and flags say of them.
fn links(reader: &mut Reader<'_>, links: &[Name]) -> Parsed<Links> {
    let version = match reader.u8()? {
        0 => return Err(Malformed::Bytes),
        version @ ..=ENCRYPTED_VERSION => version,
        _ => return Err(Malformed::Newer),
    };
    let is_old = version == VERSION_WITHOUT_KEPT;
    let known = HAS_TREE | HAS_KEPT | if version == ENCRYPTED_VERSION { HAS_SLOTS } else { 0 };
    let flags = if is_old { (!links.is_empty()) as u8 } else { reader.u8()? };
    reader.reserved(if is_old { 7 } else { 6 })?;
    if flags & !known != 0 {
        return Err(Malformed::Bytes);
    }
    let mut rest = links.iter().copied();
    let mut take = |flag| if flags & flag != 0 { rest.next().map(Some).ok_or(Malformed::Bytes) } else { Ok(None) };
    let found = (version, take(HAS_TREE)?, take(HAS_KEPT)?, take(HAS_SLOTS)?);
    if rest.next().is_some() { Err(Malformed::Bytes) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(byte: u8) -> Name {
        Name::from_bytes([byte; Name::BYTES])
    }

    fn root(tree: Option<Name>, kept: Option<Name>) -> Root {
        Root {
            tree,
            kept,
            sequence: 3,
            replay_from: Position::from_u64(1 << 33),
            counters: Counters { next_inode: 17, inodes: 2, allocated_bytes: 5 },
            hash_seed: 9,
            taken: Timestamp { seconds: 11, nanoseconds: 13 },
            sealed: None,
        }
    }

    #[test]
    fn a_root_of_an_encrypted_volume_comes_back_with_tag_and_slots() {
        for slots in [None, Some(name(3))] {
            let sealed = Some(Sealed { tag: [5; 32], slots });
            let root = Root { sealed, ..root(Some(name(1)), Some(name(2))) };
            let record = root.record(1);
            assert_eq!((record.body[0], Root::parse(&record)), (3, Ok(root)));
            let cut = Record { body: record.body.slice(..record.body.len() - 1), ..record };
            assert_eq!(Root::parse(&cut), Err(Malformed::Bytes));
        }
    }

    #[test]
    fn a_root_comes_back_with_the_links_that_it_has() {
        for (tree, kept) in [(None, None), (Some(name(1)), None), (None, Some(name(2))), (Some(name(1)), Some(name(2)))]
        {
            assert_eq!(Root::parse(&root(tree, kept).record(1)), Ok(root(tree, kept)));
        }
    }

    /// Byte by byte what version 1 wrote.
    #[test]
    fn a_root_of_version_1_is_read() {
        let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
        for number in [3, 1 << 33, 17, 2, 5, 9, 11_u64] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(&13_u32.to_le_bytes());
        let record = |links| Record { kind: RecordKind::Root, stream: 1, links, body: body.clone().into() };
        assert_eq!(Root::parse(&record(vec![])), Ok(root(None, None)));
        assert_eq!(Root::parse(&record(vec![name(1)])), Ok(root(Some(name(1)), None)));
        assert_eq!(Root::parse(&record(vec![name(1), name(2)])), Err(Malformed::Bytes));
    }

    #[test]
    fn links_and_flags_that_disagree_are_refused() {
        let mut record = root(Some(name(1)), Some(name(2))).record(1);
        record.links.pop();
        assert_eq!(Root::parse(&record), Err(Malformed::Bytes));
        record.links = vec![name(1); 3];
        assert_eq!(Root::parse(&record), Err(Malformed::Bytes));
        let mut body = record.body.to_vec();
        body[0] = 4;
        assert_eq!(Root::parse(&Record { body: body.into(), ..record }), Err(Malformed::Newer));
    }
}
