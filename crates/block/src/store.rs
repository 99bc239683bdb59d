//! The store: blocks and records in one append-only log on a disk.
//!
//! Invariants:
//! - A name is in the index only if its frame is durable. Blocks that are not wait in `recent`.
//! - A block is in `recent`, or in the index, or in both, from when it was written on; never in neither.
//! - Content that is there is not written again. Two threads that put the same new block at the same moment may both write it.
//! - A block that is known to be damaged counts as not there.
//! - What is read is compared with the checksum of the bytes as stored, and a block also with its name; a piece of a block with its
//!   hash, from which the name follows.

mod damage;
mod get;
mod index_flush;
mod mend;
mod notes;
mod packed;
mod put;
mod reach;
mod records;
mod twice;
mod verify;

pub use notes::Note;
pub use packed::PackedVisitor;
pub use reach::Reach;
pub(crate) use verify::next_frame;
pub use verify::{Damage, DamagedSubject, Verified};

use crate::copies::Copies;
use crate::damages::Damages;
use crate::frame::{FRAME_HEADER_BYTES, Subject};
use crate::garbage::Garbage;
use crate::layout::{self, Survey};
use crate::log::{Log, Rewritten};
use crate::pieces::Pieces;
use crate::read_only_disk::ReadOnlyDisk;
use crate::recent::Recent;
use crate::recovery::{Access, Progress, READ_ONLY, Recovered, entry, recover};
use crate::reserve;
use crate::roots::Roots;
use crate::sabotage::{Sabotage, Sabotaged};
use crate::segments::Segments;
use crate::{Block, directory::DirectoryLock};
use crate::{
    Blocks, Disk, Error, Health, Index, Name, Part, Patience, Position, RecordKind, Result, Space, Statistics, StoreId,
    StoreOptions, Usage,
};
use index_flush::Indexed;
use parking_lot::Mutex;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks and records in one append-only log on a disk.
pub struct Store {
    pub(crate) disk: Arc<dyn Disk>,
    options: StoreOptions,
    pub(crate) segments: Arc<Segments>,
    pub(crate) log: Log,
    pub(crate) index: Box<dyn Index>,
    pub(crate) recent: Recent,
    pub(crate) roots: Roots,
    damages: Damages,
    pieces: Pieces,
    copies: Copies,
    /// Blocks that are kept twice, and how often that changed.
    twice: Mutex<(u64, Vec<Name>)>,
    /// Up to which change of the roots and of `twice` the copies are.
    copied: Mutex<(u64, u64)>,
    /// What is damaged of the log where the index does not reach.
    damage: Option<String>,
    /// Why the store takes no writes for as long as it is open.
    pub(crate) closed: Option<String>,
    pub(crate) indexed: Indexed,
    pub(crate) garbage: Garbage,
    pub(crate) sabotaged: Sabotaged,
    reads: AtomicU64,
    deduplicated: AtomicU64,
    lock: Mutex<Option<DirectoryLock>>,
}

impl Store {
    /// Makes a store on a disk that is empty. [`Error::NotAStore`] if it is not, and then nothing is changed.
    pub fn create(disk: Arc<dyn Disk>, index: Box<dyn Index>, options: StoreOptions) -> Result<Self> {
        if layout::survey(&*disk)? != Survey::Empty {
            return Err(not_a_store(&*disk, "it is not empty"));
        }
        let store = options.id.map_or_else(random_id, Ok)?;
        layout::make(&*disk, store)?;
        index.reset(store)?;
        Self::recover(disk, store, index, options, Access::Write, &mut |_, _| {})
    }

    /// Opens the store on a disk, after putting in order what a crash may have left. [`Error::NotAStore`] if there is none;
    /// [`Error::Corrupt`] if the log is damaged where the index does not reach.
    pub fn open(disk: Arc<dyn Disk>, index: Box<dyn Index>, options: StoreOptions) -> Result<Self> {
        Self::open_with_progress(disk, index, options, &mut |_, _| {})
    }

