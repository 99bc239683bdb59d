//! Which blocks there are, and where: what is new in memory, the rest in sorted runs of objects, of which a look-up fetches pages.
//!
//! Runs are merged when they come close in size (as in a log-structured merge tree), so there are few of them however many syncs
//! there were. What stands in a newer run counts.

use crate::error::Result;
use crate::home::Home;
use crate::limits::{
    ENTRIES_IN_MEMORY_MAX, INDEX_OBJECT_ENTRIES, PAGE_ENTRIES, PAGES_MAX, PAGES_SINGLY_MAX, RUN_RATIO,
};
use crate::manifest::{IndexObject, Run};
use crate::place::{ENTRY_BYTES, ObjectId, Place, prefix, put_entry, take_entry};
use block::Name;
use bytes::{BufMut, Bytes};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::ops::Range;

/// Bytes of a page's checksum: the first ones of its BLAKE3 hash.
const SUM_BYTES: usize = 8;
const PAGE_BYTES: usize = PAGE_ENTRIES * ENTRY_BYTES + SUM_BYTES;

type Entry = (Name, Place);

/// The index of a replica.
pub(crate) struct Index {
    home: Home,
    /// The manifest that it builds on.
    base: u64,
    memory: BTreeMap<Name, Place>,
    runs: Vec<Run>,
    pages: Mutex<HashMap<(ObjectId, usize), Bytes>>,
    /// Parts that were merged into others.
    pub(crate) merged: Vec<ObjectId>,
}

impl Index {
    pub(crate) fn new(home: Home, base: u64, runs: Vec<Run>) -> Self {
        Self { home, base, memory: BTreeMap::new(), runs, pages: Mutex::default(), merged: Vec::new() }
    }

    pub(crate) fn insert(&mut self, entries: Vec<Entry>) -> Result<()> {
        self.memory.extend(entries);
        if self.memory.len() >= ENTRIES_IN_MEMORY_MAX { self.spill() } else { Ok(()) }
    }

    /// Makes a run of what is in memory.
    fn spill(&mut self) -> Result<()> {
        let entries = std::mem::take(&mut self.memory);
        if entries.is_empty() {
            return Ok(());
        }
        let run = write_run(&self.home, self.base, entries.into_iter().map(Ok))?;
        self.runs.push(run);
        while let [.., older, newer] = &self.runs[..]
            && older.entries() < RUN_RATIO * newer.entries()
        {
            let merged = Merge::new(run_entries(&self.home, newer), run_entries(&self.home, older));
            let merged = write_run(&self.home, self.base, merged)?;
            let gone = self.runs.drain(self.runs.len() - 2..).flat_map(|run| run.objects);
            self.merged.extend(gone.map(|object| object.id));
            self.runs.push(merged);
        }
        Ok(())
    }

    /// All of it as runs.
    pub(crate) fn settled_runs(&mut self) -> Result<Vec<Run>> {
        self.spill()?;
        Ok(self.runs.clone())
    }

    /// All entries, some of them perhaps from older runs as well; those of newer ones come first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry>> + '_ {
        let memory = self.memory.iter().map(|(name, place)| Ok((*name, *place)));
        memory.chain(self.runs.iter().rev().flat_map(|run| run_entries(&self.home, run)))
    }

    /// Where those of the names lie that are there.
    pub(crate) fn find(&self, names: &[Name]) -> Result<HashMap<Name, Place>> {
        let mut found = HashMap::new();
        let mut rest = Vec::new();
        for name in names {
            match self.memory.get(name) {
                Some(place) => drop(found.insert(*name, *place)),
                None => rest.push(*name),
            }
        }
        for object in self.runs.iter().rev().flat_map(|run| &run.objects) {
            let looked_for: Vec<_> =
                rest.iter().flat_map(|name| object.pages_of(name).map(move |page| (page, *name))).collect();
            if looked_for.is_empty() {
                continue;
            }
            let pages = self.pages(object, looked_for.iter().map(|(page, _)| *page).collect())?;
            for (page, name) in looked_for {
                if let Some(place) = find_in(&pages[&page], &name) {
                    found.entry(name).or_insert(place);
                }
            }
            rest.retain(|name| !found.contains_key(name));
        }
        Ok(found)
    }

    fn pages(&self, object: &IndexObject, mut numbers: Vec<usize>) -> Result<HashMap<usize, Bytes>> {
        numbers.sort_unstable();
        numbers.dedup();
        let key = self.home.index(object.id);
        let mut held = self.pages.lock();
        let missing: Vec<_> = numbers.iter().copied().filter(|page| !held.contains_key(&(object.id, *page))).collect();
        let wanted: Vec<_> = match missing.len() > PAGES_SINGLY_MAX {
            true => vec![(0..object.firsts.len(), key.clone())],
            false => missing.iter().map(|page| (*page..page + 1, key.clone())).collect(),
        };
        let ranges: Vec<_> = wanted.iter().map(|(pages, key)| (key.clone(), object.bytes_of(pages))).collect();
        if held.len() + missing.len() > PAGES_MAX {
            held.retain(|(id, _), _| *id == object.id);
        }
        for ((pages, _), bytes) in wanted.into_iter().zip(self.home.bucket.get_ranges(&ranges)?) {
            let first = pages.start;
            for page in pages {
                let from = (page - first) * PAGE_BYTES;
                let to = bytes.len().min(from + PAGE_BYTES);
                // A copy, so that a page does not hold the whole object.
                let entries = checked(&bytes[from..to]).ok_or_else(|| damaged(&self.home, object.id))?;
                held.insert((object.id, page), Bytes::copy_from_slice(entries));
            }
        }
        let page = |page| Some((page, held.get(&(object.id, page))?.clone()));
        Ok(numbers.into_iter().filter_map(page).collect())
    }
}

