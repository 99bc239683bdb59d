//! Transfers between two stores: what arrives, in which order, how much of it, and what a cut leaves.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, MemoryIndex, Name, PackedBlock, Store, StoreId, StoreOptions};
use bytes::Bytes;
use mirror::{
    Base, Destination, Error, Keeper, Result, Sent, Source, StoreTarget, Target, TransferOptions, Visitor, transfer,
    transfer_to_all,
};
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

fn run_all(source: &dyn Source, targets: Vec<(&dyn Target, Vec<Name>)>) -> Vec<Result<Sent>> {
    let destinations: Vec<_> = targets.into_iter().map(|(target, roots)| Destination { target, roots }).collect();
    transfer_to_all(source, &destinations, &TransferOptions::default())
}

#[test]
fn what_several_targets_lack_is_read_once_and_each_gets_what_it_lacks() {
    let here = store(1);
    let mut random = Random::new(3);
    let (old, new) = (grow(&here, &mut random, 2, 6), grow(&here, &mut random, 3, 6));
    let [empty, half, full, past] = [2, 3, 4, 5].map(store);
    run(&here, &StoreTarget::new(half.clone(), Arc::new(NoKeeper)), new).unwrap();
    for root in [old, new] {
        run(&here, &StoreTarget::new(full.clone(), Arc::new(NoKeeper)), root).unwrap();
    }
    let watched = [&empty, &half, &full, &past].map(|store| Watched::new(store, u64::MAX));
    let roots = [vec![old, new], vec![old, new], vec![new, old], vec![old]];
    let source = Read(&here, AtomicU64::new(0));
    let targets: Vec<_> = watched.iter().map(|target| target as &dyn Target).zip(roots).collect();
    let sent: Vec<_> = run_all(&source, targets).into_iter().map(|sent| sent.unwrap().blocks as usize).collect();
    let (of_new, of_old) = (below(&here, new), below(&here, old));
    let all = &of_new | &of_old;
    assert_eq!(sent, [all.len(), all.len() - of_new.len(), 0, of_old.len()]);
    assert_eq!(source.1.into_inner() as usize, all.len(), "each block is read once");
    for target in watched.iter().zip(&sent) {
        assert_eq!(target.0.put.lock().len(), *target.1, "nothing is sent twice");
    }
    assert!(!past.contains(&new).unwrap(), "it did not want that");
    for store in [&empty, &half, &full] {
        assert_eq!(&below(store, new) | &below(store, old), all);
    }
}

/// Targets that have one thing and another, want different roots, and of which some fail: the others get all that they want, and no more.
#[test]
fn targets_of_any_state_come_to_what_each_wants_whichever_of_them_fail() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let here = store(1);
        let trees: Vec<Name> = (0..3).map(|_| grow(&here, &mut random, 2, 5)).collect();
        // What two trees share lies at different depths.
        let joined = here.put(&Block { links: vec![trees[2], trees[0]], body: Bytes::from_static(b"joined") }).unwrap();
        let top = here.put(&Block { links: vec![trees[0], joined], body: Bytes::from_static(b"top") }).unwrap();
        let roots = [trees[0], trees[1], joined, top];
        let count = random.below(4) as u8 + 2;
        let stores: Vec<_> = (0..count).map(|number| store(number + 2)).collect();
        let mut had = Vec::new();
        let mut wanted = Vec::new();
        for store in &stores {
            for _ in 0..random.below(3) {
                let target = Watched::new(store, random.below(60));
                let _ = run(&here, &target, roots[random.below(4) as usize]);
            }
            had.push(
                here_names(&here, &roots)
                    .into_iter()
                    .filter(|name| store.contains(name).unwrap())
                    .collect::<BTreeSet<_>>(),
            );
            wanted.push((0..=random.below(2)).map(|_| roots[random.below(4) as usize]).collect::<Vec<_>>());
        }
        let limits: Vec<u64> =
            stores.iter().map(|_| if random.below(3) == 0 { random.below(30) } else { u64::MAX }).collect();
        let watched: Vec<_> = stores.iter().zip(&limits).map(|(store, limit)| Watched::new(store, *limit)).collect();
        let targets: Vec<_> = watched.iter().map(|target| target as &dyn Target).zip(wanted.clone()).collect();
        let sent = run_all(&*here, targets);
        for (number, sent) in sent.iter().enumerate() {
            let all: BTreeSet<Name> = wanted[number].iter().flat_map(|root| below(&here, *root)).collect();
            let put = watched[number].put.lock();
            assert!(
                put.iter().all(|name| all.contains(name) && !had[number].contains(name)),
                "seed {seed}: sent in vain"
            );
            let lacking = all.difference(&had[number]).count();
            assert_eq!(sent.is_ok(), lacking as u64 <= limits[number], "seed {seed}, target {number}");
            if sent.is_ok() {
                assert_eq!(put.len(), lacking, "seed {seed}, target {number}");
                assert!(all.iter().all(|name| stores[number].contains(name).unwrap()), "seed {seed}, target {number}");
            }
        }
    }
}

fn here_names(here: &Store, roots: &[Name]) -> BTreeSet<Name> {
    roots.iter().flat_map(|root| below(here, *root)).collect()
}
