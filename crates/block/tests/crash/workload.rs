//! What is done to the store before the power goes, and what is known of it afterwards.

use block::{Block, Blocks, Error, MemoryIndex, Name, Position, Record, RecordKind, Store, StoreOptions, StoredRecord};
use sim::{Random, SimDisk};
use std::sync::Arc;

/// Steps of a workload.
const STEPS: usize = 110;

/// Something that the store accepted.
#[derive(Clone)]
pub(crate) enum Item {
    Block(Name, Block),
    Record(StoredRecord),
}

/// What a store accepted, in order.
#[derive(Clone, Default)]
pub(crate) struct History {
    /// Whether the store was made.
    pub(crate) created: bool,
    /// What was accepted. The last item may be one whose acceptance the power cut off.
    pub(crate) items: Vec<Item>,
    /// How many of the items a sync has covered.
    pub(crate) synced: usize,
    /// The index as it was after each of its updates.
    pub(crate) indexes: Vec<MemoryIndex>,
}

impl History {
    /// The index that a crash leaves: the last one, an older one, or none.
    pub(crate) fn index_after_crash(&self, random: &mut Random) -> MemoryIndex {
        let index = match random.below(3) {
            0 => None,
            1 if !self.indexes.is_empty() => self.indexes.get(random.below(self.indexes.len() as u64) as usize),
            _ => self.indexes.last(),
        };
        index.map(MemoryIndex::snapshot).unwrap_or_default()
    }

    /// Adds a block and a root to a store and syncs.
    pub(crate) fn add_and_sync(&mut self, store: &Store) -> Result<(), Error> {
        self.created = true;
        let block = Block::data(format!("new after {} items", self.items.len()).into());
        self.items.push(Item::Block(block.name(), block.clone()));
        let name = store.put(&block)?;
        let record = Record { kind: RecordKind::Root, stream: 1, links: vec![name], body: "again".into() };
        self.append(store, record)?;
        store.sync()?;
        self.synced = self.items.len();
        Ok(())
    }

    fn put(&mut self, store: &Store, block: Block) -> Result<(), Error> {
        if !self.names().contains(&block.name()) {
            self.items.push(Item::Block(block.name(), block.clone()));
        }
        store.put(&block)?;
        Ok(())
    }

    /// A record that the power cuts off may have been written; where is not known, and stands as the start.
    fn append(&mut self, store: &Store, record: Record) -> Result<(), Error> {
        let position = Position::START;
        self.items.push(Item::Record(StoredRecord { position, record: record.clone() }));
        let position = store.append(&record)?;
        if let Some(Item::Record(stored)) = self.items.last_mut() {
            stored.position = position;
        }
        Ok(())
    }

    /// The blocks that were accepted, in order.
    fn names(&self) -> Vec<Name> {
        let names = self.items.iter().filter_map(|item| match item {
            Item::Block(name, _) => Some(*name),
            Item::Record(_) => None,
        });
        names.collect()
    }

    /// The records that were accepted, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &StoredRecord> {
        self.items.iter().filter_map(|item| match item {
            Item::Block(..) => None,
            Item::Record(stored) => Some(stored),
        })
    }
}

/// A sequence of steps that a seed decides.
pub(crate) struct Workload {
    random: Random,
    history: History,
    index: MemoryIndex,
}

impl Workload {
    /// The workload of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), history: History::default(), index: MemoryIndex::default() }
    }

    /// Makes a store on a disk and works with it until the end or until the power goes.
    pub(crate) fn run(mut self, disk: &SimDisk, options: StoreOptions) -> History {
        let store = match Store::create(Arc::new(disk.clone()), Box::new(self.index.clone()), options) {
            Ok(store) => store,
            Err(_) => return self.history,
        };
        self.history.created = true;
        for _ in 0..STEPS {
            if self.step(&store).is_err() {
                assert!(disk.is_stopped(), "only the power may end a workload");
                break;
            }
        }
        self.history
    }

    fn step(&mut self, store: &Store) -> Result<(), Error> {
        match self.random.below(100) {
            0..45 => self.put_new(store),
            45..50 => self.put_again(store),
            50..65 => self.append(store, RecordKind::Intent),
            65..75 => self.append(store, RecordKind::Root),
            75..92 => self.sync(store),
            _ => self.flush(store),
        }
    }

    fn put_new(&mut self, store: &Store) -> Result<(), Error> {
        let length = self.random.below(1800) as usize + 1;
        let is_noise = self.random.percent(70);
        let body = if is_noise { self.random.bytes(length) } else { vec![self.random.number() as u8; length] };
        let block = Block { links: self.links(), body: body.into() };
        self.history.put(store, block)
    }

    fn put_again(&mut self, store: &Store) -> Result<(), Error> {
        let blocks: Vec<Block> = self
            .history
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Block(_, block) => Some(block.clone()),
                Item::Record(_) => None,
            })
            .collect();
        match blocks.len() {
            0 => Ok(()),
            count => self.history.put(store, blocks[self.random.below(count as u64) as usize].clone()),
        }
    }

    fn append(&mut self, store: &Store, kind: RecordKind) -> Result<(), Error> {
        let length = self.random.below(300) as usize;
        let record =
            Record { kind, stream: self.random.below(3), links: self.links(), body: self.random.bytes(length).into() };
        self.history.append(store, record)
    }

    fn sync(&mut self, store: &Store) -> Result<(), Error> {
        store.sync()?;
        self.history.synced = self.history.items.len();
        Ok(())
    }

    fn flush(&mut self, store: &Store) -> Result<(), Error> {
        store.flush_index()?;
        self.history.indexes.push(self.index.snapshot());
        Ok(())
    }

    /// Links to some of the blocks that are there.
    fn links(&mut self) -> Vec<Name> {
        let names = self.history.names();
        if names.is_empty() || self.random.percent(60) {
            return Vec::new();
        }
        let count = self.random.below(4);
        (0..count).map(|_| names[self.random.below(names.len() as u64) as usize]).collect()
    }
}
