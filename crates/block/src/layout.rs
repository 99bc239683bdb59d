//! What a store's directory holds: `store` (the superblock), `segments/`, `index/`, `lock`.

use crate::segments::{self, Kind, SEGMENTS_FOLDER};
use crate::superblock::{
    self, FORMAT_VERSION, FORMAT_VERSION_WITH_GAPS, FORMAT_VERSION_WITH_MENDS, SUPERBLOCK_BYTES, Superblock,
};
use crate::{Disk, Error, Result, StoreId};
use std::io::{self, ErrorKind, IoSlice};

/// The superblock's file.
const SUPERBLOCK_FILE: &str = "store";

/// The superblock while it is written.
const SUPERBLOCK_FILE_NEW: &str = "store.new";

/// The file that a process locks while it has the store open.
pub(crate) const LOCK_FILE: &str = "lock";

/// The folder of the index.
pub(crate) const INDEX_FOLDER: &str = "index";

/// What lies on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Survey {
    /// Nothing, or what a crash left of making a store.
    Empty,
    /// A store.
    Store(StoreId),
    /// Something else; why it is taken for that.
    Other(String),
}

/// Looks what lies on a disk, and changes nothing.
pub(crate) fn survey(disk: &dyn Disk) -> Result<Survey> {
    let names = disk.list("").map_err(|source| Error::disk("list", &disk.place(), source))?;
    if let Some(store) = store_of(disk, &names)? {
        return Ok(Survey::Store(store));
    }
    let ours = [SUPERBLOCK_FILE_NEW, LOCK_FILE, INDEX_FOLDER, SEGMENTS_FOLDER];
    match names.iter().find(|name| !ours.contains(&name.as_str())) {
        Some(name) if name == SUPERBLOCK_FILE => Ok(Survey::Other("its file `store` is not one of a store".to_owned())),
        Some(name) => Ok(Survey::Other(format!("it holds {name}"))),
        None => survey_without_superblock(disk),
    }
}

/// Makes the layout of a new store, or what is missing of an old one, and makes it durable before any segment is made: a
/// process that ended while it made the store may have left names that no sync covered.
pub(crate) fn make(disk: &dyn Disk, store: StoreId) -> Result<()> {
    let failed = |source| Error::disk("make a store in", &disk.place(), source);
    disk.create_folder(SEGMENTS_FOLDER).map_err(failed)?;
    if !read_superblock(disk)?.is_some_and(|found| found.store == store) {
        let version = version_of_segments(disk)?;
        ensure_superblock(disk, Superblock { store, version })?;
    }
    disk.sync_folder("").map_err(failed)
}

/// The oldest format that has what lies in the folder of segments, where the superblock is lost.
fn version_of_segments(disk: &dyn Disk) -> Result<u32> {
    let numbers = segments::list(disk)?.numbers;
    let mut version = FORMAT_VERSION;
    for (number, kind) in numbers {
        let is_mending =
            || Ok::<_, Error>(segments::read_header(disk, number)?.is_some_and(|header| header.is_mending()));
        version = version.max(match kind {
            Kind::Gap { .. } => FORMAT_VERSION_WITH_GAPS,
            Kind::Written if is_mending()? => FORMAT_VERSION_WITH_MENDS,
            Kind::Written => FORMAT_VERSION,
        });
    }
    Ok(version)
}

/// Says in the superblock that the log has gaps, before it gets the first.
pub(crate) fn allow_gaps(disk: &dyn Disk, store: StoreId) -> Result<()> {
    allow(disk, Superblock { store, version: FORMAT_VERSION_WITH_GAPS })
}

/// Says in the superblock that the log goes on behind damage, before it does for the first time.
pub(crate) fn allow_mends(disk: &dyn Disk, store: StoreId) -> Result<()> {
    allow(disk, Superblock { store, version: FORMAT_VERSION_WITH_MENDS })
}

/// Whether the log may go on behind damage that was accepted.
pub(crate) fn has_mends(disk: &dyn Disk) -> Result<bool> {
    Ok(read_superblock(disk)?.is_some_and(|superblock| superblock.version >= FORMAT_VERSION_WITH_MENDS))
}

fn allow(disk: &dyn Disk, superblock: Superblock) -> Result<()> {
    ensure_superblock(disk, superblock)?;
    disk.sync_folder("").map_err(|source| Error::disk("write the superblock in", &disk.place(), source))
}

/// Writes the superblock, unless it is there, perhaps of a newer format. Its name is not durable yet.
fn ensure_superblock(disk: &dyn Disk, superblock: Superblock) -> Result<()> {
    let found = read_superblock(disk)?;
    if found.is_some_and(|found| found.store == superblock.store && found.version >= superblock.version) {
        return Ok(());
    }
    let written = write_superblock(disk, superblock);
    written.map_err(|source| Error::disk("write the superblock in", &disk.place(), source))
}

/// The store that a disk holds, if any.
fn store_of(disk: &dyn Disk, names: &[String]) -> Result<Option<StoreId>> {
    if names.iter().any(|name| name == SUPERBLOCK_FILE)
        && let Some(superblock) = read_superblock(disk)?
    {
        return Ok(Some(superblock.store));
    }
    if names.iter().any(|name| name == SEGMENTS_FOLDER) { store_of_segments(disk) } else { Ok(None) }
}

fn store_of_segments(disk: &dyn Disk) -> Result<Option<StoreId>> {
    let numbers = segments::list(disk)?.numbers;
    for (number, _) in numbers.into_iter().filter(|(_, kind)| *kind == Kind::Written) {
        if let Some(header) = segments::read_header(disk, number)? {
            return Ok(Some(header.store));
        }
    }
    Ok(None)
}

fn survey_without_superblock(disk: &dyn Disk) -> Result<Survey> {
    let holds_segments = disk.list(SEGMENTS_FOLDER).is_ok_and(|names| !names.is_empty());
    let why = "it has segments, but neither a superblock nor a segment header is readable";
    Ok(if holds_segments { Survey::Other(why.to_owned()) } else { Survey::Empty })
}

fn read_superblock(disk: &dyn Disk) -> Result<Option<Superblock>> {
    let mut bytes = [0; SUPERBLOCK_BYTES];
    match disk.open(SUPERBLOCK_FILE).and_then(|file| file.read_at(&mut bytes, 0)) {
        Ok(length) => superblock::decode(&bytes[..length], &disk.place()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::disk("read", &format!("{}/{SUPERBLOCK_FILE}", disk.place()), error)),
    }
}

/// Written aside and renamed, so that `store` is whole or not there.
fn write_superblock(disk: &dyn Disk, superblock: Superblock) -> io::Result<()> {
    match disk.remove(SUPERBLOCK_FILE_NEW) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(SUPERBLOCK_FILE_NEW, SUPERBLOCK_BYTES as u64)?;
    file.write_at(&[IoSlice::new(&superblock::encode(superblock))], 0)?;
    file.sync()?;
    disk.rename(SUPERBLOCK_FILE_NEW, SUPERBLOCK_FILE)
}
