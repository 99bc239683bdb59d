//! A pool: the volumes of a store.

mod encrypted;
mod replicas;

use crate::catalog::{self, Catalog, Role, VolumeId, VolumeIdentity, VolumeInfo};
use crate::change::Change;
use crate::collector::{self, Collector, GarbageStatus};
use crate::contents::Contents;
use crate::environment::{Environment, SystemEnvironment};
use crate::flush::Flusher;
use crate::journal::Counters;
use crate::kept::KeptRoot;
use crate::ledger::{self, Ledger};
use crate::live::Living;
use crate::maintenance;
use crate::purge::{self, Purged};
use crate::recovery::{Damaged, Recovered, TOP_DAMAGED};
use crate::repair::{self, Fallback, RepairedVolume};
use crate::room::Room;
use crate::root::Root;
use crate::sealed::Sealed;
use crate::settings::SettingError;
use crate::shared::{Shared, Volumes};
use crate::wake::Wake;
use crate::{Attributes, Creator, Error, Inode, InodeFlags, Kind, Settings, Timestamp, Volume, recovery};
use block::{Blocks, Collection, Hold, Name, Position, RecordKind, Store, Thrift};
use parking_lot::{Mutex, RwLock};
use seal::VolumeKey;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tree::Tree;

/// The volumes of a store, opened.
pub struct Pool {
    shared: Arc<Shared>,
    catalog: Arc<Mutex<Catalog>>,
    volumes: Arc<Volumes>,
    /// Volumes that could not be opened, and why.
    lost: BTreeMap<VolumeId, String>,
    /// Keeps collections off while something is damaged.
    _hold: Option<Hold>,
    maintenance: Option<JoinHandle<()>>,
    collecting: Option<JoinHandle<()>>,
    accounting: Option<JoinHandle<()>>,
}

/// How a pool is opened.
pub struct PoolOptions {
    /// Time and chance.
    pub environment: Arc<dyn Environment>,
    /// Whether threads store data and make checkpoints beside the operations. Without, checkpoints are the caller's.
    pub background: bool,
    /// Who owns the first volume, if the pool is new.
    pub owner: Creator,
    /// Called when nothing happened for a while and caches were dropped: the time to give memory back to the system.
    pub on_rest: Box<dyn Fn() + Send + Sync>,
}

impl PoolOptions {
    /// As a node runs it.
    pub fn new(owner: Creator) -> Self {
        Self { environment: Arc::new(SystemEnvironment), background: true, owner, on_rest: Box::new(|| {}) }
    }
}

