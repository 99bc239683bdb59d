//! The ledger: in which states each block is, and so what comes back when some of them go.
//!
//! The states of a volume are numbered in the order in which the ledger comes to them: all that its kept tree links to (kept roots, and
//! states in which it met other sides), and behind them the newest state. A block is in runs of them, its **stays**. Going from one state to the next, only the blocks that the two do not share are
//! looked at (`Tree::diff_blocks`). How much lies in blocks of the same stays is kept as a sum ([`sums`]): whatever is asked is
//! answered from the sums. A block that is in several places, in several volumes, or came back after it had gone, has several stays,
//! and is given back only when all of them go.
//!
//! All of it is noted in the store's index (`Store::write_notes`): it is derived, and is made again from the trees if it is lost.
//!
//! Invariants:
//!
//! - The entry of a block counts the places that it has in its volume's tree at the cursor. An entry without an open stay has none.
//! - The sums are those of the entries' stays, narrowed to the states that are still kept.
//! - A step that takes more than one batch is marked as begun: what a crash leaves of it is made again from nothing.
//!
//! What it deliberately does not know: blocks that only the journal, the catalog or the kept trees lead to.

mod chain;
mod entry;
mod sums;
mod usage;

pub use usage::{SnapshotUse, SpaceUse, VolumeUse};

use crate::catalog::VolumeId;
use crate::kept::Kept;
use crate::limits::LEDGER_BATCH_BLOCKS;
use crate::shared::Shared;
use crate::wake::Wake;
use crate::{Error, KeptId, Result, Timestamp, Volume};
use block::{Name, Note, Store};
use bytes::Bytes;
use chain::Chain;
use entry::Entry;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use sums::Sums;
use tree::Tree;

/// First byte of the key of a block's entry.
const ENTRY: u8 = b'b';

/// What a store's blocks are for.
#[derive(Default)]
pub(crate) struct Ledger {
    books: Mutex<Option<Books>>,
    pub(crate) wake: Wake,
}

/// The part of the ledger that is in memory while it is in use.
struct Books {
    chains: BTreeMap<VolumeId, Chain>,
    sums: Sums,
    /// When the newest states were looked at.
    as_of: Timestamp,
    /// Of the notes that they were read from: notes of another one may lack the last that were written.
    generation: u64,
}

/// A volume at a moment: what it keeps, and its newest state.
pub(crate) struct Standing {
    pub(crate) kept: Kept,
    pub(crate) tree: Tree,
}

/// Starts the thread that keeps the ledger up to date.
pub(crate) fn start(
    shared: Arc<Shared>,
    volumes: impl Fn() -> Vec<Arc<Volume>> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("ledger".into()).spawn(move || {
        while shared.ledger.wake.wait(None) {
            if shared.store.check_writable().is_err() {
                continue;
            }
            if let Err(error) = shared.ledger.bring_up(&shared, &volumes()) {
                tracing::warn!(%error, "it cannot be told just now what takes the space");
            }
        }
    })
}

impl Ledger {
    /// Brings the ledger to the volumes' last checkpoints.
    pub(crate) fn bring_up(&self, shared: &Shared, volumes: &[Arc<Volume>]) -> Result<()> {
        self.with_books(shared, volumes, |_| ())
    }

    /// As [`Ledger::bring_up`], if it is in memory: what it has in hand there keeps states from being collected that are gone.
    pub(crate) fn let_go(&self, shared: &Shared, volumes: &[Arc<Volume>]) {
        if self.books.lock().is_some()
            && let Err(error) = self.bring_up(shared, volumes)
        {
            tracing::warn!(%error, "it cannot be told just now what takes the space");
        }
    }

    /// Forgets what can be read again.
    pub(crate) fn rest(&self) {
        if let Some(mut books) = self.books.try_lock() {
            *books = None;
        }
    }

    /// Does something with books that are up to date.
    fn with_books<R>(&self, shared: &Shared, volumes: &[Arc<Volume>], read: impl FnOnce(&Books) -> R) -> Result<R> {
        shared.store.check_writable()?;
        let mut slot = self.books.lock();
        let is_current = |books: &Books| books.generation == shared.store.notes_generation();
        let mut books = match slot.take().filter(is_current) {
            Some(books) => books,
            None => Books::load(shared, volumes)?,
        };
        if let Err(error) = books.bring_up(shared, volumes) {
            tracing::info!(%error, "what takes the space is found out anew");
            books = Books::renew(shared)?;
            books.bring_up(shared, volumes)?;
        }
        if !is_current(&books) {
            books = Books::load(shared, volumes)?;
            books.bring_up(shared, volumes)?;
        }
        let found = read(&books);
        *slot = Some(books);
        Ok(found)
    }
}