    /// Opens the store on a disk to be read only: nothing on the disk is changed. What the index does not know of the log goes into
    /// it, so it is one that nobody else has.
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        index: Box<dyn Index>,
        options: StoreOptions,
        progress: Progress<'_>,
    ) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk(disk));
        let store = store_on(&*disk)?;
        Self::recover(disk, store, index, options, Access::Read, progress)
    }

    pub(crate) fn open_with_progress(
        disk: Arc<dyn Disk>,
        index: Box<dyn Index>,
        options: StoreOptions,
        progress: Progress<'_>,
    ) -> Result<Self> {
        let store = store_on(&*disk)?;
        layout::make(&*disk, store)?;
        Self::recover(disk, store, index, options, Access::Write, progress)
    }

    fn recover(
        disk: Arc<dyn Disk>,
        store: StoreId,
        index: Box<dyn Index>,
        options: StoreOptions,
        access: Access,
        progress: Progress<'_>,
    ) -> Result<Self> {
        let segments = Arc::new(Segments::new(disk.clone(), store)?);
        let space = disk.space().map_err(|source| Error::disk("measure", &disk.place(), source))?;
        let options = StoreOptions { segment_bytes: reserve::segment_bytes(options.segment_bytes, space), ..options };
        let copies = Copies::read(disk.clone(), store);
        let recovered = recover(segments.clone(), &*index, &options, copies.durable(), access, progress)?;
        let Recovered { log, indexed, unindexed } = recovered;
        let (recent, roots) = (Recent::default(), Roots::new(indexed.roots.iter().copied()));
        unindexed.entries.into_iter().for_each(|(name, entry)| recent.insert(name, entry));
        unindexed.roots.into_iter().for_each(|(stream, position)| roots.insert(stream, position));
        if unindexed.damage.is_some() {
            // The newest root may lie in what is lost: then only its copy knows of it.
            copies.roots().into_iter().for_each(|(stream, position)| roots.insert(stream, position));
        }
        let closed = match access {
            Access::Write => unindexed.damage.clone(),
            Access::Read => Some(unindexed.damage.clone().unwrap_or_else(|| READ_ONLY.to_owned())),
        };
        let store = Self {
            disk,
            options,
            segments,
            log,
            index,
            recent,
            indexed: Indexed::new(&indexed),
            roots,
            damages: Damages::default(),
            pieces: Pieces::default(),
            copies,
            twice: Mutex::default(),
            copied: Mutex::default(),
            damage: unindexed.damage,
            closed,
            garbage: Garbage::default(),
            sabotaged: Sabotaged::default(),
            reads: AtomicU64::new(0),
            deduplicated: AtomicU64::new(0),
            lock: Mutex::new(None),
        };
        unindexed.damaged_blocks.iter().for_each(|(name, what)| store.note_damaged(name, what));
        Ok(store)
    }

    /// Keeps a directory's lock for as long as the store lives.
    pub(crate) fn keep_lock(&self, lock: DirectoryLock) {
        *self.lock.lock() = Some(lock);
    }

    /// The log's head: everything appended before lies below it.
    pub fn position(&self) -> Position {
        self.log.head().position
    }

    /// Figures of the store.
    pub fn statistics(&self) -> Statistics {
        let mut totals = self.indexed.totals();
        self.recent.add_to(&mut totals);
        Statistics {
            segments: self.segments.count() as u64,
            log_bytes: self.log.head().log_bytes,
            blocks: totals.blocks,
            stored_bytes: totals.stored_bytes,
            data_bytes: totals.data_bytes,
            deduplicated: self.deduplicated.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.log.writes(),
            syncs: self.log.syncs(),
        }
    }

    /// Space of the disk.
    pub fn space(&self) -> Result<Space> {
        self.disk.space().map_err(|source| Error::disk("measure", &self.disk.place(), source))
    }

    /// What the log takes on the disk, and how much of it is alive.
    pub fn usage(&self) -> Result<Usage> {
        let stored_bytes = self.segments.bytes()?.saturating_sub(self.log.room());
        let Statistics { blocks, stored_bytes: payload_bytes, .. } = self.statistics();
        let live_bytes = (payload_bytes + blocks * FRAME_HEADER_BYTES as u64).min(stored_bytes);
        Ok(Usage { stored_bytes, live_bytes, dead_bytes: stored_bytes - live_bytes })
    }

    /// As [`Blocks::sync`], but the copies of the roots are left to the next [`Store::refresh_copies`] or sync: one fdatasync.
    pub fn sync_log(&self) -> Result<()> {
        // It has taken nothing.
        if self.closed.is_some() { Ok(()) } else { self.log.sync() }
    }

    /// Goes on in a new segment of the log: a collection may then rewrite all that lie before it, once the index and the newest records
    /// are there too.
    pub fn begin_segment(&self) -> Result<()> {
        self.check_writable()?;
        self.log.begin_segment()
    }

    /// The store's identity.
    pub fn id(&self) -> StoreId {
        self.segments.store()
    }

    /// Tries to take writes again after a failure. What no sync had covered is read back and written anew; if that cannot be done,
    /// the store stays as it is.
    pub fn come_back(&self) -> Result<()> {
        if let Some(what) = &self.closed {
            return Err(Error::Corrupt { what: what.clone() });
        }
        self.log.come_back(|durable, rewritten| {
            self.roots.forget_from(durable);
            for Rewritten { header, from, to } in rewritten {
                match header.subject {
                    Subject::Block(name) => self.recent.moved(name, *from, entry(*to, header)),
                    Subject::Record { kind: RecordKind::Root, stream, .. } => self.roots.insert(stream, *to),
                    Subject::Record { kind: RecordKind::Intent, .. } => {}
                }
            }
        })?;
        tracing::info!("the store takes writes again");
        Ok(())
    }

    /// [`Error::ReadOnly`] if the store takes no writes.
    pub fn check_writable(&self) -> Result<()> {
        match &self.closed {
            None => self.log.check(),
            Some(reason) => Err(Error::ReadOnly { reason: reason.clone() }),
        }
    }

    /// Makes a mistake from now on, for tests that show that they notice it.
    #[doc(hidden)]
    pub fn sabotage(&self, sabotage: Sabotage) {
        self.sabotaged.begin(sabotage);
    }

    /// What is damaged of the log where the index does not reach.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Whether the store takes no writes for as long as it is open, whatever the disk does.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether the store takes writes.
    pub fn health(&self) -> Health {
        self.log.health()
    }
}

