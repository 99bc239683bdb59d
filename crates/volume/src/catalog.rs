//! The pool's catalog: which volumes there are.
//!
//! It is a tree of its own, with a root record in stream 0. It changes rarely, so each change makes a new root at once and needs
//! no journal.

use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::journal::Counters;
use crate::limits::VOLUME_NAME_BYTES_MAX;
use crate::root::Root;
use crate::{Error, Result, Settings, Timestamp, record};
use block::{Blocks, Name, Store, StoreId};
use bytes::Bytes;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use tree::{Edit, Nodes, Tree, Visited};

/// A volume's number in its pool, never used again; also its stream in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId(pub u64);

impl VolumeId {
    /// The volume that a pool begins with.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for VolumeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Tells a volume from every other, in whichever pool: its replicas have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeIdentity(pub [u8; 16]);

impl fmt::Display for VolumeIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Who changes a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever mounts it.
    Primary,
    /// Mirroring alone: it follows a volume elsewhere.
    Replica,
}

/// What the catalog has of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Its number.
    pub id: VolumeId,
    /// Which volume it is, or is a replica of.
    pub identity: VolumeIdentity,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who changes it.
    pub role: Role,
    /// What the user has set.
    pub settings: Settings,
}

/// The log's stream of catalog roots.
pub(crate) const CATALOG_STREAM: u64 = 0;

/// Versions of an entry. The first had neither identity nor role nor settings.
const ENTRY_VERSION: u8 = 2;
const ENTRY_VERSION_PLAIN: u8 = 1;

/// First byte of a key.
mod subject {
    pub(super) const NEXT_VOLUME: u8 = 0;
    pub(super) const VOLUME: u8 = 1;
    pub(super) const TRANSFER: u8 = 2;
    pub(super) const PURGE: u8 = 3;
}

pub(crate) struct Catalog {
    store: Arc<Store>,
    tree: Tree,
    /// What is kept twice beside the catalog itself.
    also_twice: Box<dyn Fn() -> Vec<Name> + Send>,
}

impl Catalog {
    /// The catalog of a store; `None` if it has none yet.
    pub(crate) fn open(store: Arc<Store>, nodes: Arc<Nodes>) -> Result<Option<Self>> {
        let Some(stored) = store.latest_root(CATALOG_STREAM)? else {
            return Ok(None);
        };
        let root = Root::parse(&stored.record).map_err(|malformed| malformed.in_volume("the catalog's root"))?;
        Ok(Some(Self { store, tree: Tree::new(nodes, root.tree), also_twice: Box::new(Vec::new) }))
    }

    /// An empty catalog. It is there once something is added.
    pub(crate) fn new(store: Arc<Store>, nodes: Arc<Nodes>) -> Self {
        Self { store, tree: Tree::new(nodes, None), also_twice: Box::new(Vec::new) }
    }

    /// Says which blocks are to be kept twice beside the catalog, and keeps them so.
    pub(crate) fn keep_also_twice(&mut self, names: impl Fn() -> Vec<Name> + Send + 'static) -> Result<()> {
        self.also_twice = Box::new(names);
        self.keep_twice()
    }

    /// The catalog's tree.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// All volumes, in the order of their numbers.
    pub(crate) fn volumes(&self) -> Result<Vec<VolumeInfo>> {
        let (from, to) = (volume_key(VolumeId(0)), [subject::VOLUME + 1]);
        let entries = self.tree.range(&from, Bound::Excluded(&to))?;
        let parse = |(key, value, _): (Bytes, Bytes, _)| parse_entry(&key, &value, self.store.id());
        entries.map(|entry| entry.map_err(Error::from).and_then(parse)).collect()
    }

    /// The number that the next volume gets.
    pub(crate) fn next_volume(&self) -> Result<VolumeId> {
        let Some((value, _)) = self.tree.get(&[subject::NEXT_VOLUME])? else {
            return Ok(VolumeId::FIRST);
        };
        record::whole(&value, |reader| reader.u64())
            .map(VolumeId)
            .map_err(|malformed| malformed.in_volume("the next volume's number"))
    }

    /// Adds a volume that has the next number.
    pub(crate) fn add(&mut self, volume: &VolumeInfo, now: Timestamp) -> Result<()> {
        let mut next = Vec::new();
        next.put_u64(volume.id.0 + 1);
        let next = Edit::Put { key: Bytes::from_static(&[subject::NEXT_VOLUME]), value: next.into(), link: None };
        self.apply(vec![next, put(volume)], now)
    }