impl Books {
    fn load(shared: &Shared, volumes: &[Arc<Volume>]) -> Result<Self> {
        let nodes_of = |id| {
            let volume = volumes.iter().find(|volume| volume.id == id);
            volume.map_or(&shared.plain.nodes, |volume| &volume.contents.nodes).clone()
        };
        let generation = shared.store.notes_generation();
        let chains = chain::load(shared, &nodes_of)?;
        match (chains, Sums::load(&shared.store)?) {
            (Some(chains), Some(sums)) => Ok(Self { chains, sums, as_of: Timestamp::FIRST, generation }),
            _ => Self::renew(shared),
        }
    }

    /// Books of nothing.
    fn renew(shared: &Shared) -> Result<Self> {
        let generation = shared.store.notes_generation();
        loop {
            let notes = shared.store.notes(&[], LEDGER_BATCH_BLOCKS)?;
            let gone: Vec<Note> = notes.into_iter().map(|(key, _)| (key, None)).collect();
            if gone.is_empty() {
                let (chains, sums) = (BTreeMap::new(), Sums::default());
                return Ok(Self { chains, sums, as_of: Timestamp::FIRST, generation });
            }
            shared.store.write_notes(&gone)?;
        }
    }

    fn bring_up(&mut self, shared: &Shared, volumes: &[Arc<Volume>]) -> Result<()> {
        let as_of = shared.environment.now();
        let gone: Vec<VolumeId> =
            self.chains.keys().copied().filter(|id| !volumes.iter().any(|volume| volume.id == *id)).collect();
        for id in gone {
            self.close(shared, id)?;
        }
        for volume in volumes {
            self.bring_up_volume(shared, volume)?;
        }
        self.as_of = as_of;
        Ok(())
    }

    fn bring_up_volume(&mut self, shared: &Shared, volume: &Volume) -> Result<()> {
        let (id, Standing { kept, tree }) = (volume.id, volume.standing());
        let nodes = volume.contents.nodes.clone();
        let chain = self.chains.entry(id).or_insert_with(|| Chain::new(shared, nodes.clone()));
        if chain.is_at(&kept, &tree) {
            return Ok(());
        }
        let (came, went) = chain.changes(&kept)?;
        let has_to_be_read = !came.is_empty() || chain.cursor.root() != tree.root();
        if has_to_be_read && volume.contents.is_locked() {
            return Ok(());
        }
        for root in went {
            self.drop_state(id, &root);
        }
        for (root, state) in came {
            self.step(shared, id, Tree::new(nodes.clone(), state), Some(root))?;
        }
        self.step(shared, id, tree, None)?;
        if let Some(chain) = self.chains.get_mut(&id) {
            chain.set_kept(kept);
        }
        self.write(shared, Vec::new())
    }

