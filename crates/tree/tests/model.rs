//! Random batches against an ordered map, and against a tree built from nothing: equal content must give equal roots.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use block::{Block, Blocks, MemoryBlocks, Name};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use tree::{Edit, Nodes, Tree, Visited};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<Name>)>;

#[derive(Clone, Debug)]
enum Action {
    Put { key: u32, value_bytes: usize, linked: bool },
    Delete { key: u32 },
    Clear { from: u32, length: u32 },
}

fn action(keys: u32) -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (0..keys, prop_oneof![5 => 0..60usize, 1 => 500..4000usize], any::<bool>())
            .prop_map(|(key, value_bytes, linked)| Action::Put { key, value_bytes, linked }),
        4 => (0..keys).prop_map(|key| Action::Delete { key }),
        1 => (0..keys, prop_oneof![3 => 1..keys / 50, 1 => 1..keys])
            .prop_map(|(from, length)| Action::Clear { from, length }),
    ]
}

/// Keys of several lengths, sharing prefixes as inode keys do.
fn key(number: u32) -> Vec<u8> {
    let mut key = (number as u64 / 7).to_be_bytes().to_vec();
    key.push((number % 7) as u8);
    key.extend(std::iter::repeat_n(b'k', (number % 5 * 9) as usize));
    key
}

/// Turns actions into a batch in the order that `Edit` asks for, and applies it to the model.
fn batch(actions: &[Action], model: &mut Model, blocks: &dyn Blocks) -> Vec<Edit> {
    let mut clears: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut single = BTreeMap::new();
    for action in actions {
        match *action {
            Action::Put { key: number, value_bytes, linked } => {
                let value = vec![(number + value_bytes as u32) as u8; value_bytes];
                let data = Block::data(Bytes::from(format!("data {number} {value_bytes}")));
                let link = linked.then(|| blocks.put(&data).unwrap());
                single.insert(key(number), Some((value, link)));
            }
            Action::Delete { key: number } => drop(single.insert(key(number), None)),
            Action::Clear { from, length } => {
                let (from, to) = (key(from), key(from.saturating_add(length)));
                if from < to && clears.iter().all(|(start, end)| to <= *start || *end <= from) {
                    clears.push((from, to));
                }
            }
        }
    }
    clears.sort();
    for (from, to) in &clears {
        model.retain(|key, _| key < from || key >= to);
    }
    let mut edits: Vec<Edit> =
        clears.into_iter().map(|(from, to)| Edit::Clear { from: from.into(), to: to.into() }).collect();
    for (key, mapped) in single {
        match mapped {
            Some((value, link)) => {
                model.insert(key.clone(), (value.clone(), link));
                edits.push(Edit::Put { key: key.into(), value: value.into(), link });
            }
            None => {
                model.remove(&key);
                edits.push(Edit::Delete { key: key.into() });
            }
        }
    }
    let position = |edit: &Edit| match edit {
        Edit::Put { key, .. } | Edit::Delete { key } => (key.clone(), 1),
        Edit::Clear { from, .. } => (from.clone(), 0),
    };
    edits.sort_by_key(position);
    edits
}

fn built_from_nothing(nodes: &Arc<Nodes>, model: &Model) -> Tree {
    let put = |(key, (value, link)): (&Vec<u8>, &(Vec<u8>, Option<Name>))| Edit::Put {
        key: key.clone().into(),
        value: value.clone().into(),
        link: *link,
    };
    Tree::new(nodes.clone(), None).apply(model.iter().map(put).collect()).unwrap()
}

fn contents(tree: &Tree) -> Model {
    let entries = tree.range(&[], Bound::Unbounded).unwrap().map(Result::unwrap);
    entries.map(|(key, value, link)| (key.to_vec(), (value.to_vec(), link))).collect()
}

fn check_diff(before: &Tree, after: &Tree, before_model: &Model, after_model: &Model) {
    let mut keys = BTreeSet::new();
    before
        .diff(after, &mut |difference| {
            let side = |mapped: Option<(Bytes, Option<Name>)>| mapped.map(|(value, link)| (value.to_vec(), link));
            assert_eq!(side(difference.before), before_model.get(&difference.key[..]).cloned());
            assert_eq!(side(difference.after), after_model.get(&difference.key[..]).cloned());
            assert!(keys.insert(difference.key.to_vec()), "a key came twice");
            ControlFlow::Continue(())
        })
        .unwrap();
    let all = before_model.keys().chain(after_model.keys()).cloned().collect::<BTreeSet<_>>();
    let differing: BTreeSet<_> = all.into_iter().filter(|key| before_model.get(key) != after_model.get(key)).collect();
    assert_eq!(keys, differing);
}

