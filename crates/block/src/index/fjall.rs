//! The index on a real disk: an LSM tree (fjall) with little memory.
//!
//! Entries come in thousands at a time and are ingested: each update becomes a sorted table, durable when it is finished. They do
//! not go through fjall's journal, which would be replayed into memory at every start. The state follows in a batch that does.
//! So the state never runs ahead of the entries. After a crash between the two it lags behind them, and the log is read again
//! from there: what is ingested twice says the same.
//!
//! Notes are ingested as well where many come at a time. Few go through the journal, which costs less than a table of their own. An
//! ingestion first writes out what its keyspace has in memory, so notes stay in order.

use super::{Index, IndexState, IndexUpdate, Location, Totals, private_copy, table_lists};
use crate::limits::{
    INDEX_CACHE_BYTES, INDEX_JOURNAL_BYTES_MAX, INDEX_MEMTABLE_BYTES, INDEX_THREADS, INGESTED_NOTES_MIN,
};
use crate::{Error, Name, Position, Result, StoreId};
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, UserValue};
use std::collections::BTreeMap;
use std::io;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const STATE_KEY: &[u8] = b"state";

/// An index in a folder, for as long as fjall takes writes.
pub(super) struct OpenIndex {
    path: String,
    /// Whether fjall has refused a write for ever: it does so once one of its journal has failed.
    is_poisoned: AtomicBool,
    database: Database,
    blocks: Keyspace,
    roots: Keyspace,
    state: Keyspace,
    notes: Keyspace,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawLocation {
    position: U64,
    /// The highest bit says that the block has links.
    payload_bytes: U32,
    data_bytes: U32,
}

const HAS_LINKS: u32 = 1 << 31;

const _: () = assert!(crate::limits::PAYLOAD_BYTES_MAX < HAS_LINKS as usize);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawState {
    store: [u8; StoreId::BYTES],
    watermark: U64,
    blocks: U64,
    stored_bytes: U64,
    data_bytes: U64,
    log_bytes: U64,
    whole_from: U64,
}

impl OpenIndex {
    /// Opens the index in a folder, or makes one there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::open_database(path).map_err(|error| failed("open", path, error))
    }

    /// Opens the index in a folder; one that is damaged gives way to a new one, which the store fills from its log.
    pub(super) fn open_or_renew(path: &Path) -> Result<Self> {
        match Self::open_database(path) {
            Err(error) if is_damage(&error) => {
                tracing::warn!(%error, path = %path.display(), "the index is damaged and is made again from the segments");
                Self::renew(path)
            }
            Ok(index) => match index.reason_to_renew()? {
                Some(why) => {
                    tracing::info!(path = %path.display(), why, "the index is made again from the segments");
                    drop(index);
                    Self::renew(path)
                }
                None => Ok(index),
            },
            Err(error) => Err(failed("open", path, error)),
        }
    }

