//! A layer above the store that is as simple as one can be: streams, each of which names a tree of blocks.
//!
//! A tree has two levels of blocks with links above leaves. Leaves come from a small choice, so that blocks that died are often
//! put again. A change of a tree is made block by block, with steps of a collection in between.

use block::{Alive, Block, Blocks, Error, Live, Name, Position, Record, RecordKind, Store, StoredRecord};
use parking_lot::Mutex;
use sim::Random;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const STREAMS: u64 = 3;

const BRANCHES: usize = 3;
const LEAVES_PER_BRANCH: usize = 4;

/// How many contents a leaf may have.
const CONTENTS: u64 = 60;

/// The contents of a stream's leaves, branch by branch.
pub(crate) type Tree = [[u64; LEAVES_PER_BRANCH]; BRANCHES];

pub(crate) fn leaf(content: u64) -> Block {
    let length = 200 + (content * 37 % 1500) as usize;
    Block::data(Random::new(content).bytes(length).into())
}

fn branch(leaves: &[u64; LEAVES_PER_BRANCH]) -> Block {
    Block { links: leaves.iter().map(|content| leaf(*content).name()).collect(), body: "branch".into() }
}

pub(crate) fn top(tree: &Tree) -> Block {
    Block { links: tree.iter().map(|leaves| branch(leaves).name()).collect(), body: "top".into() }
}

/// What the layer above knows.
#[derive(Clone, Default)]
pub(crate) struct World {
    /// The trees, as the newest root records have them.
    pub(crate) trees: BTreeMap<u64, Tree>,
    /// Where the newest root record of each stream lies.
    pub(crate) roots: BTreeMap<u64, Position>,
    /// Leaves that were put and that nothing refers to but memory.
    pub(crate) held: Vec<u64>,
    /// Leaves that intents behind their stream's root link to.
    pub(crate) intents: BTreeMap<u64, Vec<u64>>,
    /// The newest roots at the last completed sync.
    pub(crate) synced: BTreeMap<u64, Position>,
    /// Every block with links that was ever put.
    pub(crate) inner: BTreeSet<Name>,
}

/// The port of a world. `forget` is a stream whose tree it does not show.
pub(crate) struct Port<'a> {
    pub(crate) world: &'a Mutex<World>,
    pub(crate) forget: Option<u64>,
}

impl Live for Port<'_> {
    fn survey(&self, begin: &mut dyn FnMut(), visit: &mut dyn FnMut(Name)) -> Alive {
        let world = self.world.lock();
        begin();
        world.held.iter().for_each(|content| visit(leaf(*content).name()));
        let shown = world.roots.iter().filter(|(stream, _)| self.forget != Some(**stream));
        Alive { streams: shown.map(|(stream, root)| (*stream, *root)).collect() }
    }
}

impl World {
    /// One operation. `between` is called between the steps of it.
    pub(crate) fn step(
        world: &Mutex<World>,
        store: &Store,
        random: &mut Random,
        between: &mut dyn FnMut(&mut Random) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match random.below(20) {
            0..=7 => Self::change_tree(world, store, random, between),
            8..=10 => Self::hold_leaf(world, store, random),
            11..=13 => Self::append_intent(world, store, random),
            14 => Self::forget_held(world, random),
            15 => Self::drop_stream(world, random),
            16..=17 => Self::sync(world, store),
            18 => store.flush_index(),
            _ => between(random),
        }
    }

    fn change_tree(
        world: &Mutex<World>,
        store: &Store,
        random: &mut Random,
        between: &mut dyn FnMut(&mut Random) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let stream = random.below(STREAMS);
        let mut tree = world.lock().trees.get(&stream).copied().unwrap_or_default();
        for _ in 0..=random.below(6) {
            let (number, place) = (random.below(BRANCHES as u64), random.below(LEAVES_PER_BRANCH as u64));
            tree[number as usize][place as usize] = random.below(CONTENTS);
        }
        for leaves in &tree {
            for content in leaves {
                store.put(&leaf(*content))?;
                between(random)?;
            }
            world.lock().inner.insert(branch(leaves).name());
            store.put(&branch(leaves))?;
            between(random)?;
        }
        world.lock().inner.insert(top(&tree).name());
        let links = vec![store.put(&top(&tree))?];
        between(random)?;
        let position = store.append(&Record { kind: RecordKind::Root, stream, links, body: encode(&tree).into() })?;
        let mut world = world.lock();
        world.trees.insert(stream, tree);
        world.roots.insert(stream, position);
        world.intents.remove(&stream);
        Ok(())
    }

