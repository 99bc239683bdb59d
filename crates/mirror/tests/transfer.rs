//! Transfers between two stores: what arrives, in which order, how much of it, and what a cut leaves.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, MemoryIndex, Name, PackedBlock, Store, StoreId, StoreOptions};
use bytes::Bytes;
use mirror::{Base, Error, Keeper, Result, Source, StoreTarget, Target, TransferOptions, Visitor, transfer};
use parking_lot::Mutex;
use sim::{Random, SimDisk};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn store(number: u8) -> Arc<Store> {
    let options = StoreOptions { id: Some(StoreId::from_bytes([number; StoreId::BYTES])), ..StoreOptions::default() };
    Arc::new(Store::create(Arc::new(SimDisk::new()), Box::new(MemoryIndex::default()), options).unwrap())
}

/// A tree of blocks: `fanout` links per block down to data at level 0. Content follows from the seed.
fn grow(store: &Store, random: &mut Random, levels: usize, fanout: usize) -> Name {
    let body: Bytes = (0..random.below(3000) + 1).map(|_| random.below(7) as u8).collect();
    let links = match levels {
        0 => Vec::new(),
        _ => (0..fanout).map(|_| grow(store, random, levels - 1, fanout)).collect(),
    };
    store.put(&Block { links, body }).unwrap()
}

/// Every block below a root, the root included.
fn below(store: &Store, root: Name) -> BTreeSet<Name> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![root]);
    while let Some(name) = waiting.pop() {
        if found.insert(name) {
            waiting.extend(store.get(&name).unwrap().links);
        }
    }
    found
}

struct NoKeeper;

impl Keeper for NoKeeper {
    fn keep(&self, _: &[Name]) -> Result<()> {
        Ok(())
    }
}

/// Puts that are refused from some number on, and a check that children come first.
struct Watched<'a> {
    target: StoreTarget<'a>,
    store: Arc<Store>,
    puts_left: AtomicU64,
    put: Mutex<Vec<Name>>,
    questions: AtomicU64,
    asked: AtomicU64,
}

impl<'a> Watched<'a> {
    fn new(store: &Arc<Store>, puts_left: u64) -> Self {
        Self {
            target: StoreTarget::new(store.clone(), Arc::new(NoKeeper)),
            store: store.clone(),
            puts_left: puts_left.into(),
            put: Mutex::default(),
            questions: 0.into(),
            asked: 0.into(),
        }
    }
}

impl Target for Watched<'_> {
    fn lacking(&self, names: &[Name]) -> Result<Vec<Name>> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.asked.fetch_add(names.len() as u64, Ordering::Relaxed);
        self.target.lacking(names)
    }

    fn put(&self, block: &PackedBlock) -> Result<bool> {
        let left = self.puts_left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(Error::Store { side: mirror::Side::Target, error: block::Error::Full });
        }
        self.puts_left.store(left - 1, Ordering::Relaxed);
        for link in block.links() {
            assert!(self.store.contains(link).unwrap(), "a child comes before its parent");
        }
        self.put.lock().push(block.name());
        self.target.put(block)
    }
}

/// Counts what is read.
struct Read<'a>(&'a Store, AtomicU64);

impl Source for Read<'_> {
    fn read(&self, names: &[Name], linked_bytes_max: usize, visit: &mut Visitor<'_>) -> Result<()> {
        self.0.read(names, linked_bytes_max, &mut |block| {
            self.1.fetch_add(1, Ordering::Relaxed);
            visit(block)
        })
    }
}

fn run(source: &Store, target: &dyn Target, root: Name) -> Result<mirror::Sent> {
    transfer(source, target, vec![root], &TransferOptions::default())
}

#[test]
fn everything_below_the_roots_arrives_children_first_and_a_second_transfer_asks_once() {
    let (here, there) = (store(1), store(2));
    let mut random = Random::new(1);
    let root = grow(&here, &mut random, 3, 12);
    let target = Watched::new(&there, u64::MAX);
    let sent = run(&here, &target, root).unwrap();
    let all = below(&here, root);
    assert_eq!(below(&there, root), all);
    assert_eq!(sent.blocks, all.len() as u64);
    assert_eq!(sent.blocks, target.put.lock().len() as u64, "nothing is sent twice");
    let again = Watched::new(&there, 0);
    assert_eq!(run(&here, &again, root).unwrap(), mirror::Sent::default());
    assert_eq!(again.questions.into_inner(), 1);
}