    /// Changes what the catalog has of a volume.
    pub(crate) fn update(&mut self, volume: &VolumeInfo, now: Timestamp) -> Result<()> {
        self.apply(vec![put(volume)], now)
    }

    /// Forgets a volume.
    pub(crate) fn remove(&mut self, volume: VolumeId, now: Timestamp) -> Result<()> {
        let keys = [volume_key(volume), transfer_key(volume)];
        self.apply(keys.into_iter().map(|key| Edit::Delete { key }).collect(), now)
    }

    /// What was received for a replica and is not yet part of it.
    pub(crate) fn transfer(&self, volume: VolumeId) -> Result<Option<Name>> {
        Ok(self.tree.get(&transfer_key(volume))?.and_then(|(_, link)| link))
    }

    /// Takes note of what was received for a replica; of nothing once it is part of it.
    pub(crate) fn set_transfer(&mut self, volume: VolumeId, received: Option<Name>, now: Timestamp) -> Result<()> {
        let key = transfer_key(volume);
        self.apply(
            vec![match received {
                Some(name) => Edit::Put { key, value: Bytes::new(), link: Some(name) },
                None => Edit::Delete { key },
            }],
            now,
        )
    }

    /// Whether what is dead is to be removed from the store, all of it: the number of the erase that last asked for it.
    pub(crate) fn purge_due(&self) -> Result<Option<u64>> {
        let Some((value, _)) = self.tree.get(&[subject::PURGE])? else { return Ok(None) };
        let number = record::whole(&value, |reader| reader.u64());
        Ok(Some(number.map_err(|malformed| malformed.in_volume("the note of a purge"))?))
    }

    /// Takes note that it is.
    pub(crate) fn note_purge(&mut self, now: Timestamp) -> Result<()> {
        let mut value = Vec::new();
        value.put_u64(self.purge_due()?.map_or(1, |number| number + 1));
        self.apply(vec![Edit::Put { key: Bytes::from_static(&[subject::PURGE]), value: value.into(), link: None }], now)
    }

    /// Takes note that what an erase and those before it asked for is done.
    pub(crate) fn note_purged(&mut self, number: Option<u64>, now: Timestamp) -> Result<()> {
        match self.purge_due()? {
            due if due.is_none() || due != number => Ok(()),
            _ => self.apply(vec![Edit::Delete { key: Bytes::from_static(&[subject::PURGE]) }], now),
        }
    }

    /// Writes the root record anew.
    pub(crate) fn renew(&self, now: Timestamp) -> Result<()> {
        self.store.with_reserve(|| self.write_root(&self.tree, now))?;
        self.keep_twice()
    }

    fn apply(&mut self, edits: Vec<Edit>, now: Timestamp) -> Result<()> {
        self.tree = self.store.with_reserve(|| {
            let tree = self.tree.apply(edits)?;
            self.write_root(&tree, now)?;
            Result::Ok(tree)
        })?;
        self.keep_twice()
    }

    /// Without the catalog no volume is found, and without its key slots an encrypted one is lost: they are kept twice.
    pub(crate) fn keep_twice(&self) -> Result<()> {
        let mut nodes = (self.also_twice)();
        self.tree.walk(&mut |visited| {
            if let Visited::Node { name, .. } = visited {
                nodes.push(name);
            }
            true
        })?;
        self.store.keep_twice(nodes);
        match self.store.sync() {
            Err(block::Error::ReadOnly { .. }) => Ok(()),
            synced => Ok(synced?),
        }
    }

    fn write_root(&self, tree: &Tree, now: Timestamp) -> Result<()> {
        let root = Root {
            tree: tree.root(),
            kept: None,
            sequence: 0,
            replay_from: self.store.position(),
            counters: Counters::default(),
            hash_seed: 0,
            taken: now,
            sealed: None,
        };
        self.store.append(&root.record(CATALOG_STREAM))?;
        Ok(self.store.sync()?)
    }
}

fn volume_key(volume: VolumeId) -> Bytes {
    [&[subject::VOLUME][..], &volume.0.to_be_bytes()].concat().into()
}

fn transfer_key(volume: VolumeId) -> Bytes {
    [&[subject::TRANSFER][..], &volume.0.to_be_bytes()].concat().into()
}