    /// Opens a copy of the index in a folder, which stays as it is; `copy` is a folder that is not there. An index that is damaged, is
    /// not there, or cannot be read is an empty one in the copy, which the store fills from its log.
    pub(super) fn open_copy(path: &Path, copy: &Path) -> Result<Self> {
        match private_copy::make(path, copy) {
            Ok(()) => Self::open_or_renew(copy),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the index cannot be read and is made again beside the store");
                Self::renew(copy)
            }
        }
    }

    /// Why an index that could be opened is of no use. The form of its state says which form all of it has.
    fn reason_to_renew(&self) -> Result<Option<&'static str>> {
        let Some(state) = self.state.get(STATE_KEY).map_err(self.failed("read"))? else {
            let is_unused = self.blocks.is_empty().map_err(self.failed("read"))?;
            return Ok((!is_unused).then_some("it lost its state"));
        };
        let Ok(state) = RawState::read_from_bytes(&state) else { return Ok(Some("another version wrote it")) };
        if state.blocks.get() == 0 {
            return Ok(None);
        }
        // fjall begins a keyspace anew whose files are gone. Whoever has blocks in use has roots that lead to them.
        let keyspaces = [&self.blocks, &self.roots];
        let are_there = keyspaces.map(|keyspace| keyspace.is_empty().map(|is_empty| !is_empty));
        let [has_blocks, has_roots] = are_there.map(|is_there| is_there.map_err(self.failed("read")));
        Ok((!has_blocks? || !has_roots?).then_some("a part of it is gone"))
    }

    /// Removes the index in a folder and makes an empty one.
    pub(super) fn renew(path: &Path) -> Result<Self> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::disk("remove", &path.display().to_string(), error))
            }
            _ => Self::open(path),
        }
    }

    /// Some damage makes fjall panic while it opens its files. That is damage as any other.
    fn open_database(path: &Path) -> fjall::Result<Self> {
        if !table_lists::are_whole(path)? {
            return Err(fjall::Error::Unrecoverable);
        }
        catch_unwind(|| Self::open_keyspaces(path)).unwrap_or(Err(fjall::Error::Unrecoverable))
    }

    fn open_keyspaces(path: &Path) -> fjall::Result<Self> {
        let database = Database::builder(path)
            .cache_size(INDEX_CACHE_BYTES)
            .max_journaling_size(INDEX_JOURNAL_BYTES_MAX)
            .worker_threads(INDEX_THREADS)
            .open()?;
        // Below the newest tables, which are few and small, the parts that lead to an entry are in pieces: whole, those of one large
        // table take more than the cache, and every look-up would read them anew.
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(INDEX_MEMTABLE_BYTES)
                .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
                .index_block_partitioning_policy(PartitioningPolicy::new([false, true]))
                .index_block_pinning_policy(PinningPolicy::new([true, false]))
        };
        let blocks = database.keyspace("blocks", options)?;
        let roots = database.keyspace("roots", options)?;
        let state = database.keyspace("state", options)?;
        let notes = database.keyspace("notes", options)?;
        let (path, is_poisoned) = (path.display().to_string(), AtomicBool::new(false));
        Ok(Self { path, is_poisoned, database, blocks, roots, state, notes })
    }

    fn ingest_blocks(&self, update: &IndexUpdate) -> Result<()> {
        let mut sorted: BTreeMap<_, _> = update.entries.iter().map(|(name, location)| (name, Some(location))).collect();
        sorted.extend(update.removed.iter().map(|name| (name, None)));
        let encoded = |location| UserValue::from(encode_location(location).as_bytes());
        let entries = sorted.into_iter().map(|(name, location)| (&name.as_bytes()[..], location.map(encoded)));
        self.ingest(&self.blocks, entries)
    }

    /// Takes entries, which come in order, and removes those without a value: all of them or none.
    fn ingest<'a, V: Into<UserValue>>(
        &self,
        keyspace: &Keyspace,
        entries: impl Iterator<Item = (&'a [u8], Option<V>)>,
    ) -> Result<()> {
        let mut ingestion = keyspace.start_ingestion().map_err(self.failed("write"))?;
        for (key, value) in entries {
            let written = match value {
                Some(value) => ingestion.write(key, value),
                None => ingestion.write_tombstone(key),
            };
            written.map_err(self.failed("write"))?;
        }
        ingestion.finish().map_err(self.failed("write"))
    }

    fn failed(&self, operation: &'static str) -> impl Fn(fjall::Error) -> Error + '_ {
        move |error| {
            if matches!(error, fjall::Error::Poisoned) {
                self.is_poisoned.store(true, Ordering::Relaxed);
            }
            failed(operation, Path::new(&self.path), error)
        }
    }

    /// Whether it takes no writes any more until it is opened anew.
    pub(super) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Relaxed)
    }

    fn damaged(&self) -> Error {
        Error::Corrupt { what: format!("the index {} holds a value of the wrong length", self.path) }
    }

    fn read_entry(&self, entry: fjall::Guard) -> Result<(Name, Location)> {
        let (key, value) = entry.into_inner().map_err(self.failed("read"))?;
        let name = Name::read_from_bytes(&key).map_err(|_| self.damaged())?;
        Ok((name, decode_location(&value).ok_or_else(|| self.damaged())?))
    }

    fn read_roots(&self) -> Result<Vec<(u64, Position)>> {
        self.roots.iter().map(|entry| self.read_root(entry)).collect()
    }

    fn read_root(&self, entry: fjall::Guard) -> Result<(u64, Position)> {
        let (key, value) = entry.into_inner().map_err(self.failed("read"))?;
        let stream = U64::read_from_bytes(&key).map_err(|_| self.damaged())?;
        let position = U64::read_from_bytes(&value).map_err(|_| self.damaged())?;
        Ok((stream.get(), Position::from_u64(position.get())))
    }
}

impl Index for OpenIndex {
    fn get(&self, name: &Name) -> Result<Option<Location>> {
        let Some(value) = self.blocks.get(name.as_bytes()).map_err(self.failed("read"))? else {
            return Ok(None);
        };
        decode_location(&value).map(Some).ok_or_else(|| self.damaged())
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        self.blocks.contains_key(name.as_bytes()).map_err(self.failed("read"))
    }

    fn scan(&self, from: &Name, count: usize) -> Result<Vec<(Name, Location)>> {
        let entries = self.blocks.range(&from.as_bytes()[..]..).take(count);
        entries.map(|entry| self.read_entry(entry)).collect()
    }