    /// Goes on to another state of a volume: that of a kept root, or the newest.
    fn step(&mut self, shared: &Shared, id: VolumeId, to: Tree, root: Option<Bytes>) -> Result<()> {
        let Some(chain) = self.chains.get_mut(&id) else { return Ok(()) };
        let from = chain.cursor.clone();
        let mut changes: HashMap<Name, i64> = HashMap::new();
        let mut failed = None;
        from.diff_blocks(&to, &mut |name, places| {
            *changes.entry(name).or_default() += places;
            if changes.len() >= LEDGER_BATCH_BLOCKS && failed.is_none() {
                let batch = std::mem::take(&mut changes);
                let written = self.take_in(shared, id, batch).and_then(|notes| {
                    self.chains.get_mut(&id).into_iter().for_each(|chain| chain.is_between = true);
                    self.write(shared, notes)
                });
                failed = written.err();
            }
            Ok(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let notes = self.take_in(shared, id, changes)?;
        if let Some(chain) = self.chains.get_mut(&id) {
            chain.is_between = false;
            chain.cursor = to;
            if let Some(root) = root {
                // What was only in the newest state is in this one too, which is the same.
                self.sums.newest_is_kept(id, chain.keep(root));
            }
        }
        self.write(shared, notes)
    }

    /// Brings changes of how many places blocks have into their entries and the sums.
    fn take_in(&mut self, shared: &Shared, id: VolumeId, changes: HashMap<Name, i64>) -> Result<Vec<Note>> {
        let mut notes = Vec::with_capacity(changes.len());
        for (name, places) in changes.into_iter().filter(|(_, places)| *places != 0) {
            let key = entry_key(&name);
            let mut entry = match shared.store.note(&key)? {
                Some(value) => Entry::decode(&value).map_err(|malformed| malformed.in_volume("the ledger"))?,
                None => Entry::default(),
            };
            self.sums.subtract(entry.key(&self.chains), entry.bytes);
            let next = self.chains.get(&id).map_or(0, |chain| chain.next);
            entry.change(id, next, places).ok_or(Error::Damaged { inode: 0, what: "the ledger" })?;
            entry.forget_what_went(&self.chains);
            if places > 0 {
                entry.bytes = shared.store.bytes_of(&name)?.unwrap_or(entry.bytes);
            }
            self.sums.add(entry.key(&self.chains), entry.bytes);
            notes.push((key, (!entry.is_empty()).then(|| entry.encode())));
        }
        Ok(notes)
    }

    fn drop_state(&mut self, id: VolumeId, root: &Bytes) {
        let Some(chain) = self.chains.get_mut(&id) else { return };
        if let Some(number) = chain.forget(root) {
            self.sums.state_went(id, number, &self.chains);
        }
    }

    /// Forgets a volume that is gone.
    fn close(&mut self, shared: &Shared, id: VolumeId) -> Result<()> {
        let Some(chain) = self.chains.get(&id) else { return Ok(()) };
        let empty = Tree::new(chain.cursor.nodes().clone(), None);
        self.step(shared, id, empty, None)?;
        let states: Vec<Bytes> = self.chains.get(&id).map(Chain::kept_ids).unwrap_or_default();
        for root in states {
            self.drop_state(id, &root);
        }
        self.write(shared, Vec::new())?;
        let Some(chain) = self.chains.remove(&id) else { return Ok(()) };
        Ok(shared.store.write_notes(&chain.removal(id))?)
    }

    /// Writes entries together with what changed of everything else.
    fn write(&mut self, shared: &Shared, mut notes: Vec<Note>) -> Result<()> {
        self.sums.take_notes(&mut notes);
        for (id, chain) in &mut self.chains {
            chain.take_notes(*id, &mut notes);
        }
        Ok(shared.store.write_notes(&notes)?)
    }

    /// Removes the entries of blocks that are in no state any more. Called when such blocks were collected.
    pub(super) fn prune(&self, store: &Store) -> Result<()> {
        let mut from = vec![ENTRY];
        loop {
            let notes = store.notes(&from, LEDGER_BATCH_BLOCKS)?;
            let Some((last, _)) = notes.last().filter(|(key, _)| key.first() == Some(&ENTRY)) else { return Ok(()) };
            from = [&last[..], &[0]].concat();
            let is_of_nothing =
                |value: &[u8]| Entry::decode(value).is_ok_and(|entry| entry.key(&self.chains).is_empty());
            let gone = notes.into_iter().filter(|(key, value)| key[0] == ENTRY && is_of_nothing(value));
            store.write_notes(&gone.map(|(key, _)| (key, None)).collect::<Vec<_>>())?;
        }
    }
}

fn entry_key(name: &Name) -> Vec<u8> {
    [&[ENTRY], &name.as_bytes()[..]].concat()
}

impl Ledger {
    /// Removes what it knows of blocks that are gone.
    pub(crate) fn prune(&self, shared: &Shared) -> Result<()> {
        self.books.lock().as_ref().map_or(Ok(()), |books| books.prune(&shared.store))
    }
}

impl Volume {
    /// What the last checkpoint made of it.
    fn standing(&self) -> Standing {
        let _checkpointing = self.checkpointing.lock();
        Standing { kept: Kept::clone(&self.kept()), tree: self.layers.base.load().tree.clone() }
    }
}

/// Entries of the kept tree that came, with their states, and those that went.
type KeptChanges = (Vec<(Bytes, Option<Name>)>, Vec<Bytes>);

fn differences(before: &Tree, after: &Tree) -> Result<KeptChanges> {
    let (mut came, mut went) = (Vec::new(), Vec::new());
    before.diff(after, &mut |tree::Difference { key, before, after }| {
        // The state of an empty volume has no tree; what only finds a snapshot by its name has none either.
        let state = |mapped: Option<tree::Mapped>| {
            let tree = mapped.map(|(_, tree)| tree);
            tree.filter(|tree| tree.is_some() || KeptId::parse(&key).is_some())
        };
        let (before, after) = (state(before), state(after));
        if before != after {
            went.extend(before.map(|_| key.clone()));
            came.extend(after.map(|tree| (key.clone(), tree)));
        }
        ControlFlow::Continue(())
    })?;
    came.sort_by_key(|(key, _)| KeptId::parse(key).map(KeptId::taken));
    Ok((came, went))
}
