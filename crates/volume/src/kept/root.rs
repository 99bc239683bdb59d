//! A kept root: a whole state of the volume and what its root record said. `docs/format.md`, "The kept tree".

use super::key::{KeptId, Kind};
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::journal::Counters;
use crate::root::Root;
use crate::sealed::{StateTag, Tagged};
use crate::{Result, Timestamp};
use block::Name;
use bytes::Bytes;
use tree::Mapped;

const VERSION: u8 = 1;

/// Of an encrypted volume: with a tag, and a label for a name.
const ENCRYPTED_VERSION: u8 = 2;

/// Set in the flags of a snapshot that must not be deleted.
const HELD: u8 = 1;

/// Set in the flags of what is kept of an earlier incarnation.
const EARLIER: u8 = 2;

/// A state of a volume that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRoot {
    pub(crate) id: KeptId,
    pub(crate) tree: Option<Name>,
    pub(crate) counters: Counters,
    pub(crate) hash_seed: u64,
    /// The tag of its state, if the volume is encrypted.
    pub(crate) tag: Option<StateTag>,
    /// Empty for history.
    pub(crate) name: String,
    pub(crate) is_held: bool,
    /// Whether it is of an earlier incarnation: the volume's state does not come from it, so what it lacks of it was not deleted.
    pub(crate) is_earlier: bool,
}

impl KeptRoot {
    /// What keeps the state of a root.
    pub(super) fn of(root: &Root, id: KeptId, name: &str, is_held: bool) -> Self {
        let Root { tree, counters, hash_seed, sealed, .. } = *root;
        let tag = sealed.map(|sealed| sealed.tag);
        Self { id, tree, counters, hash_seed, tag, name: name.into(), is_held, is_earlier: false }
    }

    /// Which one it is.
    pub fn id(&self) -> KeptId {
        self.id
    }

    /// When the state was that of the volume.
    pub fn taken(&self) -> Timestamp {
        self.id.taken
    }

    /// The root of its tree. Equal ones are equal states.
    pub fn tree(&self) -> Option<Name> {
        self.tree
    }

    /// The name, if it is a snapshot.
    pub fn snapshot_name(&self) -> Option<&str> {
        (self.id.kind == Kind::Snapshot).then_some(&self.name)
    }

    /// Whether it must not be deleted.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Inodes in it.
    pub fn inodes(&self) -> u64 {
        self.counters.inodes
    }

    /// Bytes of all content, before compression.
    pub fn logical_bytes(&self) -> u64 {
        self.counters.allocated_bytes
    }

    /// Its state, as far as its tag says something of it.
    pub(crate) fn tagged(&self) -> Tagged {
        Tagged { tree: self.tree, counters: self.counters, hash_seed: self.hash_seed, taken: self.id.taken }
    }

    pub(super) fn value(&self) -> Bytes {
        let version = if self.tag.is_some() { ENCRYPTED_VERSION } else { VERSION };
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let mut value = vec![version, flag(self.is_held, HELD) | flag(self.is_earlier, EARLIER)];
        self.counters.put(&mut value);
        value.put_u64(self.hash_seed);
        self.tag.iter().for_each(|tag| value.extend_from_slice(tag));
        value.extend_from_slice(self.name.as_bytes());
        value.into()
    }

    /// Key and value in the kept tree.
    pub(crate) fn parts(&self) -> (Bytes, Bytes) {
        (self.id.key(), self.value())
    }

    /// The kept root with these in a kept tree; `None` if the key is none of a kept root.
    pub(crate) fn of_parts(key: &[u8], value: &[u8], tree: Option<Name>) -> Result<Option<Self>> {
        let parse = |id| Self::parse(id, (Bytes::copy_from_slice(value), tree));
        KeptId::parse(key).map(parse).transpose()
    }

    pub(super) fn parse(id: KeptId, (value, tree): Mapped) -> Result<Self> {
        parse(id, &value, tree).map_err(|malformed| malformed.in_volume("a kept root"))
    }
}

fn parse(id: KeptId, value: &[u8], tree: Option<Name>) -> Parsed<KeptRoot> {
    let mut reader = Reader(value);
    let version = match reader.u8()? {
        0 => return Err(Malformed::Bytes),
        version @ ..=ENCRYPTED_VERSION => version,
        _ => return Err(Malformed::Newer),
    };
    let flags = reader.u8()?;
    let (is_held, is_earlier) = (flags & HELD != 0, flags & EARLIER != 0);
    if flags & !(HELD | EARLIER) != 0 || (is_held && id.kind == Kind::History) {
        return Err(Malformed::Bytes);
    }
    let (counters, hash_seed) = (Counters::read(&mut reader)?, reader.u64()?);
    let tag = match version {
        ENCRYPTED_VERSION => Some(reader.bytes(32)?.try_into().map_err(|_| Malformed::Bytes)?),
        _ => None,
    };
    let name = std::str::from_utf8(reader.0).map_err(|_| Malformed::Bytes)?;
    if name.is_empty() != (id.kind == Kind::History) {
        return Err(Malformed::Bytes);
    }
    Ok(KeptRoot { id, tree, counters, hash_seed, tag, name: name.into(), is_held, is_earlier })
}