fn run(batches: Vec<Vec<Action>>) {
    let blocks = Arc::new(MemoryBlocks::default());
    let nodes = Nodes::new(blocks.clone(), 1 << 20);
    let mut tree = Tree::new(nodes.clone(), None);
    let mut model = Model::new();
    for actions in &batches {
        let (tree_before, model_before) = (tree.clone(), model.clone());
        let edits = batch(actions, &mut model, &*blocks);
        tree = tree.apply(edits).unwrap();
        assert_eq!(contents(&tree), model);
        assert_eq!(tree.len().unwrap(), model.len() as u64);
        assert_eq!(tree.root(), built_from_nothing(&nodes, &model).root(), "the shape depends on history");
        assert_eq!(contents(&tree_before), model_before, "an old tree changed");
        check_diff(&tree_before, &tree, &model_before, &model);
        check_diff(&tree, &tree_before, &model, &model_before);
        for number in (0..3000).step_by(37) {
            let found = tree.get(&key(number)).unwrap().map(|(value, link)| (value.to_vec(), link));
            assert_eq!(found, model.get(&key(number)).cloned());
            let from = key(number);
            let last = tree.floor(&from).unwrap().map(|(key, _)| key.to_vec());
            assert_eq!(last, model.range(..=from.clone()).next_back().map(|(key, _)| key.clone()));
            let next = tree.range(&from, Bound::Unbounded).unwrap().next().map(|entry| entry.unwrap().0.to_vec());
            assert_eq!(next, model.range(from..).next().map(|(key, _)| key.clone()));
        }
    }
    check_walk(&tree, &model, &*blocks);
}

fn check_walk(tree: &Tree, model: &Model, blocks: &dyn Blocks) {
    let mut linked = BTreeSet::new();
    tree.walk(&mut |visited| {
        match visited {
            Visited::Node { name, .. } => assert!(blocks.contains(&name).unwrap()),
            Visited::Linked { name } => drop(linked.insert(name)),
        }
        true
    })
    .unwrap();
    assert_eq!(linked, model.values().filter_map(|(_, link)| *link).collect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn small_batches_keep_content_and_canonical_shape(
        batches in prop::collection::vec(prop::collection::vec(action(600), 1..120), 1..8)
    ) {
        run(batches);
    }

    #[test]
    fn large_batches_keep_content_and_canonical_shape(
        batches in prop::collection::vec(prop::collection::vec(action(20_000), 1..6000), 1..4)
    ) {
        run(batches);
    }
}

#[test]
fn a_change_of_one_key_writes_one_path() {
    let blocks = Arc::new(MemoryBlocks::default());
    let nodes = Nodes::new(blocks.clone(), 64 << 20);
    let put = |number: u32, value: &str| Edit::Put {
        key: key(number).into(),
        value: Bytes::copy_from_slice(value.as_bytes()),
        link: None,
    };
    let mut edits: Vec<_> = (0..200_000).map(|number| put(number, "value")).collect();
    edits.sort_by_key(|edit| match edit {
        Edit::Put { key, .. } => key.clone(),
        _ => unreachable!(),
    });
    let tree = Tree::new(nodes, None).apply(edits).unwrap();
    let before = blocks.len();
    let changed = tree.apply(vec![put(123_456, "other")]).unwrap();
    assert!(blocks.len() - before <= 4, "{} nodes written for one change", blocks.len() - before);
    let back = changed.apply(vec![put(123_456, "value")]).unwrap();
    assert_eq!(back.root(), tree.root());
}

#[test]
fn edits_out_of_order_are_refused() {
    let tree = Tree::new(Nodes::new(Arc::new(MemoryBlocks::default()), 1 << 20), None);
    let delete = |key: &'static str| Edit::Delete { key: Bytes::from(key) };
    assert!(tree.apply(vec![delete("a"), delete("b")]).is_ok());
    assert!(tree.apply(vec![delete("b"), delete("a")]).is_err());
    assert!(tree.apply(vec![delete("a"), delete("a")]).is_err());
    let clear = |from: &'static str, to: &'static str| Edit::Clear { from: Bytes::from(from), to: Bytes::from(to) };
    assert!(tree.apply(vec![clear("a", "c"), clear("b", "d")]).is_err());
    assert!(tree.apply(vec![clear("a", "c"), delete("a"), clear("c", "d")]).is_ok());
}

#[test]
fn a_block_that_is_no_node_is_refused_with_its_name() {
    let blocks = Arc::new(MemoryBlocks::default());
    let name = blocks.put(&Block::data(Bytes::from_static(b"not a node at all"))).unwrap();
    let tree = Tree::new(Nodes::new(blocks, 1 << 20), Some(name));
    let error = tree.get(b"key").unwrap_err().to_string();
    assert!(error.contains(&name.to_string()), "{error}");
}
