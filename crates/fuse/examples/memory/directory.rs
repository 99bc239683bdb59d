//! A directory's entries, in the order in which they were made: a cookie is an entry's number in that order, so it stays
//! right whatever else comes and goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The cookies below are `.` and `..`.
const FIRST: u64 = 3;

/// A directory's entries.
pub(crate) struct Directory {
    pub(crate) parent: u64,
    by_name: HashMap<Arc<[u8]>, u64>,
    by_cookie: BTreeMap<u64, Record>,
    next: u64,
}

/// What a name leads to.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) name: Arc<[u8]>,
    pub(crate) node: u64,
    /// The file's type, as in its mode.
    pub(crate) mode: u32,
}

impl Directory {
    pub(crate) fn new(parent: u64) -> Self {
        Self { parent, by_name: HashMap::new(), by_cookie: BTreeMap::new(), next: FIRST }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&Record> {
        self.by_cookie.get(self.by_name.get(name)?)
    }

    /// Adds a name that is not there.
    pub(crate) fn insert(&mut self, name: &[u8], node: u64, mode: u32) {
        let name: Arc<[u8]> = name.into();
        self.by_name.insert(name.clone(), self.next);
        self.by_cookie.insert(self.next, Record { name, node, mode });
        self.next += 1;
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Record> {
        let cookie = self.by_name.remove(name)?;
        self.by_cookie.remove(&cookie)
    }

    /// The entries after a cookie, each with its own.
    pub(crate) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &Record)> {
        self.by_cookie.range(cookie + 1..).map(|(&cookie, record)| (cookie, record))
    }
}
