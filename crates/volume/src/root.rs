//! A volume's root record: the state that a checkpoint made durable. `docs/format.md`, "Root records" draws it.

use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::journal::Counters;
use crate::{Timestamp, record};
use block::{Name, Position, Record, RecordKind};

const ROOT_VERSION: u8 = 2;

/// Version 1 knew no kept tree: its one link, if any, is the volume's tree.
const VERSION_WITHOUT_KEPT: u8 = 1;

const HAS_TREE: u8 = 1;
const HAS_KEPT: u8 = 2;

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
}

impl Root {
    /// The record for a volume's stream.
    pub(crate) fn record(&self, stream: u64) -> Record {
        let flag = |link: Option<Name>, flag| if link.is_some() { flag } else { 0 };
        let flags = flag(self.tree, HAS_TREE) | flag(self.kept, HAS_KEPT);
        let mut body = vec![ROOT_VERSION, flags, 0, 0, 0, 0, 0, 0];
        body.put_u64(self.sequence);
        body.put_u64(self.replay_from.to_u64());
        self.counters.put(&mut body);
        body.put_u64(self.hash_seed);
        record::put_timestamp(&mut body, self.taken);
        Record {
            kind: RecordKind::Root,
            stream,
            links: self.tree.into_iter().chain(self.kept).collect(),
            body: body.into(),
        }
    }

    /// Takes a record for a root.
    pub(crate) fn parse(record: &Record) -> Parsed<Self> {
        let mut reader = Reader(&record.body);
        let (tree, kept) = links(&mut reader, &record.links)?;
        let root = Self {
            tree,
            kept,
            sequence: reader.u64()?,
            replay_from: Position::from_u64(reader.u64()?),
            counters: Counters::read(&mut reader)?,
            hash_seed: reader.u64()?,
            taken: record::timestamp(&mut reader)?,
        };
        if reader.is_empty() { Ok(root) } else { Err(Malformed::Bytes) }
    }
}

/// The links of a root, by what its version and flags say of them.
fn links(reader: &mut Reader<'_>, links: &[Name]) -> Parsed<(Option<Name>, Option<Name>)> {
    let is_old = reader.0.first() == Some(&VERSION_WITHOUT_KEPT);
    reader.version(if is_old { VERSION_WITHOUT_KEPT } else { ROOT_VERSION })?;
    let flags = if is_old { (!links.is_empty()) as u8 } else { reader.u8()? };
    reader.reserved(if is_old { 7 } else { 6 })?;
    if flags & !(HAS_TREE | HAS_KEPT) != 0 {
        return Err(Malformed::Bytes);
    }
    let mut rest = links.iter().copied();
    let mut take = |flag| if flags & flag != 0 { rest.next().map(Some).ok_or(Malformed::Bytes) } else { Ok(None) };
    let found = (take(HAS_TREE)?, take(HAS_KEPT)?);
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
        body[0] = 3;
        assert_eq!(Root::parse(&Record { body: body.into(), ..record }), Err(Malformed::Newer));
    }
}