impl Blocks for Store {
    fn get(&self, name: &Name) -> Result<Block> {
        self.read_block(name)
    }

    fn get_at_hand(&self, name: &Name) -> Option<Block> {
        self.read_block_at_hand(name)
    }

    fn read_part(&self, name: &Name, offset: usize, buffer: &mut [u8], patience: Patience) -> Result<Part> {
        self.read_part_of_block(name, offset, buffer, patience)
    }

    fn will_get(&self, name: &Name) {
        if let Ok(Some(location)) = self.locate(name) {
            self.segments.will_read(location);
        }
    }

    fn put(&self, block: &Block) -> Result<Name> {
        self.write_block(block)
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        self.is_there(name)
    }

    fn sync(&self) -> Result<()> {
        self.sync_log()?;
        self.refresh_copies();
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Store({}, {})", self.disk.place(), self.id())
    }
}

/// The store that a disk holds.
fn store_on(disk: &dyn Disk) -> Result<StoreId> {
    match layout::survey(disk)? {
        Survey::Store(store) => Ok(store),
        Survey::Empty => Err(not_a_store(disk, "it is empty")),
        Survey::Other(why) => Err(not_a_store(disk, &why)),
    }
}

fn not_a_store(disk: &dyn Disk, why: &str) -> Error {
    Error::NotAStore { path: disk.place(), why: why.to_owned() }
}

fn random_id() -> Result<StoreId> {
    let source = "/dev/urandom";
    let mut bytes = [0; StoreId::BYTES];
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Error::disk("read", source, error))?;
    Ok(StoreId::from_bytes(bytes))
}
