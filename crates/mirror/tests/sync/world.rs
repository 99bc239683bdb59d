//! Pools on simulated disks, with volumes that somebody works in.

use block::{Blocks, MemoryIndex, Name, Store, StoreId, StoreOptions};
use mirror::{LocalReplica, LocalSource, ReplicaMode, SourceVolume, SyncOptions, Synced, sync};
use seal::{Cost, KeySlots, Unlocking, VolumeKey};
use sim::{Random, SimDisk};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{
    Creator, Environment, Error, Inode, Kind, NewInode, Pool, PoolError, PoolOptions, Privileges, RenameMode, Role,
    State, Timestamp, Volume, VolumeId,
};

pub(crate) const OWNER: Creator = Creator { uid: 1, gid: 1 };

/// A clock that ticks when it is looked at, the same for all places.
#[derive(Default)]
pub(crate) struct Clock(pub(crate) AtomicU64);

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.0.fetch_add(1, Ordering::Relaxed) as i64, nanoseconds: 0 }
    }

    fn random(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) ^ 0x9e37_79b9_7f4a_7c15
    }
}

/// A store with its pool.
pub(crate) struct Place {
    pub(crate) disk: SimDisk,
    pub(crate) pool: Pool,
    number: u8,
    pub(crate) clock: Arc<Clock>,
}

impl Place {
    /// A new store with a first volume, or without any.
    pub(crate) fn new(number: u8, clock: &Arc<Clock>, has_volume: bool) -> Self {
        let disk = SimDisk::new();
        let store = Store::create(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), options(number)).unwrap();
        let pool = Pool::open_as_it_is(Arc::new(store), pool_options(clock)).unwrap();
        if has_volume {
            pool.create_volume("main", OWNER).unwrap();
        }
        Self { disk, pool, number, clock: clock.clone() }
    }

    /// A new store whose first volume is encrypted, and unlocked.
    pub(crate) fn encrypted(number: u8, clock: &Arc<Clock>) -> Self {
        let place = Self::new(number, clock, false);
        let slots = KeySlots::new(&key(), &key_file(1), Cost::LEAST).unwrap();
        place.pool.create_encrypted_volume("main", OWNER, key(), &slots).unwrap();
        place
    }

    /// Unlocks the volume, if it is locked.
    pub(crate) fn unlock(&self) {
        if self.volume().is_locked() {
            self.pool.unlock_volume("main", key()).unwrap();
        }
    }

    /// What a user sees of the volume who has its key.
    pub(crate) fn dump(&self) -> Vec<String> {
        if !self.volume().is_locked() {
            return dump(&self.volume());
        }
        let place = self.reopen_on(self.disk.restart()).unwrap();
        place.unlock();
        dump(&place.volume())
    }

    /// What a start finds on another disk.
    pub(crate) fn reopen_on(&self, disk: SimDisk) -> Result<Self, PoolError> {
        let store = Store::open(Arc::new(disk.clone()), Box::new(MemoryIndex::default()), options(self.number))?;
        let pool = Pool::open_as_it_is(Arc::new(store), pool_options(&self.clock))?;
        Ok(Self { disk, pool, number: self.number, clock: self.clock.clone() })
    }

    pub(crate) fn store(&self) -> &Store {
        self.pool.store()
    }

    /// The volume, or its replica.
    pub(crate) fn volume(&self) -> Arc<Volume> {
        self.pool.volume(VolumeId::FIRST).unwrap()
    }

    pub(crate) fn role(&self) -> Role {
        self.pool.find_volume("main").unwrap().role
    }

    /// Every block below some names that this store has, the names included.
    pub(crate) fn below(&self, names: impl IntoIterator<Item = Name>) -> BTreeSet<Name> {
        let (mut found, mut waiting) = (BTreeSet::new(), Vec::from_iter(names));
        while let Some(name) = waiting.pop() {
            if found.insert(name) {
                waiting.extend(self.store().get(&name).unwrap().links);
            }
        }
        found
    }
}

pub(crate) fn key() -> VolumeKey {
    VolumeKey::from_bytes(&[7; VolumeKey::BYTES])
}

pub(crate) fn key_file(byte: u8) -> Unlocking {
    Unlocking::key_file(vec![byte; 64].into()).unwrap()
}

fn options(number: u8) -> StoreOptions {
    let id = Some(StoreId::from_bytes([number; StoreId::BYTES]));
    StoreOptions { segment_bytes: 256 << 10, id, ..StoreOptions::default() }
}

fn pool_options(clock: &Arc<Clock>) -> PoolOptions {
    PoolOptions { environment: clock.clone(), background: false, ..PoolOptions::new(OWNER) }
}

pub(crate) const CREATE: ReplicaMode = ReplicaMode { create: true, replace: false };

