//! A volume's root record: the state that a checkpoint made durable. `docs/format.md`, "Root records" draws it.

use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::journal::Counters;
use crate::{Timestamp, record};
use block::{Name, Position, Record, RecordKind};

const ROOT_VERSION: u8 = 1;

/// A whole file system, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// The root of the volume's tree; `None` if it is empty.
    pub(crate) tree: Option<Name>,
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
        let mut body = vec![ROOT_VERSION, 0, 0, 0, 0, 0, 0, 0];
        body.put_u64(self.sequence);
        body.put_u64(self.replay_from.to_u64());
        self.counters.put(&mut body);
        body.put_u64(self.hash_seed);
        record::put_timestamp(&mut body, self.taken);
        Record { kind: RecordKind::Root, stream, links: self.tree.into_iter().collect(), body: body.into() }
    }

    /// Takes a record for a root.
    pub(crate) fn parse(record: &Record) -> Parsed<Self> {
        let mut reader = Reader(&record.body);
        reader.version(ROOT_VERSION)?;
        reader.reserved(7)?;
        if record.links.len() > 1 {
            return Err(Malformed::Bytes);
        }
        let root = Self {
            tree: record.links.first().copied(),
            sequence: reader.u64()?,
            replay_from: Position::from_u64(reader.u64()?),
            counters: Counters::read(&mut reader)?,
            hash_seed: reader.u64()?,
            taken: record::timestamp(&mut reader)?,
        };
        if reader.is_empty() { Ok(root) } else { Err(Malformed::Bytes) }
    }
}