impl IndexObject {
    /// The pages in which a name may stand.
    fn pages_of(&self, name: &Name) -> Range<usize> {
        let prefix = prefix(name);
        let end = self.firsts.partition_point(|first| *first <= prefix);
        let begin = self.firsts.partition_point(|first| *first < prefix);
        begin.saturating_sub(1).min(end)..end
    }

    /// Bytes of some of the pages.
    fn bytes_of(&self, pages: &Range<usize>) -> Range<u64> {
        let sums = self.firsts.len() * SUM_BYTES;
        let all = self.entries as usize * ENTRY_BYTES + sums;
        (pages.start * PAGE_BYTES) as u64..(pages.end * PAGE_BYTES).min(all) as u64
    }
}

/// The entries of a page whose checksum is right.
fn checked(page: &[u8]) -> Option<&[u8]> {
    let (entries, sum) = page.split_at(page.len().checked_sub(SUM_BYTES)?);
    (blake3::hash(entries).as_bytes()[..SUM_BYTES] == *sum && entries.len() % ENTRY_BYTES == 0).then_some(entries)
}

fn find_in(entries: &[u8], name: &Name) -> Option<Place> {
    let (mut low, mut high) = (0, entries.len() / ENTRY_BYTES);
    while low < high {
        let middle = low.midpoint(high);
        let (there, place) = take_entry(&mut &entries[middle * ENTRY_BYTES..]);
        match there.cmp(name) {
            std::cmp::Ordering::Equal => return Some(place),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

fn damaged(home: &Home, id: ObjectId) -> crate::Error {
    home.bucket.corrupt(&home.index(id), "a page of the index is damaged")
}

/// Puts entries, which are in the order of names, as a run.
pub(crate) fn write_run(home: &Home, base: u64, entries: impl Iterator<Item = Result<Entry>>) -> Result<Run> {
    let mut run = Run::default();
    let mut draft = Vec::new();
    for entry in entries {
        draft.push(entry?);
        if draft.len() == INDEX_OBJECT_ENTRIES {
            run.objects.push(write_object(home, base, &std::mem::take(&mut draft))?);
        }
    }
    if !draft.is_empty() {
        run.objects.push(write_object(home, base, &draft)?);
    }
    Ok(run)
}

fn write_object(home: &Home, base: u64, entries: &[Entry]) -> Result<IndexObject> {
    let id = ObjectId::new(base);
    let (mut bytes, mut firsts) = (Vec::new(), Vec::new());
    for page in entries.chunks(PAGE_ENTRIES) {
        let begin = bytes.len();
        firsts.push(prefix(&page[0].0));
        page.iter().for_each(|(name, place)| put_entry(&mut bytes, name, place));
        let sum = blake3::hash(&bytes[begin..]);
        bytes.put_slice(&sum.as_bytes()[..SUM_BYTES]);
    }
    home.bucket.put(&home.index(id), bytes.into())?;
    Ok(IndexObject { id, entries: entries.len() as u32, firsts })
}

/// The entries of a run in the order of names, an object at a time.
fn run_entries<'a>(home: &'a Home, run: &'a Run) -> impl Iterator<Item = Result<Entry>> + 'a {
    let object = |object: &'a IndexObject| match read_object(home, object) {
        Ok(entries) => entries.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    };
    run.objects.iter().flat_map(object)
}

fn read_object(home: &Home, object: &IndexObject) -> Result<Vec<Entry>> {
    let range = object.bytes_of(&(0..object.firsts.len()));
    let bytes = home.bucket.get_ranges(&[(home.index(object.id), range)])?.remove(0);
    let mut entries = Vec::with_capacity(object.entries as usize);
    for page in bytes.chunks(PAGE_BYTES) {
        let mut page = checked(page).ok_or_else(|| damaged(home, object.id))?;
        while !page.is_empty() {
            entries.push(take_entry(&mut page));
        }
    }
    Ok(entries)
}

/// Two sorted runs as one: of two entries for a name the newer one counts.
struct Merge<N: Iterator, O: Iterator> {
    newer: Peekable<N>,
    older: Peekable<O>,
}

impl<N: Iterator<Item = Result<Entry>>, O: Iterator<Item = Result<Entry>>> Merge<N, O> {
    fn new(newer: N, older: O) -> Self {
        Self { newer: newer.peekable(), older: older.peekable() }
    }
}

impl<N: Iterator<Item = Result<Entry>>, O: Iterator<Item = Result<Entry>>> Iterator for Merge<N, O> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.newer.peek(), self.older.peek()) {
            (Some(Ok((newer, _))), Some(Ok((older, _)))) => newer.cmp(older),
            (Some(_), _) => std::cmp::Ordering::Less,
            (None, _) => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Less => self.newer.next(),
            std::cmp::Ordering::Greater => self.older.next(),
            std::cmp::Ordering::Equal => {
                self.older.next();
                self.newer.next()
            }
        }
    }
}