fn put(volume: &VolumeInfo) -> Edit {
    let mut value = vec![ENTRY_VERSION];
    record::put_timestamp(&mut value, volume.created);
    put_text(&mut value, &volume.name);
    value.extend_from_slice(&volume.identity.0);
    value.put_u8(match volume.role {
        Role::Primary => 0,
        Role::Replica => 1,
    });
    value.put_u16(volume.settings.iter().len() as u16);
    for (key, setting) in volume.settings.iter() {
        put_text(&mut value, key);
        put_text(&mut value, setting);
    }
    Edit::Put { key: volume_key(volume.id), value: value.into(), link: None }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.put_u16(text.len() as u16);
    bytes.extend_from_slice(text.as_bytes());
}

fn text(reader: &mut Reader<'_>) -> Parsed<String> {
    let length = reader.u16()? as usize;
    String::from_utf8(reader.bytes(length)?.to_vec()).map_err(|_| Malformed::Bytes)
}

fn parse_entry(key: &[u8], value: &[u8], store: StoreId) -> Result<VolumeInfo> {
    let id = key.get(1..).and_then(|id| id.try_into().ok()).map(u64::from_be_bytes).ok_or(Malformed::Bytes);
    let info = id.and_then(|id| record::whole(value, |reader| entry(VolumeId(id), reader, store)));
    info.map_err(|malformed| malformed.in_volume("the catalog's entry of a volume"))
}

fn entry(id: VolumeId, reader: &mut Reader<'_>, store: StoreId) -> Parsed<VolumeInfo> {
    let version = reader.u8()?;
    if version > ENTRY_VERSION {
        return Err(Malformed::Newer);
    }
    let (created, name) = (record::timestamp(reader)?, text(reader)?);
    let mut info = VolumeInfo {
        id,
        identity: plain_identity(id, store),
        name,
        created,
        role: Role::Primary,
        settings: Settings::default(),
    };
    if version == ENTRY_VERSION_PLAIN {
        return Ok(info);
    }
    info.identity = VolumeIdentity(reader.bytes(16)?.try_into().map_err(|_| Malformed::Bytes)?);
    info.role = match reader.u8()? {
        0 => Role::Primary,
        1 => Role::Replica,
        _ => return Err(Malformed::Bytes),
    };
    for _ in 0..reader.u16()? {
        info.settings.insert_kept(text(reader)?, text(reader)?);
    }
    Ok(info)
}

/// The identity of a volume from before there were any: it follows from the store and the number, so it is always the same.
fn plain_identity(id: VolumeId, store: StoreId) -> VolumeIdentity {
    let mut identity = *store.as_bytes();
    for (byte, number) in identity.iter_mut().zip(id.0.to_le_bytes()) {
        *byte ^= number;
    }
    VolumeIdentity(identity)
}

/// Says what is wrong with a name for a volume.
pub(crate) fn check_name(name: &str) -> std::result::Result<(), &'static str> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.len() > VOLUME_NAME_BYTES_MAX {
        Err("it is longer than 200 bytes")
    } else if !name.chars().all(is_plain) {
        Err("only letters, digits, `.`, `_` and `-` may be in it")
    } else if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Err("it must begin with a letter or a digit")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId::from_bytes([9; 16]);

    #[test]
    fn an_entry_comes_back_as_it_was() {
        let mut settings = Settings::default();
        settings.set("note", "one").unwrap();
        let created = Timestamp { seconds: 5, nanoseconds: 6 };
        let (id, identity, role) = (VolumeId(7), VolumeIdentity([3; 16]), Role::Replica);
        let info = VolumeInfo { id, identity, name: "photos".into(), created, role, settings };
        let Edit::Put { key, value, .. } = put(&info) else { panic!("an entry is put") };
        assert_eq!(parse_entry(&key, &value, STORE).unwrap(), info);
        for length in 0..value.len() {
            assert!(parse_entry(&key, &value[..length], STORE).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn an_entry_of_version_1_stays_readable_and_has_an_identity_that_stays() {
        let mut value = vec![1];
        record::put_timestamp(&mut value, Timestamp { seconds: 5, nanoseconds: 6 });
        put_text(&mut value, "main");
        let parse = |id| parse_entry(&volume_key(VolumeId(id)), &value, STORE).unwrap();
        assert_eq!((parse(1).name.as_str(), parse(1).role), ("main", Role::Primary));
        assert_eq!(parse(1).identity, parse(1).identity);
        assert_ne!(parse(1).identity, parse(2).identity);
    }

    #[test]
    fn an_entry_of_a_newer_version_is_named_as_such() {
        let parsed = parse_entry(&volume_key(VolumeId(1)), &[3, 0, 0], STORE);
        assert!(matches!(parsed, Err(Error::Newer { .. })));
    }
}
