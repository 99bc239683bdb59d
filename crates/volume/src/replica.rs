//! Replicas: volumes that follow one elsewhere.
//!
//! A replica is a volume like any other, with root records of its own. Nobody changes it but [`Volume::receive`], which puts
//! another state in force with one durable root record: what readers see is the state before or the state after. What a replica
//! keeps of its past is its own business, under its own retention.

use crate::catalog::Role;
use crate::codec::{Malformed, Parsed, Reader, Writer};
use crate::journal::Counters;
use crate::kept::{KeptRoot, Witnesses};
use crate::root::Root;
use crate::sealed::Sealed;
use crate::{Error, Result, Timestamp, Volume, record};
use block::{Blocks, Name, Position};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tree::Tree;

/// A whole state of a volume, as it goes to a replica: the root of its tree and what else a root record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) tree: Option<Name>,
    pub(crate) counters: Counters,
    pub(crate) hash_seed: u64,
    pub(crate) taken: Timestamp,
    pub(crate) sealed: Option<Sealed>,
}

/// What a replica keeps of history unless its user says otherwise: a drive is where old states are looked for.
pub const REPLICA_RETENTION: &str = "1d:1h,30d:1d,forever:1w";

const STATE_VERSION: u8 = 1;

/// Of an encrypted volume.
const ENCRYPTED_VERSION: u8 = 2;

impl State {
    /// The root of its tree; `None` before anything was received.
    pub fn tree(&self) -> Option<Name> {
        self.tree
    }

    /// The blocks that have to be where the state is to be, each with everything below it.
    pub fn roots(&self) -> impl Iterator<Item = Name> + use<> {
        self.tree.into_iter().chain(self.slots())
    }

    /// The block of the volume's key slots, if it is encrypted.
    fn slots(&self) -> Option<Name> {
        self.sealed.and_then(|sealed| sealed.slots)
    }

    /// Whether the volume is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.sealed.is_some()
    }

    /// Whether two states are the same, whenever they were taken.
    pub fn is_same(&self, other: &Self) -> bool {
        let what = |state: &Self| (state.tree, state.counters, state.hash_seed, state.slots());
        what(self) == what(other)
    }

    /// When the state was that of the volume.
    pub fn taken(&self) -> Timestamp {
        self.taken
    }

    /// Bytes of all content, before compression.
    pub fn logical_bytes(&self) -> u64 {
        self.counters.allocated_bytes
    }

    /// Inodes that are there.
    pub fn inodes(&self) -> u64 {
        self.counters.inodes
    }

    /// What a new replica begins with: nothing, but its names are hashed as the source's.
    pub fn before_anything(&self) -> Self {
        let counters = Counters { next_inode: crate::Inode::FIRST.0, inodes: 0, allocated_bytes: 0 };
        let sealed = self.sealed.map(|_| Sealed { tag: [0; 32], slots: None });
        Self { tree: None, counters, sealed, ..*self }
    }

    pub(crate) fn root(&self, sequence: u64, replay_from: Position) -> Root {
        let Self { tree, counters, hash_seed, taken, sealed } = *self;
        Root { tree, kept: None, sequence, replay_from, counters, hash_seed, taken, sealed }
    }

    /// The state as bytes: `docs/protocol.md`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![if self.sealed.is_some() { ENCRYPTED_VERSION } else { STATE_VERSION }];
        put_name(&mut bytes, self.tree);
        self.counters.put(&mut bytes);
        bytes.put_u64(self.hash_seed);
        record::put_timestamp(&mut bytes, self.taken);
        if let Some(Sealed { tag, slots }) = self.sealed {
            bytes.extend_from_slice(&tag);
            put_name(&mut bytes, slots);
        }
        bytes
    }

    /// Takes bytes for a state.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let read = |reader: &mut Reader<'_>| {
            let version = match reader.u8()? {
                0 => return Err(Malformed::Bytes),
                version @ ..=ENCRYPTED_VERSION => version,
                _ => return Err(Malformed::Newer),
            };
            Ok(Self {
                tree: name(reader)?,
                counters: Counters::read(reader)?,
                hash_seed: reader.u64()?,
                taken: record::timestamp(reader)?,
                sealed: if version == ENCRYPTED_VERSION { Some(sealed(reader)?) } else { None },
            })
        };
        record::whole(bytes, read).map_err(|malformed| malformed.in_volume("the state of a mirrored volume"))
    }
}

impl KeptRoot {
    /// The kept root as bytes: `docs/protocol.md`.
    pub fn encode(&self) -> Vec<u8> {
        let (key, value) = self.parts();
        let mut bytes = Vec::new();
        put_name(&mut bytes, self.tree);
        bytes.put_u16(key.len() as u16);
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&value);
        bytes
    }

    /// Takes bytes for a kept root.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let read = || {
            let mut reader = Reader(bytes);
            let tree = name(&mut reader)?;
            let length = reader.u16()? as usize;
            Ok((tree, reader.bytes(length)?, reader.0))
        };
        let damaged = |malformed: Malformed| malformed.in_volume("a kept root of a mirrored volume");
        let (tree, key, value) = read().map_err(damaged)?;
        Self::of_parts(key, value, tree)?.ok_or_else(|| damaged(Malformed::Bytes))
    }
}

fn put_name(bytes: &mut Vec<u8>, name: Option<Name>) {
    bytes.put_u8(name.is_some() as u8);
    name.iter().for_each(|name| bytes.extend_from_slice(name.as_bytes()));
}

