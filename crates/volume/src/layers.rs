//! What a volume holds: the overlay, above it what a checkpoint has frozen, above the tree.
//!
//! Records only ever move down (overlay, frozen, tree), so reading from the top down never misses one, whatever moves meanwhile.
//! Readers take no lock for longer than it takes to copy records, and none over I/O on the tree.

use crate::access_times::Accesses;
use crate::change::Dentry;
use crate::codec::Malformed;
use crate::content::ranges::Ranges;
use crate::dirty_inode::{DentryKey, DirtyInode, Found};
use crate::extent::Extent;
use crate::key::{self, Subject};
use crate::limits::{CHUNK_BYTES, EXTENT_BATCH};
use crate::overlay::{FrozenOverlay, Overlay};
use crate::{Attributes, Error, Inode, Result, record};
use arc_swap::ArcSwap;
use block::Name;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tree::Tree;

/// The layers of one volume.
pub(crate) struct Layers {
    pub(crate) overlay: Overlay,
    pub(crate) accesses: Accesses,
    pub(crate) base: ArcSwap<Base>,
}

/// What lies below the overlay.
pub(crate) struct Base {
    pub(crate) frozen: Option<Arc<FrozenOverlay>>,
    pub(crate) tree: Tree,
}

impl Base {
    fn frozen(&self, inode: Inode) -> Option<&DirtyInode> {
        self.frozen.as_ref().and_then(|frozen| frozen.get(inode))
    }
}

fn damaged(inode: Inode, what: &'static str) -> impl FnOnce(Malformed) -> Error {
    move |malformed| malformed.in_inode(inode, what)
}

impl Layers {
    pub(crate) fn new(tree: Tree) -> Self {
        let accesses = Accesses::new();
        Self { overlay: Overlay::new(), accesses, base: ArcSwap::from_pointee(Base { frozen: None, tree }) }
    }

    /// Moves the overlay down, for a checkpoint. The gate is closed, and no other frozen overlay is there.
    pub(crate) fn freeze(&self) -> Arc<FrozenOverlay> {
        let tree = self.base.load().tree.clone();
        self.overlay.freeze(|frozen| self.base.store(Arc::new(Base { frozen: Some(frozen), tree })))
    }

    /// The frozen overlay is in this tree now.
    pub(crate) fn rebase(&self, tree: Tree) {
        self.base.store(Arc::new(Base { frozen: None, tree }));
    }

    /// Shows the blocks that changes above the tree refer to. The gate is closed.
    pub(crate) fn visit_blocks(&self, visit: &mut dyn FnMut(Name)) {
        self.overlay.visit_blocks(visit);
        if let Some(frozen) = &self.base.load().frozen {
            frozen.visit_blocks(visit);
        }
    }

    /// One record: the topmost layer that decides about it does.
    fn find<T>(
        &self,
        inode: Inode,
        in_layer: impl Fn(&DirtyInode) -> Found<T>,
        key: impl FnOnce() -> Bytes,
        decode: impl FnOnce(Bytes, Option<Name>) -> Result<T>,
    ) -> Result<Option<T>> {
        if let Some(Found::Here(record)) = self.overlay.look(inode, &in_layer) {
            return Ok(record);
        }
        let base = self.base.load();
        if let Some(Found::Here(record)) = base.frozen(inode).map(&in_layer) {
            return Ok(record);
        }
        base.tree.get(&key())?.map(|(value, link)| decode(value, link)).transpose()
    }

    pub(crate) fn attributes(&self, inode: Inode) -> Result<Option<Attributes>> {
        let decode =
            |value: Bytes, _| record::whole(&value, record::attributes).map_err(damaged(inode, "its attributes"));
        let mut found = self.find(inode, DirtyInode::attributes, || key::attributes(inode), decode)?;
        found.iter_mut().for_each(|attributes| self.accesses.apply(inode, attributes));
        Ok(found)
    }

    pub(crate) fn inline(&self, inode: Inode) -> Result<Option<Bytes>> {
        self.find(inode, DirtyInode::inline, || key::inline(inode), |value, _| Ok(value))
    }

    /// The ranges that are reserved for a file.
    pub(crate) fn reserved(&self, inode: Inode) -> Result<Option<Ranges>> {
        let found = self.find(inode, DirtyInode::reserved, || key::reserved(inode), |value, _| Ok(value))?;
        found.map(|ranges| Ranges::parse(&ranges).map_err(damaged(inode, "its reserved ranges"))).transpose()
    }

    pub(crate) fn xattr(&self, inode: Inode, name: &[u8]) -> Result<Option<Bytes>> {
        let decode = |value, link| self.xattr_value(inode, value, link);
        self.find(inode, |dirty| dirty.xattr(name), || key::xattr(inode, name), decode)
    }