/// Why something about a pool failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PoolError {
    /// A volume has the name already.
    #[error("there is a volume {name} already; `pantala volume list` shows all")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No volume has the name.
    #[error("there is no volume {name}; there is {}", .there.join(", "))]
    NoSuchVolume {
        /// The name asked for.
        name: String,
        /// The names that there are.
        there: Vec<String>,
    },
    /// The name cannot be a volume's.
    #[error("{name:?} cannot be a volume's name: {why}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The first volume stays as long as the pool.
    #[error("{name} is the pool's first volume and stays; delete what is in it instead")]
    FirstVolume {
        /// Its name.
        name: String,
    },
    /// Something about a key.
    #[error(transparent)]
    Key(#[from] seal::Error),
    /// A volume that is not encrypted has no keys.
    #[error("{name} is not encrypted; `pantala volume create NAME --encrypt` makes a volume that is")]
    NotEncrypted {
        /// Its name.
        name: String,
    },
    /// The key slots were changed by somebody else meanwhile.
    #[error("the key slots of {name} were changed meanwhile; try again")]
    SlotsChanged {
        /// The volume's name.
        name: String,
    },
    /// A setting was refused.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(Arc<std::io::Error>),
    /// A volume, or the catalog, failed.
    #[error(transparent)]
    Volume(#[from] Error),
}

impl From<std::io::Error> for PoolError {
    fn from(error: std::io::Error) -> Self {
        Self::Thread(Arc::new(error))
    }
}

impl From<block::Error> for PoolError {
    fn from(error: block::Error) -> Self {
        Self::Volume(error.into())
    }
}

/// The first volume's name in a new pool.
const FIRST_VOLUME_NAME: &str = "main";

impl Pool {
    /// Opens the pool in a store, or begins one with an empty volume `main`.
    pub fn open(store: Arc<Store>, options: PoolOptions) -> Result<Self, PoolError> {
        let owner = options.owner;
        let pool = Self::open_as_it_is(store, options)?;
        if pool.list_volumes()?.is_empty() {
            pool.create_volume(FIRST_VOLUME_NAME, owner)?;
        }
        Ok(pool)
    }

    /// Opens the pool in a store without making a first volume: for one that is to hold a replica.
    pub fn open_as_it_is(store: Arc<Store>, options: PoolOptions) -> Result<Self, PoolError> {
        Ok(Self::open_with(store, options, Damaged::Keep)?.0)
    }

    /// Opens the pool in a store, and lets damaged volumes go on with the newest state of them that is whole. Tells which these are.
    /// Nothing is written to a store that is open to be read only.
    pub fn repair(store: Arc<Store>, options: PoolOptions) -> Result<(Self, Vec<RepairedVolume>), PoolError> {
        let owner = options.owner;
        let (pool, mut repaired) = Self::open_with(store, options, Damaged::Repair)?;
        for info in pool.list_volumes()? {
            if let Some(what) = pool.lost.get(&info.id) {
                let (id, name, what) = (info.id, info.name, what.clone());
                repaired.push(RepairedVolume { id, name, what, outcome: Fallback::Empty });
            }
        }
        if !pool.store().is_closed() {
            pool.renew(&repaired, owner)?;
        }
        Ok((pool, repaired))
    }

    /// Writes anew, behind all damage, what everything is found through: the catalog and the roots.
    fn renew(&self, repaired: &[RepairedVolume], owner: Creator) -> Result<(), PoolError> {
        let store = &self.shared.store;
        for damaged in store.damaged() {
            // Where there is a copy, it takes the damaged one's place.
            if let Ok(block) = store.get(&damaged.name) {
                store.put(&block)?;
            }
        }
        self.catalog.lock().renew(self.shared.environment.now())?;
        for volume in repaired.iter().filter(|volume| volume.outcome == Fallback::Empty) {
            let empty = self.empty_volume(&self.find_volume(&volume.name)?, owner, None)?;
            self.volumes.write().insert(volume.id, Arc::new(empty));
        }
        let open = self.open_volumes();
        for volume in open.iter().filter(|volume| !volume.is_locked()) {
            let has_fallen_back =
                repaired.iter().any(|repaired| repaired.id == volume.id && repaired.outcome.is_earlier_state());
            if has_fallen_back { volume.renew_fallen_back() } else { volume.renew_root() }?;
        }
        Ok(store.flush_index()?)
    }

    fn open_with(
        store: Arc<Store>,
        options: PoolOptions,
        damaged: Damaged,
    ) -> Result<(Self, Vec<RepairedVolume>), PoolError> {
        let plain = Arc::new(Contents::plain(store.clone()));
        let nodes = plain.nodes.clone();
        let wake = Arc::new(Wake::default());
        let flusher = options.background.then(Flusher::start).transpose()?;
        let shared = Arc::new(Shared {
            plain,
            encrypted: Mutex::default(),
            budget: Arc::default(),
            flusher,
            environment: options.environment,
            wake: wake.clone(),
            collector: Collector::default(),
            ledger: Ledger::default(),
            on_rest: options.on_rest,
            room: Room::default(),
            freed_bytes: Arc::default(),
            store: store.clone(),
        });
        let found = Catalog::open(store.clone(), nodes.clone())?;
        if let (None, Some(damage)) = (&found, store.damage()) {
            return Err(block::Error::Corrupt { what: format!("the list of volumes is lost: {damage}") }.into());
        }
        let mut catalog = found.unwrap_or_else(|| Catalog::new(store, nodes));
        let Recovered { volumes, lost, repaired } = recovery::recover(&shared, &catalog.volumes()?, damaged)?;
        let is_damaged = !lost.is_empty() || volumes.values().any(|volume| volume.damage().is_some());
        // What a damaged volume needs cannot be told.
        let hold = is_damaged.then(|| shared.store.hold());
        let volumes = Arc::new(RwLock::new(volumes));
        let those = volumes.clone();
        catalog.keep_also_twice(move || those.read().values().filter_map(|volume| volume.slots_block()).collect())?;
        let mut pool = Self {
            shared,
            catalog: Arc::new(Mutex::new(catalog)),
            volumes,
            lost,
            maintenance: None,
            collecting: None,
            accounting: None,
            _hold: hold,
        };
        let can_purge = pool._hold.is_none() && !pool.shared.store.is_closed();
        if can_purge && pool.catalog.lock().purge_due()?.is_some() {
            // What was erased before the pool went down has to go from the store.
            pool.shared.collector.order_purge(purge::Order::default());
        }
        if options.background {
            pool.shared.plain.nodes.on_use(move || wake.wake());
            pool.shared.store.fill_reserve();
            pool.maintenance = Some(maintenance::start(pool.shared.clone(), pool.volumes.clone())?);
            let living = pool.living();
            pool.accounting = Some(ledger::start(pool.shared.clone(), move || living.open_volumes())?);
            pool.collecting = Some(collector::start(pool.shared.clone(), pool.living())?);
        }
        Ok((pool, repaired))
    }

    /// The store that the pool lies in.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// All volumes, the first one first.
    pub fn list_volumes(&self) -> Result<Vec<VolumeInfo>, PoolError> {
        Ok(self.catalog.lock().volumes()?)
    }

    /// A volume by its number.
    pub fn volume(&self, id: VolumeId) -> Option<Arc<Volume>> {
        self.volumes.read().get(&id).cloned()
    }

    /// What is wrong with a volume: it is not open, or it is read-only and perhaps not as new as it should be.
    pub fn volume_damage(&self, id: VolumeId) -> Option<String> {
        match self.volume(id) {
            Some(volume) => volume.damage().map(str::to_owned),
            None => self.lost.get(&id).cloned(),
        }
    }

    /// What is damaged of the log and of the volumes as it showed while they were opened, in a line each.
    pub fn damages(&self) -> Result<Vec<String>, PoolError> {
        let log = self.shared.store.damage().map(|what| format!("its log is damaged: {what}"));
        let volumes = self.list_volumes()?;
        let blocks = self.shared.store.damaged().into_iter().map(|block| block.what);
        let mut damages: Vec<_> = log.into_iter().chain(blocks).collect();
        for info in volumes {
            let top = || match self.volume(info.id) {
                Some(volume) => repair::is_readable(&self.shared, volume.layers.base.load().tree.root()),
                None => Ok(true),
            };
            let damage = match self.volume_damage(info.id) {
                None if !top()? => Some(TOP_DAMAGED.to_owned()),
                damage => damage,
            };
            damages.extend(damage.map(|what| format!("volume {}: {what}", info.name)));
        }
        Ok(damages)
    }

    /// What the catalog has of the volume with a name.
    pub fn find_volume(&self, name: &str) -> Result<VolumeInfo, PoolError> {
        find(&self.catalog.lock(), name)
    }

    /// What the catalog is going to have of a new volume.
    fn new_volume(&self, catalog: &Catalog, name: &str, now: Timestamp) -> Result<VolumeInfo, PoolError> {
        check_free(catalog, name)?;
        Ok(VolumeInfo {
            id: catalog.next_volume()?,
            identity: self.new_identity(),
            name: name.into(),
            created: now,
            role: Role::Primary,
            settings: Settings::default(),
        })
    }

    /// Makes an empty volume whose top directory belongs to `owner`.
    pub fn create_volume(&self, name: &str, owner: Creator) -> Result<VolumeInfo, PoolError> {
        let mut catalog = self.catalog.lock();
        let now = self.shared.environment.now();
        let info = self.new_volume(&catalog, name, now)?;
        let volume = self.empty_volume(&info, owner, None)?;
        catalog.add(&info, now)?;
        self.volumes.write().insert(info.id, Arc::new(volume));
        Ok(info)
    }

    /// Makes a volume that begins with a kept state of another one, and shares all of it.
    pub fn clone_volume(&self, source: &Volume, root: &KeptRoot, name: &str) -> Result<VolumeInfo, PoolError> {
        // The state stays until the new volume keeps it.
        let _view = source.open_kept(root)?;
        let mut catalog = self.catalog.lock();
        let now = self.shared.environment.now();
        let info = self.new_volume(&catalog, name, now)?;
        let sealed = source.last_checkpoint.lock().sealed;
        let first = root.first_root(now, self.shared.store.position(), sealed);
        let volume = Volume::at(&info, &first, self.shared.clone());
        volume.share_key_of(source);
        volume.begin_with(&first)?;
        volume.reclaim_orphans()?;
        catalog.add(&info, now)?;
        self.volumes.write().insert(info.id, Arc::new(volume));
        Ok(info)
    }

    fn empty_volume(
        &self,
        info: &VolumeInfo,
        owner: Creator,
        encryption: Option<(Arc<VolumeKey>, Name)>,
    ) -> Result<Volume, PoolError> {
        let now = self.shared.environment.now();
        let root = Root {
            tree: None,
            kept: None,
            sequence: 0,
            replay_from: Position::START,
            counters: Counters { next_inode: Inode::FIRST.0, inodes: 1, allocated_bytes: 0 },
            hash_seed: self.shared.environment.random(),
            taken: now,
            sealed: encryption.as_ref().map(|(_, slots)| Sealed { tag: [0; 32], slots: Some(*slots) }),
        };
        let volume = Volume::at(info, &root, self.shared.clone());
        volume.contents.set_key(encryption.map(|(key, _)| key));
        let top = Attributes {
            kind: Kind::Directory,
            permissions: 0o755,
            uid: owner.uid,
            gid: owner.gid,
            links: 2,
            device: 0,
            size: 0,
            allocated_bytes: 0,
            xattr_bytes: 0,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
            parent: Inode::ROOT.0,
            flags: InodeFlags::default(),
        };
        volume.layers.overlay.change(Inode::ROOT, Change::Attributes(top.into()));
        volume.checkpoint()?;
        Ok(volume)
    }

    fn new_identity(&self) -> VolumeIdentity {
        let mut identity = [0; 16];
        let chance = || self.shared.environment.random().to_le_bytes();
        identity.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&chance()));
        VolumeIdentity(identity)
    }

    /// Changes settings of a volume, all of them or none.
    pub fn set_volume(&self, name: &str, changes: &[(String, String)]) -> Result<VolumeInfo, PoolError> {
        let mut catalog = self.catalog.lock();
        let mut info = find(&catalog, name)?;
        for (key, value) in changes {
            info.settings.set(key, value)?;
        }
        catalog.update(&info, self.shared.environment.now())?;
        if let Some(volume) = self.volume(info.id) {
            volume.settings.store(Arc::new(info.settings.clone()));
        }
        Ok(info)
    }

    /// Gives a volume another name.
    pub fn rename_volume(&self, name: &str, new_name: &str) -> Result<VolumeInfo, PoolError> {
        let mut catalog = self.catalog.lock();
        let mut info = find(&catalog, name)?;
        check_free(&catalog, new_name)?;
        info.name = new_name.into();
        catalog.update(&info, self.shared.environment.now())?;
        Ok(info)
    }

    /// Forgets a volume with all that is in it. Nobody may use it any more.
    pub fn delete_volume(&self, name: &str) -> Result<(), PoolError> {
        let mut catalog = self.catalog.lock();
        let info = find(&catalog, name)?;
        if info.id == VolumeId::FIRST {
            return Err(PoolError::FirstVolume { name: name.into() });
        }
        catalog.remove(info.id, self.shared.environment.now())?;
        let volume = self.volumes.write().remove(&info.id);
        drop(catalog);
        let bytes = volume.map_or(0, |volume| volume.counts.get().allocated_bytes);
        self.shared.freed_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.wake.wake();
        Ok(())
    }

    /// Makes everything accepted so far durable, in every volume.
    pub fn sync(&self) -> Result<(), PoolError> {
        for volume in self.open_volumes() {
            volume.settle_accesses();
            volume.sync()?;
        }
        Ok(())
    }

    /// Brings everything accepted so far into the volumes' trees, and the store's index up to the log: what the next start needs
    /// to be quick.
    pub fn checkpoint(&self) -> Result<(), PoolError> {
        for volume in self.open_volumes() {
            volume.checkpoint()?;
        }
        Ok(self.shared.store.flush_index()?)
    }

    /// Begins a collection of what nothing leads to any more; `None` if one is under way or held off. It does nothing by itself: a
    /// pool with threads of its own collects by itself, see [`Pool::collect`].
    pub fn begin_collection(&self, thrift: Thrift) -> Result<Option<Collection<'_>>, PoolError> {
        self.checkpoint()?;
        self.shared.ledger.let_go(&self.shared, &self.open_volumes());
        Ok(self.shared.store.begin_collection(&self.living(), thrift)?)
    }

    /// Has garbage collected now, by the pool's own thread. Returns the number that [`GarbageStatus::finished`] has when that is
    /// done.
    pub fn collect(&self) -> u64 {
        self.shared.collector.order()
    }

    /// Waits until so many collections have ended, but no longer than `limit`; whether they have.
    pub fn wait_for_collections(&self, finished: u64, limit: Duration) -> bool {
        self.shared.collector.wait_for(finished, limit)
    }

    /// How collecting garbage goes.
    pub fn garbage(&self) -> GarbageStatus {
        self.shared.collector.status(&self.shared.store)
    }

    /// Whether what is dead cannot be told from what is needed.
    pub(crate) fn is_damaged(&self) -> bool {
        self._hold.is_some() || self.shared.store.damage().is_some()
    }

    /// Whether something was received for a replica that is not in force.
    pub(crate) fn has_transfer(&self, id: VolumeId) -> Result<bool, PoolError> {
        let is_receiving = self.volume(id).is_some_and(|volume| volume.is_receiving.load(Ordering::SeqCst));
        Ok(is_receiving || self.catalog.lock().transfer(id)?.is_some())
    }

    /// Takes note that a purge is due, durably.
    pub(crate) fn note_purge(&self) -> Result<(), PoolError> {
        Ok(self.catalog.lock().note_purge(self.shared.environment.now())?)
    }

    /// Has all that is dead removed from the store, by the pool's own thread, and some blocks looked for afterwards. Returns the number
    /// that [`GarbageStatus::finished`] has when that is done, or has failed for now: see [`GarbageStatus::purged`].
    pub fn purge(&self, blocks: HashSet<Name>) -> Result<u64, PoolError> {
        Ok(self.shared.collector.order_purge(purge::Order::new(&self.shared, &self.living(), blocks)?))
    }

    /// The same in a pool without threads, by the caller.
    pub fn purge_here(&self, blocks: HashSet<Name>) -> Result<Purged, PoolError> {
        let (shared, living) = (&self.shared, self.living());
        let order = purge::Order::new(shared, &living, blocks)?;
        let mut step = |collection: &mut Collection<'_>| Ok(shared.store.with_reserve(|| collection.step())?);
        Ok(purge::purge(shared, &living, &order, &mut step)?)
    }

    fn living(&self) -> Living {
        Living { shared: self.shared.clone(), catalog: self.catalog.clone(), volumes: self.volumes.clone() }
    }

    /// File data in memory that no block holds yet, in bytes.
    pub fn dirty_bytes(&self) -> u64 {
        self.shared.budget.bytes()
    }

    /// The blocks that all that is needed begins with: those to which the newest roots link, and the journals behind them.
    pub(crate) fn retained(&self) -> Result<Vec<Name>, PoolError> {
        let mut retained: Vec<Name> = self.catalog_tree().root().into_iter().collect();
        let volumes = self.volumes.read().clone();
        for volume in volumes.values() {
            retained.extend(volume.root_links());
        }
        let replay_from = volumes.values().map(|volume| volume.last_checkpoint.lock().replay_from).min();
        if let Some(from) = replay_from {
            let journals = self.shared.store.records_from(from, &mut |stored| {
                if stored.record.kind == RecordKind::Intent && volumes.contains_key(&VolumeId(stored.record.stream)) {
                    retained.extend(stored.record.links);
                }
                Ok(())
            });
            match journals.map_err(Error::from) {
                Err(error) if error.is_damage() => tracing::error!(%error, "the journals cannot be read"),
                journals => journals?,
            }
        }
        Ok(retained)
    }

    pub(crate) fn catalog_tree(&self) -> Tree {
        self.catalog.lock().tree().clone()
    }

    pub(crate) fn open_volumes_with_names(&self) -> Result<Vec<(Arc<Volume>, String)>, PoolError> {
        let infos = self.list_volumes()?;
        Ok(infos.into_iter().filter_map(|info| Some((self.volume(info.id)?, info.name))).collect())
    }

    /// Memory of what was read and can be read again, in bytes.
    pub fn cached_bytes(&self) -> u64 {
        self.shared.cached_bytes()
    }

    pub(crate) fn ledger_parts(&self) -> (&Shared, Vec<Arc<Volume>>) {
        (&self.shared, self.open_volumes())
    }

    fn open_volumes(&self) -> Vec<Arc<Volume>> {
        self.volumes.read().values().cloned().collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.wake.close();
        self.shared.collector.close();
        self.shared.ledger.wake.close();
        let threads = [
            ("maintenance", self.maintenance.take()),
            ("garbage", self.collecting.take()),
            ("ledger", self.accounting.take()),
        ];
        for (name, thread) in threads {
            if thread.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!(name, "a thread of the pool panicked");
            }
        }
    }
}

fn find(catalog: &Catalog, name: &str) -> Result<VolumeInfo, PoolError> {
    let volumes = catalog.volumes()?;
    let found = volumes.iter().find(|volume| volume.name == name).cloned();
    found.ok_or_else(|| PoolError::NoSuchVolume {
        name: name.into(),
        there: volumes.into_iter().map(|volume| volume.name).collect(),
    })
}

fn check_free(catalog: &Catalog, name: &str) -> Result<(), PoolError> {
    catalog::check_name(name).map_err(|why| PoolError::BadName { name: name.into(), why })?;
    if catalog.volumes()?.iter().any(|volume| volume.name == name) {
        return Err(PoolError::NameTaken { name: name.into() });
    }
    Ok(())
}