    fn state(&self) -> Result<Option<IndexState>> {
        let Some(value) = self.state.get(STATE_KEY).map_err(self.failed("read"))? else {
            return Ok(None);
        };
        let raw = RawState::read_from_bytes(&value).map_err(|_| self.damaged())?;
        let totals = Totals {
            blocks: raw.blocks.get(),
            stored_bytes: raw.stored_bytes.get(),
            data_bytes: raw.data_bytes.get(),
            log_bytes: raw.log_bytes.get(),
        };
        let store = StoreId::from_bytes(raw.store);
        let watermark = Position::from_u64(raw.watermark.get());
        let whole_from = Position::from_u64(raw.whole_from.get());
        Ok(Some(IndexState { store, watermark, roots: self.read_roots()?, totals, whole_from }))
    }

    fn apply(&self, update: &IndexUpdate) -> Result<()> {
        let Some(IndexState { store, .. }) = self.state()? else {
            return Err(self.damaged());
        };
        self.ingest_blocks(update)?;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (stream, position) in &update.roots {
            batch.insert(&self.roots, stream.to_le_bytes(), position.to_u64().to_le_bytes());
        }
        for stream in &update.removed_streams {
            batch.remove(&self.roots, stream.to_le_bytes());
        }
        batch.insert(&self.state, STATE_KEY, encode_state(store, update).as_bytes());
        batch.commit().map_err(self.failed("write"))
    }

    fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let value = self.notes.get(key).map_err(self.failed("read"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn notes(&self, from: &[u8], count: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let read = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner().map_err(self.failed("read"))?;
            Ok((key.to_vec(), value.to_vec()))
        };
        self.notes.range(from..).take(count).map(read).collect()
    }

    fn write_notes(&self, notes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<()> {
        if notes.len() >= INGESTED_NOTES_MIN {
            let sorted: BTreeMap<_, _> = notes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            return self.ingest(&self.notes, sorted.into_iter());
        }
        let mut batch = self.database.batch();
        for (key, value) in notes {
            match value {
                Some(value) => batch.insert(&self.notes, &key[..], &value[..]),
                None => batch.remove(&self.notes, &key[..]),
            }
        }
        batch.commit().map_err(self.failed("write"))
    }

    /// Only an index without entries can be given to a store. fjall can clear one, but notes that in its journal, from where it
    /// would clear what was ingested later, at every start.
    fn reset(&self, store: StoreId) -> Result<()> {
        if !self.blocks.is_empty().map_err(self.failed("read"))? {
            let what = format!("the index {} belongs to another store, or lost its state", self.path);
            return Err(Error::Corrupt { what });
        }
        let state = encode_state(store, &IndexUpdate::default());
        self.state.insert(STATE_KEY, state.as_bytes()).map_err(self.failed("write"))?;
        self.database.persist(PersistMode::SyncData).map_err(self.failed("write"))
    }
}

fn encode_location(location: &Location) -> RawLocation {
    let flag = if location.has_links { HAS_LINKS } else { 0 };
    RawLocation {
        position: location.position.to_u64().into(),
        payload_bytes: (location.payload_bytes | flag).into(),
        data_bytes: location.data_bytes.into(),
    }
}

fn decode_location(value: &[u8]) -> Option<Location> {
    let raw = RawLocation::read_from_bytes(value).ok()?;
    let payload_bytes = raw.payload_bytes.get();
    Some(Location {
        position: Position::from_u64(raw.position.get()),
        payload_bytes: payload_bytes & !HAS_LINKS,
        data_bytes: raw.data_bytes.get(),
        has_links: payload_bytes & HAS_LINKS != 0,
    })
}

fn encode_state(store: StoreId, update: &IndexUpdate) -> RawState {
    let IndexUpdate { watermark, totals, whole_from, .. } = update;
    RawState {
        store: *store.as_bytes(),
        watermark: watermark.to_u64().into(),
        blocks: totals.blocks.into(),
        stored_bytes: totals.stored_bytes.into(),
        data_bytes: totals.data_bytes.into(),
        log_bytes: totals.log_bytes.into(),
        whole_from: whole_from.to_u64().into(),
    }
}

/// Whether an index cannot be opened because of what is in it, and not because of the disk or its user.
fn is_damage(error: &fjall::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            !matches!(error.kind(), PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
        }
        fjall::Error::Locked => false,
        _ => true,
    }
}

fn failed(operation: &'static str, path: &Path, error: fjall::Error) -> Error {
    let path = path.display().to_string();
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            Error::disk(operation, &path, error)
        }
        fjall::Error::Storage(error) => {
            Error::Corrupt { what: format!("the index {path}: {error:?}; have it made again from the segments") }
        }
        error => Error::disk(operation, &path, io::Error::other(error)),
    }
}
