//! What the ledger tells comes back is what comes back: over random histories with copies, clones and content that returns.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod common;

use block::{MemoryIndex, Name, Store, StoreOptions, Thrift};
use common::{Clock, OWNER, open};
use sim::{Random, SimDisk};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use volume::{FilePoint, Inode, KeptId, KeptRoot, NewInode, Pool, Privileges, Timestamp, Volume, VolumeId};

/// Contents are few, so that the same one is in many places.
const CONTENTS: u64 = 12;

struct World {
    disk: SimDisk,
    index: MemoryIndex,
    /// What the index was some time ago.
    earlier: MemoryIndex,
    clock: Arc<Clock>,
    pool: Option<Pool>,
    random: Random,
}

impl World {
    fn new(seed: u64) -> Self {
        let (disk, index) = (SimDisk::new(), MemoryIndex::default());
        let store = Store::create(Arc::new(disk.clone()), Box::new(index.clone()), options()).unwrap();
        let clock = Arc::<Clock>::default();
        let pool = Some(open(store, &clock));
        let earlier = index.snapshot();
        Self { disk, index, earlier, clock, pool, random: Random::new(seed) }
    }

    fn pool(&self) -> &Pool {
        self.pool.as_ref().unwrap()
    }

    /// Opens the pool again, now and then with an index that has lost its notes.
    fn restart(&mut self) {
        self.pool().checkpoint().unwrap();
        self.pool = None;
        if self.random.percent(30) {
            self.index = MemoryIndex::default();
            self.earlier = self.index.clone();
        }
        let store = Store::open(Arc::new(self.disk.clone()), Box::new(self.index.clone()), options()).unwrap();
        self.pool = Some(open(store, &self.clock));
    }

    fn volumes(&self) -> Vec<Arc<Volume>> {
        let infos = self.pool().list_volumes().unwrap();
        infos.iter().map(|info| self.pool().volume(info.id).unwrap()).collect()
    }

    fn any_volume(&mut self) -> Arc<Volume> {
        let volumes = self.volumes();
        volumes[self.random.below(volumes.len() as u64) as usize].clone()
    }

    fn step(&mut self, number: u64) {
        let volume = self.any_volume();
        let file = format!("file-{}", self.random.below(8));
        match self.random.below(20) {
            0..=7 => write(&volume, &file, &mut self.random),
            8 => drop(volume.unlink(Inode::ROOT, file.as_bytes()).map(|gone| gone.map(|inode| volume.reclaim(inode)))),
            9 => copy(&volume, &file, &format!("file-{}", self.random.below(8))),
            10..=12 => volume.checkpoint().unwrap(),
            13 | 14 => drop(volume.create_snapshot(&format!("s{number}"), false).unwrap()),
            15 => {
                if let Some(snapshot) = self.any_snapshot(&volume) {
                    volume.delete_snapshot(&snapshot).unwrap();
                }
            }
            16 => self.clone_or_delete(&volume, number),
            17 => {
                if let Some(snapshot) = self.any_snapshot(&volume) {
                    volume.roll_back(&volume.snapshot(&snapshot).unwrap().root, &format!("b{number}")).unwrap();
                }
            }
            18 if self.random.percent(40) => self.earlier = self.index.snapshot(),
            18 => {
                if self.random.percent(30) {
                    self.index.lose_notes_since(&self.earlier);
                }
                self.check_told();
            }
            _ if self.random.percent(20) => self.restart(),
            _ => collect(self.pool()),
        }
    }

    fn any_snapshot(&mut self, volume: &Volume) -> Option<String> {
        let names: Vec<_> = volume.snapshots().unwrap().map(|snapshot| snapshot.unwrap().name).collect();
        (!names.is_empty()).then(|| names[self.random.below(names.len() as u64) as usize].clone())
    }

    fn clone_or_delete(&mut self, volume: &Volume, number: u64) {
        let infos = self.pool().list_volumes().unwrap();
        match infos.last().filter(|_| infos.len() > 2) {
            Some(last) => self.pool().delete_volume(&last.name).unwrap(),
            None => {
                if let Some(snapshot) = self.any_snapshot(volume) {
                    let root = volume.snapshot(&snapshot).unwrap().root;
                    self.pool().clone_volume(volume, &root, &format!("clone{number}")).unwrap();
                }
            }
        }
    }

