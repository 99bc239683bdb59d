//! The states of one volume, in the order in which the ledger came to them.

use crate::Result;
use crate::catalog::VolumeId;
use crate::codec::{Parsed, Reader, Writer};
use crate::kept::Kept;
use crate::limits::LEDGER_BATCH_BLOCKS;
use crate::shared::Shared;
use block::{Blocks, Name, Note};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tree::{Nodes, Tree};

/// First byte of the key of what is known of a volume, and of a state of it.
const CHAIN: u8 = b'c';
const STATE: u8 = b's';

pub(super) struct Chain {
    /// The state that the ledger is at.
    pub(super) cursor: Tree,
    /// The number of the next state.
    pub(super) next: u32,
    /// Whether the ledger is between the cursor and another state.
    pub(super) is_between: bool,
    /// The states that are kept, by the keys of the kept tree's entries.
    states: BTreeMap<u32, Bytes>,
    numbers: HashMap<Bytes, u32>,
    /// The kept tree as it was looked at last; none if it has to be read from its beginning.
    kept: Option<Kept>,
    changed: BTreeMap<u32, Option<Bytes>>,
    nothing_kept: Tree,
}

impl Chain {
    /// Before the first state of a volume whose trees are made of some nodes.
    pub(super) fn new(shared: &Shared, nodes: Arc<Nodes>) -> Self {
        Self {
            nothing_kept: Tree::new(shared.plain.nodes.clone(), None),
            cursor: Tree::new(nodes, None),
            next: 0,
            is_between: false,
            states: BTreeMap::new(),
            numbers: HashMap::new(),
            kept: None,
            changed: BTreeMap::new(),
        }
    }

    pub(super) fn is_at(&self, kept: &Kept, tree: &Tree) -> bool {
        self.cursor.root() == tree.root() && self.kept.as_ref().is_some_and(|known| known.root() == kept.root())
    }

    /// What came to the kept roots, and what went of them.
    pub(super) fn changes(&self, kept: &Kept) -> Result<super::KeptChanges> {
        if let Some(before) = &self.kept {
            return super::differences(before.tree(), kept.tree());
        }
        let (mut came, _) = super::differences(&self.nothing_kept, kept.tree())?;
        let there: HashMap<Bytes, ()> = came.iter().map(|(id, _)| (id.clone(), ())).collect();
        came.retain(|(id, _)| !self.numbers.contains_key(id));
        Ok((came, self.states.values().filter(|id| !there.contains_key(*id)).cloned().collect()))
    }

    pub(super) fn set_kept(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// The state at the cursor is a kept one. Gives its number.
    pub(super) fn keep(&mut self, root: Bytes) -> u32 {
        let number = self.next;
        self.states.insert(number, root.clone());
        self.numbers.insert(root.clone(), number);
        self.changed.insert(number, Some(root));
        self.next += 1;
        number
    }

    /// The number that a kept root had, which is kept no more.
    pub(super) fn forget(&mut self, root: &Bytes) -> Option<u32> {
        let number = self.numbers.remove(root)?;
        self.states.remove(&number);
        self.changed.insert(number, None);
        Some(number)
    }

    pub(super) fn kept_ids(&self) -> Vec<Bytes> {
        self.states.values().cloned().collect()
    }

    pub(super) fn states(&self) -> &BTreeMap<u32, Bytes> {
        &self.states
    }

    /// The first and the last state that is kept among some, in order.
    pub(super) fn narrow(&self, from: u32, behind: u32) -> Option<(u32, u32)> {
        let mut inside = self.states.range(from..behind).map(|(number, _)| *number);
        let first = inside.next()?;
        Some((first, inside.next_back().unwrap_or(first)))
    }

    pub(super) fn take_notes(&mut self, id: VolumeId, notes: &mut Vec<Note>) {
        let mut value = vec![self.is_between as u8];
        value.put_u32(self.next);
        value.extend_from_slice(self.cursor.root().map_or([0; Name::BYTES], |root| *root.as_bytes()).as_slice());
        notes.push((key(CHAIN, id, &[]), Some(value)));
        for (number, root) in std::mem::take(&mut self.changed) {
            let key = key(STATE, id, &number.to_be_bytes());
            notes.push((key, root.map(|root| root.to_vec())));
        }
    }

    /// What removes it.
    pub(super) fn removal(&self, id: VolumeId) -> Vec<Note> {
        vec![(key(CHAIN, id, &[]), None)]
    }
}

fn key(kind: u8, id: VolumeId, rest: &[u8]) -> Vec<u8> {
    [&[kind], &id.0.to_be_bytes()[..], rest].concat()
}

/// Those that are noted; `None` if one is between two states, or its state is gone.
pub(super) fn load(
    shared: &Shared,
    nodes_of: &dyn Fn(VolumeId) -> Arc<Nodes>,
) -> Result<Option<BTreeMap<VolumeId, Chain>>> {
    let mut chains = BTreeMap::new();
    for (key, value) in all(shared, CHAIN)? {
        match parse_chain(shared, nodes_of, &key, &value) {
            Ok((id, chain)) if !chain.is_between && is_there(shared, &chain.cursor)? => chains.insert(id, chain),
            _ => return Ok(None),
        };
    }
    for (key, value) in all(shared, STATE)? {
        let (id, number) = match parse_key(&key).and_then(|(id, mut rest)| Ok((id, rest.u32()?.swap_bytes()))) {
            Ok(parsed) => parsed,
            Err(_) => return Ok(None),
        };
        let Some(chain) = chains.get_mut(&id) else { return Ok(None) };
        let root = Bytes::from(value);
        chain.states.insert(number, root.clone());
        chain.numbers.insert(root, number);
    }
    Ok(Some(chains))
}

fn parse_key(key: &[u8]) -> Parsed<(VolumeId, Reader<'_>)> {
    let mut reader = Reader(key);
    reader.u8()?;
    let id = VolumeId(reader.u64()?.swap_bytes());
    Ok((id, reader))
}

fn parse_chain(
    shared: &Shared,
    nodes_of: &dyn Fn(VolumeId) -> Arc<Nodes>,
    key: &[u8],
    value: &[u8],
) -> Parsed<(VolumeId, Chain)> {
    let (id, _) = parse_key(key)?;
    let mut reader = Reader(value);
    let (is_between, next) = (reader.u8()? != 0, reader.u32()?);
    let root = reader.bytes(Name::BYTES)?;
    let mut bytes = [0; Name::BYTES];
    bytes.copy_from_slice(root);
    let root = (bytes != [0; Name::BYTES]).then(|| Name::from_bytes(bytes));
    let nodes = nodes_of(id);
    Ok((id, Chain { cursor: Tree::new(nodes.clone(), root), next, is_between, ..Chain::new(shared, nodes) }))
}

fn is_there(shared: &Shared, tree: &Tree) -> Result<bool> {
    Ok(tree.root().map_or(Ok(true), |root| shared.store.contains(&root))?)
}

/// All notes of a kind.
pub(super) fn all(shared: &Shared, kind: u8) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut found, mut from) = (Vec::new(), vec![kind]);
    loop {
        let notes = shared.store.notes(&from, LEDGER_BATCH_BLOCKS)?;
        let count = notes.len();
        found.extend(notes.into_iter().take_while(|(key, _)| key.first() == Some(&kind)));
        match found.last() {
            Some((last, _)) if count == LEDGER_BATCH_BLOCKS => from = [&last[..], &[0]].concat(),
            _ => return Ok(found),
        }
    }
}
