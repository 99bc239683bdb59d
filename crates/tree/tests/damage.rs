//! Blocks are taken away from a tree: what it lacks is named, and all else can be read.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, Error, MemoryBlocks, Name, Result};
use bytes::Bytes;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tree::{Edit, Lack, Nodes, Tree, Visited};

/// Blocks of which some are lost.
struct Lossy {
    blocks: Arc<MemoryBlocks>,
    lost: HashSet<Name>,
}

impl Blocks for Lossy {
    fn get(&self, name: &Name) -> Result<Block> {
        if self.lost.contains(name) { Err(Error::Missing { name: *name }) } else { self.blocks.get(name) }
    }

    fn put(&self, block: &Block) -> Result<Name> {
        self.blocks.put(block)
    }

    fn contains(&self, name: &Name) -> Result<bool> {
        self.blocks.contains(name)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

const ENTRIES: u32 = 30_000;

fn key(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// A tree of three levels; every third entry has a link.
fn tree(blocks: &Arc<MemoryBlocks>) -> Tree {
    let put = |number: u32| {
        let data = || blocks.put(&Block::data(Bytes::copy_from_slice(&number.to_le_bytes()))).unwrap();
        Edit::Put { key: key(number), value: vec![7; 400].into(), link: number.is_multiple_of(3).then(data) }
    };
    let nodes = Nodes::new(blocks.clone(), 1 << 20);
    Tree::new(nodes, None).apply((0..ENTRIES).map(put).collect()).unwrap()
}

/// The same tree over blocks of which some are lost, with nothing in memory.
fn damaged(blocks: &Arc<MemoryBlocks>, tree: &Tree, lost: &[Name]) -> Tree {
    let lossy = Lossy { blocks: blocks.clone(), lost: lost.iter().copied().collect() };
    Tree::new(Nodes::new(Arc::new(lossy), 1 << 20), tree.root())
}

fn lacks(tree: &Tree, lost: &[Name]) -> Vec<Lack> {
    let mut found = Vec::new();
    tree.lacks(&|name| lost.contains(name), &mut HashSet::new(), &mut |lack| found.push(lack)).unwrap();
    found
}

fn readable(tree: &Tree) -> BTreeSet<Bytes> {
    let mut keys = BTreeSet::new();
    tree.readable(&mut |entry| assert!(keys.insert(Bytes::copy_from_slice(entry.key)))).unwrap();
    keys
}

#[test]
fn a_lost_node_hides_the_entries_between_two_keys_and_no_others() {
    let blocks = Arc::new(MemoryBlocks::default());
    let tree = tree(&blocks);
    let mut nodes = Vec::new();
    tree.walk(&mut |visited| {
        if let Visited::Node { name, level } = visited {
            nodes.push((name, level));
        }
        true
    })
    .unwrap();
    assert!(nodes.iter().any(|(_, level)| *level == 2), "the tree has three levels");
    for (name, level) in nodes.iter().step_by(60).filter(|(name, _)| Some(*name) != tree.root()) {
        let damaged = damaged(&blocks, &tree, &[*name]);
        let lacks = lacks(&damaged, &[]);
        let [Lack::Node { name: found, from, to }] = &lacks[..] else { panic!("{lacks:?}") };
        assert_eq!(found, name, "at level {level}");
        let is_hidden = |key: &Bytes| key >= from && to.as_ref().is_none_or(|to| key < to);
        let expected: BTreeSet<_> = (0..ENTRIES).map(key).filter(|key| !is_hidden(key)).collect();
        assert_eq!(readable(&damaged), expected);
    }
    let lost = [tree.root().unwrap()];
    assert_eq!(readable(&damaged(&blocks, &tree, &lost)), BTreeSet::new());
    assert_eq!(lacks(&tree, &lost), [Lack::Node { name: lost[0], from: Bytes::new(), to: None }]);
}

#[test]
fn a_lost_linked_block_is_named_by_its_entries_key_and_costs_no_entry() {
    let blocks = Arc::new(MemoryBlocks::default());
    let tree = tree(&blocks);
    let (_, link) = tree.get(&key(300)).unwrap().unwrap();
    let lost = [link.unwrap()];
    assert_eq!(lacks(&tree, &lost), [Lack::Linked { key: key(300), name: lost[0] }]);
    assert_eq!(readable(&tree).len(), ENTRIES as usize);
    assert_eq!(lacks(&tree, &[]), []);
}

#[test]
fn what_is_known_to_be_sound_is_not_searched_again() {
    let blocks = Arc::new(MemoryBlocks::default());
    let tree = tree(&blocks);
    let mut sound = HashSet::new();
    tree.lacks(&|_| false, &mut sound, &mut |lack| panic!("{lack:?}")).unwrap();
    let lost: Vec<Name> = sound.iter().copied().filter(|name| Some(*name) != tree.root()).collect();
    assert!(lost.len() > 20);
    damaged(&blocks, &tree, &lost).lacks(&|_| false, &mut sound, &mut |lack| panic!("{lack:?}")).unwrap();
}