    fn xattr_value(&self, inode: Inode, value: Bytes, link: Option<Name>) -> Result<Bytes> {
        match (value.first(), link) {
            (Some(0), None) => Ok(value.slice(1..)),
            (Some(1), Some(name)) => Ok(self.base.load().tree.nodes().blocks().get(&name)?.body),
            _ => Err(Error::Damaged { inode: inode.0, what: "an extended attribute" }),
        }
    }

    pub(crate) fn dentry(&self, directory: Inode, dentry_key: &DentryKey) -> Result<Option<Dentry>> {
        let (hash, name) = dentry_key;
        let decode =
            |value: Bytes, _| record::whole(&value, record::dentry).map_err(damaged(directory, "a directory entry"));
        self.find(directory, |dirty| dirty.dentry(dentry_key), || key::dentry(directory, *hash, name), decode)
    }

    /// The names of an inode's extended attributes, in order.
    pub(crate) fn xattr_names(&self, inode: Inode) -> Result<Vec<Box<[u8]>>> {
        let copy = |dirty: &DirtyInode| {
            let changed: Vec<_> = dirty.xattrs.iter().map(|(name, value)| (name.clone(), value.is_some())).collect();
            (changed, dirty.hides_below())
        };
        let mut layers = Vec::new();
        layers.extend(self.overlay.look(inode, copy));
        let base = self.base.load();
        if layers.iter().all(|(_, hides)| !hides) {
            layers.extend(base.frozen(inode).map(copy));
        }
        let mut names = BTreeMap::new();
        if layers.iter().all(|(_, hides)| !hides) {
            let end = key::end_of_subject(inode, Subject::Xattr);
            for entry in base.tree.range(&key::xattr(inode, b""), Bound::Excluded(&end))? {
                let (key, ..) = entry?;
                let (.., name) = key::parse(&key).ok_or(Error::Damaged { inode: inode.0, what: "a key" })?;
                names.insert(name.into(), true);
            }
        }
        for (changed, _) in layers.into_iter().rev() {
            names.extend(changed);
        }
        Ok(names.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect())
    }

    /// The extents that overlap the bytes from `from` up to `to`, by their offsets.
    pub(crate) fn extents(&self, inode: Inode, from: u64, to: u64) -> Result<BTreeMap<u64, Extent>> {
        let mut extents = BTreeMap::new();
        let mut next = Some(from - from % CHUNK_BYTES);
        while let Some(from) = next {
            let (mut some, behind) = self.some_extents(inode, from, to)?;
            extents.append(&mut some);
            next = behind;
        }
        Ok(extents)
    }

    /// The first of the extents that overlap the bytes from `from` up to `to`, and up to where they are all that there are: at
    /// least one byte behind `from`.
    pub(crate) fn first_extents(&self, inode: Inode, from: u64, to: u64) -> Result<(BTreeMap<u64, Extent>, u64)> {
        let mut extents = BTreeMap::new();
        let mut next = from - from % CHUNK_BYTES;
        loop {
            let (mut some, behind) = self.some_extents(inode, next, to)?;
            extents.append(&mut some);
            let Some(behind) = behind else { return Ok((extents, to)) };
            if behind > from {
                let last_end = extents.last_key_value().map_or(0, |(offset, last)| offset + last.length as u64);
                return Ok((extents, behind.max(last_end).min(to)));
            }
            next = behind;
        }
    }

    /// Some of the extents that start at `from` or behind it and before `to`, and where the others start, if there are more. What
    /// it costs depends on how many extents there are, not on how far apart they are.
    pub(crate) fn some_extents(
        &self,
        inode: Inode,
        from: u64,
        to: u64,
    ) -> Result<(BTreeMap<u64, Extent>, Option<u64>)> {
        let copy = |dirty: &DirtyInode| {
            let changed = dirty.extents.range(from..to).take(EXTENT_BATCH);
            let changed: Vec<_> = changed.map(|(offset, extent)| (*offset, extent.clone())).collect();
            let below = if dirty.hides_below() { 0 } else { dirty.cleared_from.unwrap_or(u64::MAX) };
            (changed, below)
        };
        let (changed, limit) = self.overlay.look(inode, copy).unwrap_or((Vec::new(), u64::MAX));
        let mut end = behind_batch(changed.len(), changed.last().map(|(offset, _)| *offset));
        let mut extents = BTreeMap::new();
        if limit > from {
            let base = self.base.load();
            let (frozen, frozen_limit) = base.frozen(inode).map_or((Vec::new(), u64::MAX), copy);
            end = end.min(behind_batch(frozen.len(), frozen.last().map(|(offset, _)| *offset)));
            let to = to.min(limit).min(frozen_limit);
            if to > from {
                extents = tree_extents(&base.tree, inode, from, to)?;
                end = end.min(behind_batch(extents.len(), extents.last_key_value().map(|(offset, _)| *offset)));
            }
            overlay_extents(&mut extents, frozen.into_iter().filter(|(offset, _)| *offset < limit));
        }
        overlay_extents(&mut extents, changed.into_iter());
        extents.split_off(&end);
        Ok((extents, (end < to).then_some(end)))
    }