    /// Compares with what walking all trees finds.
    fn check_told(&mut self) {
        self.pool().checkpoint().unwrap();
        let told = self.pool().space_use().unwrap();
        let blocks = self.owners();
        let sum = |is_it: &dyn Fn(&HashSet<Owner>) -> bool| -> u64 {
            let some = blocks.iter().filter(|(_, owners)| is_it(owners));
            some.map(|(name, _)| self.bytes_of(name).unwrap()).sum()
        };
        assert_eq!(told.newest_bytes, sum(&|owners| owners.iter().any(|(_, root)| root.is_none())));
        for of in &told.volumes {
            let is_of = |owner: &Owner| owner.0 == of.id;
            assert_eq!(of.newest_bytes, sum(&|owners| owners.iter().all(|owner| is_of(owner) && owner.1.is_none())));
            assert_eq!(of.past_bytes, sum(&|owners| owners.iter().all(|owner| is_of(owner) && owner.1.is_some())));
            assert_eq!(of.volume_bytes, sum(&|owners| owners.iter().all(is_of)));
            let are = |owners: &HashSet<Owner>, is_snapshot: bool| {
                owners.iter().all(|owner| is_of(owner) && owner.1.is_some_and(|id| id.is_snapshot() == is_snapshot))
            };
            assert_eq!(of.snapshots_bytes, sum(&|owners| are(owners, true)));
            assert_eq!(of.history_bytes, sum(&|owners| are(owners, false)));
            for one in self.pool().snapshot_uses(of.id).unwrap() {
                assert_eq!(one.bytes, sum(&|owners| owners.iter().all(|owner| *owner == (of.id, Some(one.id)))));
            }
        }
    }

    /// For each block of a tree who has it: a kept root of a volume, or its newest state.
    fn owners(&self) -> BTreeMap<Name, HashSet<Owner>> {
        let mut owners: BTreeMap<Name, HashSet<Owner>> = BTreeMap::new();
        for volume in self.volumes() {
            let kept: Vec<KeptRoot> =
                volume.kept_roots(Timestamp::FIRST, Timestamp::LAST).unwrap().map(Result::unwrap).collect();
            let states = kept.iter().map(|root| (Some(root.id()), root.tree()));
            for (root, tree) in states.chain([(None, volume.status().root)]) {
                self.walk(tree, &mut |name| owners.entry(name).or_default().extend([(volume.id(), root)]));
            }
        }
        owners
    }

    fn walk(&self, from: Option<Name>, visit: &mut dyn FnMut(Name)) {
        use block::Blocks;
        let mut waiting: Vec<Name> = from.into_iter().collect();
        while let Some(name) = waiting.pop() {
            visit(name);
            waiting.extend(self.pool().store().get(&name).unwrap().links);
        }
    }

    /// Deletes some of the past and compares what the trees have lost with what was told.
    fn check_freed(&mut self) {
        self.pool().checkpoint().unwrap();
        let volume = self.any_volume();
        let snapshots: Vec<_> = volume.snapshots().unwrap().map(Result::unwrap).collect();
        let going: Vec<_> = snapshots.into_iter().filter(|_| self.random.percent(50)).collect();
        let ids = going.iter().map(|snapshot| snapshot.root.id()).collect();
        let told = self.pool().freed_by(volume.id(), &ids).unwrap();
        let before: Vec<(Name, u64)> =
            self.owners().into_keys().map(|name| (name, self.bytes_of(&name).unwrap())).collect();
        going.iter().for_each(|snapshot| volume.delete_snapshot(&snapshot.name).unwrap());
        // What one takes for alive by mistake, the next one does not.
        (0..4).for_each(|_| collect(self.pool()));
        let freed: u64 = before.iter().filter(|(name, _)| self.bytes_of(name).is_none()).map(|(_, bytes)| bytes).sum();
        assert_eq!(freed, told);
    }

    fn bytes_of(&self, name: &Name) -> Option<u64> {
        self.pool().store().bytes_of(name).unwrap()
    }
}

type Owner = (VolumeId, Option<KeptId>);

fn options() -> StoreOptions {
    StoreOptions { segment_bytes: 64 << 10, ..StoreOptions::default() }
}

fn write(volume: &Volume, name: &str, random: &mut Random) {
    let content = Random::new(random.below(CONTENTS)).bytes(20_000);
    let inode = match volume.lookup(Inode::ROOT, name.as_bytes()) {
        Ok((inode, _)) => inode,
        Err(_) => volume.make(Inode::ROOT, name.as_bytes(), NewInode::File, 0o600, OWNER).unwrap().0,
    };
    // Chunks are aligned, so whole contents in other files are the same blocks.
    let offset = random.below(3) * (128 << 10);
    volume.write(inode, offset, &content, Privileges::Keep).unwrap();
}

fn copy(volume: &Volume, from: &str, to: &str) {
    let find = |name: &str| volume.lookup(Inode::ROOT, name.as_bytes()).map(|(inode, _)| inode);
    if let (Ok(from), Ok(to)) = (find(from), find(to))
        && from != to
    {
        let start = |inode| FilePoint { inode, offset: 0 };
        volume.clone_range(start(from), start(to), u64::MAX, Privileges::Keep).unwrap();
    }
}

fn collect(pool: &Pool) {
    let mut collection = pool.begin_collection(Thrift::Usual).unwrap().unwrap();
    while collection.step().unwrap() {}
}

#[test]
fn what_is_told_is_what_walking_all_trees_finds() {
    let seeds = std::env::var("SPACE_SEEDS").map_or(40, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let mut world = World::new(seed);
        for number in 0..150 {
            world.step(number);
        }
        world.check_told();
        world.check_freed();
        world.check_told();
    }
}