    fn hold_leaf(world: &Mutex<World>, store: &Store, random: &mut Random) -> Result<(), Error> {
        let content = random.below(CONTENTS);
        store.put(&leaf(content))?;
        world.lock().held.push(content);
        Ok(())
    }

    fn append_intent(world: &Mutex<World>, store: &Store, random: &mut Random) -> Result<(), Error> {
        let stream = random.below(STREAMS);
        if !world.lock().roots.contains_key(&stream) {
            return Ok(());
        }
        let Some(content) = world.lock().held.pop() else { return Ok(()) };
        let links = vec![leaf(content).name()];
        let body = content.to_le_bytes().to_vec().into();
        store.append(&Record { kind: RecordKind::Intent, stream, links, body })?;
        world.lock().intents.entry(stream).or_default().push(content);
        Ok(())
    }

    pub(crate) fn sync(world: &Mutex<World>, store: &Store) -> Result<(), Error> {
        store.sync()?;
        let mut world = world.lock();
        world.synced = world.roots.clone();
        Ok(())
    }

    fn forget_held(world: &Mutex<World>, random: &mut Random) -> Result<(), Error> {
        let mut world = world.lock();
        let kept = random.below(world.held.len() as u64 + 1) as usize;
        world.held.truncate(kept);
        Ok(())
    }

    fn drop_stream(world: &Mutex<World>, random: &mut Random) -> Result<(), Error> {
        let (stream, mut world) = (random.below(STREAMS * 4), world.lock());
        world.trees.remove(&stream);
        world.roots.remove(&stream);
        world.synced.remove(&stream);
        world.intents.remove(&stream);
        Ok(())
    }

    /// Whether all that is alive can be read.
    pub(crate) fn check(&self, store: &Store) -> Result<(), String> {
        for tree in self.trees.values() {
            check_tree(store, tree)?;
        }
        for content in self.held.iter().chain(self.intents.values().flatten()) {
            check_block(store, &leaf(*content))?;
        }
        Ok(())
    }

    /// Whether everything is there below the blocks with links that the store says it has.
    pub(crate) fn check_whole(&self, store: &Store) -> Result<(), String> {
        for name in &self.inner {
            if store.contains(name).map_err(|error| error.to_string())? {
                check_below(store, name).map_err(|why| format!("block {name:?} is there, but below it {why}"))?;
            }
        }
        Ok(())
    }
}

fn check_below(store: &Store, name: &Name) -> Result<(), String> {
    let block = store.get(name).map_err(|error| error.to_string())?;
    block.links.iter().try_for_each(|link| check_below(store, link))
}

pub(crate) fn check_tree(store: &Store, tree: &Tree) -> Result<(), String> {
    check_block(store, &top(tree))?;
    for leaves in tree {
        check_block(store, &branch(leaves))?;
        leaves.iter().try_for_each(|content| check_block(store, &leaf(*content)))?;
    }
    Ok(())
}

pub(crate) fn check_block(store: &Store, block: &Block) -> Result<(), String> {
    match store.get(&block.name()) {
        Ok(found) if found == *block => Ok(()),
        Ok(_) => Err(format!("block {:?} has other content", block.name())),
        Err(error) => Err(format!("a block that is alive cannot be read: {error}")),
    }
}

pub(crate) fn encode(tree: &Tree) -> Vec<u8> {
    tree.iter().flatten().flat_map(|content| content.to_le_bytes()).collect()
}

pub(crate) fn decode(record: &StoredRecord) -> Tree {
    let contents: Vec<u64> =
        record.record.body.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
    std::array::from_fn(|number| std::array::from_fn(|place| contents[number * LEAVES_PER_BRANCH + place]))
}