fn sealed(reader: &mut Reader<'_>) -> Parsed<Sealed> {
    let tag = reader.bytes(32)?.try_into().map_err(|_| Malformed::Bytes)?;
    Ok(Sealed { tag, slots: name(reader)? })
}

fn name(reader: &mut Reader<'_>) -> Parsed<Option<Name>> {
    match reader.u8()? {
        0 => Ok(None),
        1 => {
            let bytes = reader.bytes(Name::BYTES)?.try_into().map_err(|_| Malformed::Bytes)?;
            Ok(Some(Name::from_bytes(bytes)))
        }
        _ => Err(Malformed::Bytes),
    }
}

impl Volume {
    /// The state that the last checkpoint made durable.
    pub fn state(&self) -> State {
        let last = self.last_checkpoint.lock();
        let (tree, counters, taken, sealed) = (last.tree, last.counters, last.taken, last.sealed);
        State { tree, counters, hash_seed: self.hash_seed, taken, sealed }
    }

    /// The state that the last checkpoint made durable, and what is kept, the oldest first. None of it becomes garbage as long as
    /// somebody has this.
    pub fn pin(&self) -> Result<Pinned> {
        let _checkpointing = self.begin_checkpoint()?;
        let (state, kept) = (self.state(), self.kept().roots(Timestamp::FIRST, Timestamp::LAST)?);
        let kept = kept.collect::<Result<Vec<_>>>()?;
        let roots = kept.iter().filter_map(KeptRoot::tree).chain(state.roots());
        let trees = roots.map(|root| Tree::new(self.contents.nodes.clone(), Some(root))).collect();
        Ok(Pinned { state, kept, witnesses: self.witnesses()?, _trees: trees })
    }

    /// Whether only [`Volume::receive`] changes it.
    pub fn is_replica(&self) -> bool {
        self.is_replica.load(Ordering::SeqCst)
    }

    /// Begins a transfer to this replica; `None` while another one is under way.
    pub fn begin_receiving(self: &Arc<Self>) -> Option<Receiving> {
        let is_free = !self.is_receiving.swap(true, Ordering::SeqCst);
        is_free.then(|| Receiving { volume: self.clone(), _hold: self.shared.store.hold() })
    }

    /// Puts a state in force whose blocks are all here, and keeps what of `offered` the volume's own retention wants: those that
    /// [`Volume::wanted`] chose. Notes who had the state. All of it with one durable root.
    pub fn receive(&self, state: &State, witnesses: &Witnesses, offered: &[KeptRoot]) -> Result<()> {
        self.put_in_force(state, witnesses, offered)?;
        self.tell_watchers(|watcher| {
            watcher.state_replaced();
            watcher.snapshots_changed();
        });
        Ok(())
    }

    fn put_in_force(&self, state: &State, witnesses: &Witnesses, offered: &[KeptRoot]) -> Result<()> {
        let _checkpointing = self.begin_checkpoint()?;
        let journal = self.journal.lock();
        let _closed = self.gate.write();
        if !self.is_replica() || !self.layers.overlay.is_empty() {
            return Err(Error::NotPermitted("only a replica takes over a state"));
        }
        if state.hash_seed != self.hash_seed {
            return Err(Error::NotPermitted("the state is that of another volume"));
        }
        if state.is_encrypted() != self.contents.encryption.is_some() {
            return Err(Error::NotPermitted("the one is encrypted, the other is not"));
        }
        let store = &self.shared.store;
        let mut root = state.root(journal.sequence, store.position());
        root.check(&self.contents)?;
        let (kept, _going) = self.kept_with_received(&root, witnesses, offered)?;
        root.kept = kept.root();
        store.append(&root.record(self.id.0))?;
        store.sync()?;
        self.replace_state(&root, kept);
        Ok(())
    }

    /// Makes the volume one that only [`Volume::receive`] changes, or that anybody may.
    pub(crate) fn set_role(&self, role: Role) {
        let _closed = self.gate.write();
        self.is_replica.store(role == Role::Replica, Ordering::SeqCst);
    }
}

/// What a volume has at a moment, for somebody who copies it.
pub struct Pinned {
    /// The state.
    pub state: State,
    /// What is kept, the oldest first.
    pub kept: Vec<KeptRoot>,
    /// Who has the state as its own.
    pub witnesses: Witnesses,
    _trees: Vec<Tree>,
}

/// A transfer to a replica that is under way.
pub struct Receiving {
    volume: Arc<Volume>,
    /// What was received and is not referred to yet is known to the transfer alone.
    _hold: block::Hold,
}

impl Receiving {
    /// The replica.
    pub fn volume(&self) -> &Arc<Volume> {
        &self.volume
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.volume.is_receiving.store(false, Ordering::SeqCst);
    }
}

/// The root record of a new replica.
pub(crate) fn first_root(state: &State, replay_from: Position) -> Root {
    state.before_anything().root(0, replay_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was_and_cut_bytes_are_refused() {
        let counters = Counters { next_inode: 17, inodes: 2, allocated_bytes: 5 };
        let taken = Timestamp { seconds: -3, nanoseconds: 7 };
        let name = Some(Name::from_bytes([4; Name::BYTES]));
        let sealed = |slots| Some(Sealed { tag: [6; 32], slots });
        for (tree, sealed) in [(None, None), (name, None), (name, sealed(None)), (None, sealed(name))] {
            let state = State { tree, counters, hash_seed: 9, taken, sealed };
            let bytes = state.encode();
            assert_eq!(State::decode(&bytes).unwrap(), state);
            assert!((0..bytes.len()).all(|length| State::decode(&bytes[..length]).is_err()));
        }
    }
}