/// What a place lacks of what another one has and keeps.
pub(crate) fn missing(from: &Place, to: &Place) -> BTreeSet<Name> {
    let source = LocalSource::open(&from.pool, "main").unwrap();
    let kept = source.origin().kept.iter().filter_map(|root| root.tree());
    let roots = kept.chain(source.origin().state.roots());
    from.below(roots).into_iter().filter(|name| !to.store().contains(name).unwrap()).collect()
}

/// A sync, and a check that it sent what was missing and nothing else.
pub(crate) fn run(from: &Place, to: &Place, mode: ReplicaMode) -> mirror::Result<Synced> {
    let source = LocalSource::open(&from.pool, "main")?;
    let origin = source.origin();
    let replica = LocalReplica::open(&to.pool, origin.identity, "main", &origin.state, mode)?;
    let missing = missing(from, to);
    let synced = sync(&source, &replica, &SyncOptions::default())?;
    assert!(
        synced.sent.blocks <= missing.len() as u64,
        "{} blocks sent, {} missing",
        synced.sent.blocks,
        missing.len()
    );
    Ok(synced)
}

/// Both have the same state, and the second has every block of it.
pub(crate) fn assert_same(from: &Place, to: &Place) {
    let (here, there) = (from.volume().state(), to.volume().state());
    assert!(here.is_same(&there), "{here:?} {there:?}");
    assert_eq!(from.below(here.tree()), to.below(there.tree()));
    assert_eq!(from.dump(), to.dump());
}

/// Every path with its content.
pub(crate) fn dump(volume: &Volume) -> Vec<String> {
    let mut lines = Vec::new();
    dump_directory(volume, Inode::ROOT, "", &mut lines);
    lines
}

fn dump_directory(volume: &Volume, directory: Inode, path: &str, lines: &mut Vec<String>) {
    for (name, inode, kind) in entries(volume, directory) {
        let path = format!("{path}/{name}");
        let attributes = volume.attributes(inode).unwrap();
        if kind == Kind::Directory {
            dump_directory(volume, inode, &path, lines);
        }
        let mut content = vec![0; if kind == Kind::File { attributes.size as usize } else { 0 }];
        let length = if kind == Kind::File { volume.read(inode, 0, &mut content).unwrap() } else { 0 };
        assert_eq!(length, content.len());
        lines.push(format!("{path} {inode:?} {attributes:?} {}", block::Block::data(content.into()).name()));
    }
}

fn entries(volume: &Volume, directory: Inode) -> Vec<(String, Inode, Kind)> {
    let mut entries = Vec::new();
    let mut from = 0;
    loop {
        let batch = volume.list(directory, from).unwrap();
        let Some(last) = batch.last() else { return entries };
        from = last.cookie;
        entries.extend(
            batch.into_iter().map(|entry| (String::from_utf8_lossy(&entry.name).into_owned(), entry.inode, entry.kind)),
        );
    }
}

/// Does something to a volume at random. What cannot be done is left.
pub(crate) fn edit(volume: &Volume, random: &mut Random) {
    let mut directories = vec![Inode::ROOT];
    let mut at = 0;
    while at < directories.len() && directories.len() < 20 {
        let found = entries(volume, directories[at]).into_iter().filter(|(_, _, kind)| *kind == Kind::Directory);
        directories.extend(found.map(|(_, inode, _)| inode));
        at += 1;
    }
    let directory = directories[random.below(directories.len() as u64) as usize];
    let name = format!("name{}", random.below(10)).into_bytes();
    let done = match random.below(8) {
        0 => volume.make(directory, &name, NewInode::Directory, 0o755, OWNER).map(drop),
        1 => volume.unlink(directory, &name).map(drop),
        2 => volume.remove_directory(directory, &name).map(drop),
        3 => {
            let other = directories[random.below(directories.len() as u64) as usize];
            let new_name = format!("name{}", random.below(10)).into_bytes();
            volume.rename((directory, &name), (other, &new_name), RenameMode::Replace).map(drop)
        }
        _ => write(volume, directory, &name, random),
    };
    match done {
        Ok(())
        | Err(Error::NotFound | Error::Exists | Error::NotEmpty | Error::IsADirectory | Error::NotADirectory)
        | Err(Error::Invalid(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Makes a file, or changes some bytes of it.
pub(crate) fn write(volume: &Volume, directory: Inode, name: &[u8], random: &mut Random) -> Result<(), Error> {
    let inode = match volume.lookup(directory, name) {
        Ok((inode, _)) => inode,
        Err(Error::NotFound) => volume.make(directory, name, NewInode::File, 0o644, OWNER)?.0,
        Err(error) => return Err(error),
    };
    let length_max = if random.percent(20) { 300_000 } else { 4000 };
    let length = 1 + random.below(length_max);
    let bytes: Vec<_> = (0..length).map(|_| random.below(16) as u8).collect();
    volume.write(inode, random.below(50_000), &bytes, Privileges::default())
}

/// The state of a source as it would go to a replica.
pub(crate) fn state(place: &Place) -> State {
    place.volume().checkpoint().unwrap();
    place.volume().state()
}