    /// Up to `batch` or so entries of a directory with a hash of at least `from`, in order. The last hash is complete: entries
    /// that share it are all there. Empty only at the end of the directory.
    pub(crate) fn dentries(&self, directory: Inode, from: u64, batch: usize) -> Result<BTreeMap<DentryKey, Dentry>> {
        let mut end = u64::MAX;
        let start: DentryKey = (from, Box::default());
        let copy = |dirty: &DirtyInode| {
            let changed = dirty.dentries.range(start.clone()..);
            let changed: Vec<_> = changed.take(batch).map(|(key, dentry)| (key.clone(), *dentry)).collect();
            (changed, dirty.hides_below())
        };
        let mut layers = Vec::new();
        layers.extend(self.overlay.look(directory, copy));
        let base = self.base.load();
        if layers.iter().all(|(_, hides)| !hides) {
            layers.extend(base.frozen(directory).map(copy));
        }
        let mut entries = BTreeMap::new();
        if layers.iter().all(|(_, hides)| !hides) {
            let below = tree_dentries(&base.tree, directory, from, batch)?;
            end = end.min(complete_to(below.len(), batch, below.last().map(|(key, _)| key.0)));
            entries.extend(below.into_iter().map(|(key, dentry)| (key, Some(dentry))));
        }
        for (changed, _) in layers.into_iter().rev() {
            end = end.min(complete_to(changed.len(), batch, changed.last().map(|(key, _)| key.0)));
            entries.extend(changed);
        }
        let entries: BTreeMap<_, _> = entries.into_iter().filter(|(key, _)| key.0 < end).collect();
        if entries.values().all(Option::is_none) && end < u64::MAX {
            return self.dentries(directory, from.max(end), batch + batch);
        }
        Ok(entries.into_iter().filter_map(|(key, dentry)| dentry.map(|dentry| (key, dentry))).collect())
    }
}

/// A layer that gave fewer entries than asked for gave all; otherwise those with its last hash may be cut.
fn complete_to(length: usize, batch: usize, last_hash: Option<u64>) -> u64 {
    last_hash.filter(|_| length >= batch).unwrap_or(u64::MAX)
}

fn tree_dentries(tree: &Tree, directory: Inode, from: u64, batch: usize) -> Result<Vec<(DentryKey, Dentry)>> {
    let end = key::end_of_subject(directory, Subject::Dentry);
    let range = tree.range(&key::dentry(directory, from, b""), Bound::Excluded(&end))?;
    let parse = |entry: tree::Result<(Bytes, Bytes, Option<Name>)>| {
        let (key, value, _) = entry?;
        let place = key::parse(&key).and_then(|(.., rest)| key::parse_dentry(rest));
        let (hash, name) = place.ok_or(Error::Damaged { inode: directory.0, what: "a directory entry's key" })?;
        let dentry = record::whole(&value, record::dentry).map_err(damaged(directory, "a directory entry"))?;
        Ok(((hash, name.into()), dentry))
    };
    range.take(batch).map(parse).collect()
}

fn tree_extents(tree: &Tree, inode: Inode, from: u64, to: u64) -> Result<BTreeMap<u64, Extent>> {
    let range = tree.range(&key::extent(inode, from), Bound::Excluded(&key::extent(inode, to)))?;
    let parse = |entry: tree::Result<(Bytes, Bytes, Option<Name>)>| {
        let (key, value, link) = entry?;
        let offset = key::parse(&key).and_then(|(.., rest)| key::parse_extent(rest));
        let offset = offset.ok_or(Error::Damaged { inode: inode.0, what: "an extent's key" })?;
        let link = link.ok_or(Error::Damaged { inode: inode.0, what: "an extent without a block" })?;
        let extent = record::whole(&value, |reader| record::extent(reader, offset, link));
        Ok((offset, extent.map_err(damaged(inode, "an extent"))?))
    };
    range.take(EXTENT_BATCH).map(parse).collect()
}

/// Up to where a layer that gave this many extents gave all that it has.
fn behind_batch(length: usize, last: Option<u64>) -> u64 {
    last.filter(|_| length == EXTENT_BATCH).map_or(u64::MAX, |last| last + 1)
}

fn overlay_extents(extents: &mut BTreeMap<u64, Extent>, changed: impl Iterator<Item = (u64, Option<Extent>)>) {
    for (offset, extent) in changed {
        match extent {
            Some(extent) => drop(extents.insert(offset, extent)),
            None => drop(extents.remove(&offset)),
        }
    }
}