#[test]
fn a_change_costs_its_path_and_reads_no_more_than_is_sent() {
    let (here, there) = (store(1), store(2));
    let old = grow(&here, &mut Random::new(1), 3, 12);
    run(&here, &StoreTarget::new(there.clone(), Arc::new(NoKeeper)), old).unwrap();
    let mut block = here.get(&old).unwrap();
    let mut path = vec![block.clone()];
    while !block.links.is_empty() {
        block = here.get(&block.links[5]).unwrap();
        path.push(block.clone());
    }
    let mut new = here.put(&Block::data(Bytes::from_static(b"changed"))).unwrap();
    for mut parent in path.into_iter().rev().skip(1) {
        parent.links[5] = new;
        new = here.put(&parent).unwrap();
    }
    let source = Read(&here, AtomicU64::new(0));
    let target = Watched::new(&there, u64::MAX);
    let sent = transfer(&source, &target, vec![new], &TransferOptions::default()).unwrap();
    assert_eq!((sent.blocks, source.1.into_inner()), (4, 4));
    assert_eq!(below(&there, new), below(&here, new));
}

#[test]
fn what_a_known_tree_has_is_not_asked_about() {
    let (here, there) = (store(1), store(2));
    let old = grow(&here, &mut Random::new(1), 3, 12);
    run(&here, &StoreTarget::new(there.clone(), Arc::new(NoKeeper)), old).unwrap();
    let mut changed = here.get(&old).unwrap();
    let mut child = here.get(&changed.links[3]).unwrap();
    child.links[7] = here.put(&Block::data(Bytes::from_static(b"changed"))).unwrap();
    changed.links[3] = here.put(&child).unwrap();
    let new = here.put(&changed).unwrap();
    let asked = |base: Option<Base<'_>>| {
        let target = Watched::new(&there, 0);
        let options = TransferOptions { base, ..TransferOptions::default() };
        let refused = transfer(&*here, &target, vec![new], &options);
        assert!(refused.is_err(), "the target takes nothing");
        target.asked.into_inner()
    };
    assert_eq!(asked(None), 1 + 12 + 12);
    assert_eq!(asked(Some(Base { store: &there, roots: vec![old] })), 3);
    let target = Watched::new(&there, u64::MAX);
    let options =
        TransferOptions { base: Some(Base { store: &there, roots: vec![old] }), ..TransferOptions::default() };
    assert_eq!(transfer(&*here, &target, vec![new], &options).unwrap().blocks, 3);
    assert_eq!(below(&there, new), below(&here, new));
}

#[test]
fn a_transfer_that_was_cut_anywhere_goes_on_and_sends_nothing_again() {
    let (here, there) = (store(1), store(2));
    let root = grow(&here, &mut Random::new(2), 3, 6);
    let all = below(&here, root).len() as u64;
    let mut put = BTreeSet::new();
    for cut in (0..).map(|round| round % 7) {
        let target = Watched::new(&there, cut);
        let outcome = run(&here, &target, root);
        let sent = target.put.into_inner();
        let count = sent.len();
        put.extend(sent);
        assert_eq!(
            outcome.is_ok(),
            put.len() as u64 == all && (count as u64) < cut + 1 && there.contains(&root).unwrap()
        );
        if outcome.is_ok() {
            break;
        }
        assert_eq!(count as u64, cut);
    }
    assert_eq!(put.len() as u64, all, "every block once");
}

#[test]
fn a_wide_tree_is_sent_in_batches() {
    let (here, there) = (store(1), store(2));
    let mut random = Random::new(3);
    let body: Bytes = (0..60_000).map(|_| random.below(256) as u8).collect();
    let leaf = |number: u32| {
        let data = here.put(&Block::data(number.to_le_bytes().to_vec().into())).unwrap();
        here.put(&Block { links: vec![data], body: body.clone() }).unwrap()
    };
    let links: Vec<_> = (0..300).map(leaf).collect();
    let root = here.put(&Block { links, body: Bytes::new() }).unwrap();
    let target = Watched::new(&there, u64::MAX);
    run(&here, &target, root).unwrap();
    assert_eq!(below(&there, root), below(&here, root));
    let questions = target.questions.into_inner();
    assert!((5..=12).contains(&questions), "{questions} questions for 18 MiB of inner blocks");
}
