//! What must hold of a store after a crash.

use crate::workload::{History, Item};
use block::Position;
use block::{Blocks, Error, RecordKind, Store, StoredRecord};

/// Compares a store with what it had accepted: everything synced is there, and everything that is there is a prefix of what was
/// accepted. Returns the history without what the crash took.
pub(crate) fn check(store: &Store, history: &History) -> Result<History, String> {
    let found = records(store)?;
    let accepted: Vec<StoredRecord> = history.records().cloned().collect();
    check_prefix(&found, &accepted)?;
    let kept = kept_items(store, history)?;
    check_nothing_synced_is_lost(&kept, history)?;
    check_roots(store, &found)?;
    let items: Vec<Item> = kept_only(history, &kept);
    let synced = items.len();
    Ok(History { items, synced, ..history.clone() })
}

fn records(store: &Store) -> Result<Vec<StoredRecord>, String> {
    let mut found = Vec::new();
    let result = store.records_from(Position::START, &mut |record| {
        found.push(record);
        Ok(())
    });
    result.map_err(|error| format!("cannot read records: {error}"))?;
    Ok(found)
}

fn check_prefix(found: &[StoredRecord], accepted: &[StoredRecord]) -> Result<(), String> {
    match found.iter().zip(accepted).position(|(found, accepted)| !is_same(found, accepted)) {
        Some(number) => Err(format!("record {number} is {:?}, accepted was {:?}", found[number], accepted[number])),
        None if found.len() > accepted.len() => {
            Err(format!("{} records were never accepted", found.len() - accepted.len()))
        }
        None => Ok(()),
    }
}

fn is_same(found: &StoredRecord, accepted: &StoredRecord) -> bool {
    let is_place_known = accepted.position != Position::START;
    found.record == accepted.record && (!is_place_known || found.position == accepted.position)
}

/// Which items are there. A block that is there is read and compared.
fn kept_items(store: &Store, history: &History) -> Result<Vec<bool>, String> {
    let mut records_left = records(store)?.len();
    history
        .items
        .iter()
        .map(|item| match item {
            Item::Block(name, block) => match store.get(name) {
                Ok(found) if found == *block => Ok(true),
                Ok(_) => Err(format!("block {name} has other content")),
                Err(Error::Missing { .. }) => Ok(false),
                Err(error) => Err(error.to_string()),
            },
            Item::Record(_) => {
                let is_there = records_left > 0;
                records_left = records_left.saturating_sub(1);
                Ok(is_there)
            }
        })
        .collect()
}

fn check_nothing_synced_is_lost(kept: &[bool], history: &History) -> Result<(), String> {
    if let Some(number) = kept[..history.synced].iter().position(|kept| !kept) {
        return Err(format!("item {number} was synced and is lost"));
    }
    let first_lost = kept.iter().position(|kept| !kept).unwrap_or(kept.len());
    match kept[first_lost..].iter().any(|kept| *kept) {
        true => Err(format!("item {first_lost} is lost, but later ones are there")),
        false => Ok(()),
    }
}

fn check_roots(store: &Store, found: &[StoredRecord]) -> Result<(), String> {
    for stream in 0..3 {
        let is_root = |record: &&StoredRecord| record.record.kind == RecordKind::Root && record.record.stream == stream;
        let expected = found.iter().rfind(is_root);
        let newest = store.latest_root(stream).map_err(|error| format!("root of stream {stream}: {error}"))?;
        if newest.as_ref() != expected {
            return Err(format!("the newest root of stream {stream} is {newest:?}, expected {expected:?}"));
        }
        if store.streams().contains(&stream) != expected.is_some() {
            return Err(format!("stream {stream} is listed wrongly"));
        }
    }
    Ok(())
}

fn kept_only(history: &History, kept: &[bool]) -> Vec<Item> {
    history.items.iter().zip(kept).filter(|(_, kept)| **kept).map(|(item, _)| item.clone()).collect()
}
