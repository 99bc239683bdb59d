//! What the store keeps.

use crate::*;
use block::{BODY_BYTES_MAX, Error, Index, LINKS_MAX, Position, Statistics};

#[test]
fn a_block_is_there_after_put_after_reopening_and_without_its_index() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let blocks = fill(&store, 1, 100);
    assert_holds(&store, &blocks);
    store.sync().unwrap();
    store.flush_index().unwrap();
    assert_holds(&store, &blocks);
    drop(store);
    assert_holds(&open(&disk, &index).unwrap(), &blocks);
    assert_holds(&open(&disk, &MemoryIndex::default()).unwrap(), &blocks);
}

#[test]
fn a_block_that_was_never_put_is_missing() {
    let store = create(&SimDisk::new(), &MemoryIndex::default());
    let name = Block::data("unknown".into()).name();
    assert!(matches!(store.get(&name), Err(Error::Missing { name: missing }) if missing == name));
    assert!(!store.contains(&name).unwrap());
}

#[test]
fn putting_a_block_again_writes_nothing_before_and_after_it_is_indexed() {
    let store = create(&SimDisk::new(), &MemoryIndex::default());
    let block = Block::data(vec![3; 1000].into());
    store.put(&block).unwrap();
    let head = store.position();
    store.put(&block).unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    store.put(&block).unwrap();
    assert_eq!(store.position(), head);
    assert_eq!(store.statistics().deduplicated, 2);
}

#[test]
fn blocks_of_the_largest_size_fit_even_if_segments_are_smaller() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let links: Vec<Name> = (0..LINKS_MAX as u64).map(noise_name).collect();
    let body = Random::new(5).bytes(BODY_BYTES_MAX);
    let block = Block { links, body: body.into() };
    let name = store.put(&block).unwrap();
    store.sync().unwrap();
    drop(store);
    assert_eq!(open(&disk, &MemoryIndex::default()).unwrap().get(&name).unwrap(), block);
}

#[test]
fn blocks_over_a_limit_are_refused() {
    let store = create(&SimDisk::new(), &MemoryIndex::default());
    let long = Block::data(vec![0; BODY_BYTES_MAX + 1].into());
    assert!(matches!(store.put(&long), Err(Error::TooLarge { .. })));
    let linked = Block { links: vec![noise_name(1); LINKS_MAX + 1], body: "".into() };
    assert!(matches!(store.put(&linked), Err(Error::TooLarge { .. })));
}

#[test]
fn the_empty_block_is_a_block() {
    let store = create(&SimDisk::new(), &MemoryIndex::default());
    let name = store.put(&Block::default()).unwrap();
    assert_eq!(store.get(&name).unwrap(), Block::default());
}

#[test]
fn records_come_back_in_order_from_any_of_their_positions() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let mut positions = Vec::new();
    for number in 0..60 {
        fill(&store, number, 1);
        positions.push(store.append(&intent(number % 2, "a step")).unwrap());
    }
    let head = store.position();
    assert!(head.segment() > 2, "the records span several segments");
    for (skipped, from) in positions.iter().enumerate() {
        assert_eq!(positions_from(&store, *from), &positions[skipped..]);
    }
    assert_eq!(positions_from(&store, Position::START), positions);
    assert!(positions_from(&store, head).is_empty());
    store.append(&intent(1, "more")).unwrap();
    assert_eq!(positions_from(&store, head).len(), 1);
}

#[test]
fn the_newest_root_of_each_stream_is_found_whether_the_index_knows_it_or_not() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    store.append(&root(1, "one")).unwrap();
    store.append(&root(2, "two")).unwrap();
    store.sync().unwrap();
    store.flush_index().unwrap();
    store.append(&root(1, "one again")).unwrap();
    store.append(&intent(3, "no root")).unwrap();
    let bodies =
        |store: &Store| [1, 2, 3].map(|stream| store.latest_root(stream).unwrap().map(|root| root.record.body));
    let expected = [Some("one again".into()), Some("two".into()), None];
    assert_eq!(bodies(&store), expected);
    assert_eq!(store.streams(), [1, 2]);
    store.sync().unwrap();
    drop(store);
    assert_eq!(bodies(&open(&disk, &index).unwrap()), expected);
    assert_eq!(bodies(&open(&disk, &MemoryIndex::default()).unwrap()), expected);
}

#[test]
fn a_store_that_is_opened_often_does_not_grow() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    fill(&store, 1, 3);
    store.sync().unwrap();
    drop(store);
    for _ in 0..5 {
        let store = open(&disk, &index).unwrap();
        assert_eq!(store.statistics().segments, 1);
    }
}

#[test]
fn the_index_keeps_up_by_itself() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let options = StoreOptions { segment_bytes: 32 << 20, ..options() };
    let store = Store::create(Arc::new(disk), Box::new(index.clone()), options).unwrap();
    for number in 0..(70_u32 << 10) {
        store.put(&Block::data(number.to_le_bytes().to_vec().into())).unwrap();
    }
    let indexed = block::Index::state(&index).unwrap().unwrap().totals;
    assert!(indexed.blocks >= 64 << 10, "{indexed:?}");
}

#[test]
fn statistics_are_the_same_after_the_index_is_made_again() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    fill(&store, 1, 50);
    store.append(&root(1, "one")).unwrap();
    store.sync().unwrap();
    let before = store.statistics();
    drop(store);
    let after = open(&disk, &MemoryIndex::default()).unwrap().statistics();
    let figures = |statistics: block::Statistics| {
        (statistics.segments, statistics.log_bytes, statistics.blocks, statistics.stored_bytes, statistics.data_bytes)
    };
    assert_eq!(figures(after), figures(before));
}

fn positions_from(store: &Store, from: Position) -> Vec<Position> {
    let mut positions = Vec::new();
    let visit = &mut |stored: block::StoredRecord| {
        positions.push(stored.position);
        Ok(())
    };
    store.records_from(from, visit).unwrap();
    positions
}

fn noise_name(seed: u64) -> Name {
    let bytes = Random::new(seed).bytes(Name::BYTES);
    Name::from_bytes(bytes.try_into().unwrap())
}

#[test]
fn opening_a_store_leaves_the_index_as_it_is_while_the_log_is_hardly_ahead_of_it() {
    let (disk, index) = (SimDisk::new(), MemoryIndex::default());
    let store = create(&disk, &index);
    let mut blocks = fill(&store, 1, 20);
    store.sync().unwrap();
    store.flush_index().unwrap();
    blocks.extend(fill(&store, 2, 20));
    let root = store.append(&root(7, "a state")).unwrap();
    store.sync().unwrap();
    let statistics = store.statistics();
    drop(store);
    let before = index.state().unwrap();
    for _ in 0..2 {
        let store = open(&disk, &index).unwrap();
        assert_eq!(index.state().unwrap(), before, "opening changed the index");
        assert_holds(&store, &blocks);
        assert_eq!(store.latest_root_position(7), Some(root));
        let Statistics { blocks, stored_bytes, data_bytes, log_bytes, .. } = store.statistics();
        assert_eq!((blocks, stored_bytes), (statistics.blocks, statistics.stored_bytes));
        assert_eq!((data_bytes, log_bytes), (statistics.data_bytes, statistics.log_bytes));
    }
    let store = open(&disk, &index).unwrap();
    blocks.extend(fill(&store, 3, 20));
    store.sync().unwrap();
    store.flush_index().unwrap();
    drop(store);
    assert_eq!(index.state().unwrap().unwrap().totals.blocks, 60);
    assert_holds(&open(&disk, &index).unwrap(), &blocks);
}
