//! The pool's catalog: which volumes there are.
//!
//! It is a tree of its own, with a root record in stream 0. It changes rarely, so each change makes a new root at once and needs
//! no journal.

use crate::codec::{Malformed, Reader, Writer};
use crate::journal::Counters;
use crate::limits::VOLUME_NAME_BYTES_MAX;
use crate::root::Root;
use crate::{Error, Result, Timestamp, record};
use block::{Blocks, Store};
use bytes::Bytes;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use tree::{Edit, Nodes, Tree};

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

/// What the catalog has of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Its number.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

/// The log's stream of catalog roots.
const STREAM: u64 = 0;

const ENTRY_VERSION: u8 = 1;

/// First byte of a key.
mod subject {
    pub(super) const NEXT_VOLUME: u8 = 0;
    pub(super) const VOLUME: u8 = 1;
}

pub(crate) struct Catalog {
    store: Arc<Store>,
    tree: Tree,
}

impl Catalog {
    /// The catalog of a store; `None` if it has none yet.
    pub(crate) fn open(store: Arc<Store>, nodes: Arc<Nodes>) -> Result<Option<Self>> {
        let Some(stored) = store.latest_root(STREAM)? else {
            return Ok(None);
        };
        let root = Root::parse(&stored.record).map_err(|malformed| malformed.in_volume("the catalog's root"))?;
        Ok(Some(Self { store, tree: Tree::new(nodes, root.tree) }))
    }

    /// An empty catalog. It is there once something is added.
    pub(crate) fn new(store: Arc<Store>, nodes: Arc<Nodes>) -> Self {
        Self { store, tree: Tree::new(nodes, None) }
    }

    /// All volumes, in the order of their numbers.
    pub(crate) fn volumes(&self) -> Result<Vec<VolumeInfo>> {
        let (from, to) = (volume_key(VolumeId(0)), [subject::VOLUME + 1]);
        let entries = self.tree.range(&from, Bound::Excluded(&to))?;
        entries.map(|entry| entry.map_err(Error::from).and_then(|(key, value, _)| parse_entry(&key, &value))).collect()
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
        self.apply(vec![Edit::Delete { key: volume_key(volume) }], now)
    }

    fn apply(&mut self, edits: Vec<Edit>, now: Timestamp) -> Result<()> {
        let tree = self.tree.apply(edits)?;
        self.write_root(&tree, now)?;
        self.tree = tree;
        Ok(())
    }

    fn write_root(&self, tree: &Tree, now: Timestamp) -> Result<()> {
        let root = Root {
            tree: tree.root(),
            sequence: 0,
            replay_from: self.store.position(),
            counters: Counters::default(),
            hash_seed: 0,
            taken: now,
        };
        self.store.append(&root.record(STREAM))?;
        Ok(self.store.sync()?)
    }
}

fn volume_key(volume: VolumeId) -> Bytes {
    [&[subject::VOLUME][..], &volume.0.to_be_bytes()].concat().into()
}

fn put(volume: &VolumeInfo) -> Edit {
    let mut value = vec![ENTRY_VERSION];
    record::put_timestamp(&mut value, volume.created);
    value.put_u16(volume.name.len() as u16);
    value.extend_from_slice(volume.name.as_bytes());
    Edit::Put { key: volume_key(volume.id), value: value.into(), link: None }
}

fn parse_entry(key: &[u8], value: &[u8]) -> Result<VolumeInfo> {
    let parse = |key: &[u8], value: &[u8]| {
        let id = key.get(1..).and_then(|id| id.try_into().ok()).map(u64::from_be_bytes).ok_or(Malformed::Bytes)?;
        record::whole(value, |reader: &mut Reader<'_>| {
            reader.version(ENTRY_VERSION)?;
            let created = record::timestamp(reader)?;
            let length = reader.u16()? as usize;
            let name = String::from_utf8(reader.bytes(length)?.to_vec()).map_err(|_| Malformed::Bytes)?;
            Ok(VolumeInfo { id: VolumeId(id), name, created })
        })
    };
    parse(key, value).map_err(|malformed| malformed.in_volume("the catalog's entry of a volume"))
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
