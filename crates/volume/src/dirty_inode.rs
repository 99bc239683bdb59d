//! What has changed of one inode since the last checkpoint.
//!
//! Records here hide those of the layers below. `None` in a map says that the record is gone. Each record that the journal does
//! not have yet is noted in [`Pending`], so that a commit takes just what changed since the last one.

use crate::change::{Change, Dentry};
use crate::extent::Extent;
use crate::{Attributes, Inode};
use block::Name;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A directory entry's place: by hash, then by name.
pub(crate) type DentryKey = (u64, Box<[u8]>);

/// What a record takes in memory, about, with its part of the inode's maps.
const RECORD_MEMORY_BYTES: u64 = 256;

/// Records of one inode that differ from the layers below.
#[derive(Clone, Debug, Default)]
pub(crate) struct DirtyInode {
    /// The layers below have nothing of the inode: it was made since.
    pub(crate) is_new: bool,
    /// The inode is gone.
    pub(crate) is_dropped: bool,
    /// Extents of the layers below that start at or behind this are gone.
    pub(crate) cleared_from: Option<u64>,
    pub(crate) attributes: Option<Box<Attributes>>,
    pub(crate) inline: Option<Option<Bytes>>,
    pub(crate) reserved: Option<Option<Bytes>>,
    pub(crate) xattrs: BTreeMap<Box<[u8]>, Option<Bytes>>,
    pub(crate) dentries: BTreeMap<DentryKey, Option<Dentry>>,
    pub(crate) extents: BTreeMap<u64, Option<Extent>>,
    /// Bytes of inline content and of extended attributes here.
    payload_bytes: u64,
    pending: Pending,
}

/// Records that changed since the last commit.
#[derive(Clone, Debug, Default)]
struct Pending {
    any: bool,
    dropped: bool,
    cleared_from: Option<u64>,
    attributes: bool,
    inline: bool,
    reserved: bool,
    xattrs: BTreeSet<Box<[u8]>>,
    dentries: BTreeSet<DentryKey>,
    extents: BTreeSet<u64>,
}

/// What a layer says of a record.
pub(crate) enum Found<T> {
    /// This layer decides: the record, or that there is none.
    Here(Option<T>),
    /// Ask the layer below.
    Below,
}

impl DirtyInode {
    /// Applies a change. Returns whether this is the inode's first since the last commit.
    pub(crate) fn apply(&mut self, change: Change, is_in_journal: bool) -> bool {
        if !is_in_journal {
            self.pending.note(&change);
        }
        match change {
            Change::Drop => {
                let pending = std::mem::take(&mut self.pending);
                *self = Self { is_new: self.is_new, is_dropped: true, pending, ..Self::default() };
            }
            Change::Clear { from } => {
                self.extents.split_off(&from);
                self.cleared_from = Some(self.cleared_from.map_or(from, |cleared| cleared.min(from)));
            }
            Change::Attributes(attributes) => self.attributes = Some(attributes),
            Change::Inline(inline) => {
                let bytes = length(&inline);
                let before = self.inline.replace(inline);
                self.payload_changed(before, bytes);
            }
            Change::Reserved(reserved) => {
                let bytes = length(&reserved);
                let before = self.reserved.replace(reserved);
                self.payload_changed(before, bytes);
            }
            Change::Xattr { name, value } => {
                let bytes = length(&value);
                let before = self.xattrs.insert(name, value);
                self.payload_changed(before, bytes);
            }
            Change::Dentry { hash, name, dentry } => drop(self.dentries.insert((hash, name), dentry)),
            Change::Extent { offset, extent: None } if self.hides_extents_at(offset) => {
                self.extents.remove(&offset);
            }
            Change::Extent { offset, extent } => drop(self.extents.insert(offset, extent)),
        }
        !is_in_journal && !std::mem::replace(&mut self.pending.any, true)
    }

    /// Whether nothing of the layers below counts.
    pub(crate) fn hides_below(&self) -> bool {
        self.is_new || self.is_dropped
    }

    /// Whether the layers below have no extent at an offset that still counts.
    pub(crate) fn hides_extents_at(&self, offset: u64) -> bool {
        self.hides_below() || self.cleared_from.is_some_and(|from| offset >= from)
    }

    pub(crate) fn attributes(&self) -> Found<Attributes> {
        match &self.attributes {
            Some(attributes) => Found::Here(Some((**attributes).clone())),
            None if self.hides_below() => Found::Here(None),
            None => Found::Below,
        }
    }

    pub(crate) fn inline(&self) -> Found<Bytes> {
        self.decide(self.inline.as_ref())
    }

    pub(crate) fn reserved(&self) -> Found<Bytes> {
        self.decide(self.reserved.as_ref())
    }

    pub(crate) fn xattr(&self, name: &[u8]) -> Found<Bytes> {
        self.decide(self.xattrs.get(name))
    }

    pub(crate) fn dentry(&self, key: &DentryKey) -> Found<Dentry> {
        self.decide(self.dentries.get(key))
    }

    fn decide<T: Clone>(&self, record: Option<&Option<T>>) -> Found<T> {
        match record {
            Some(record) => Found::Here(record.clone()),
            None if self.hides_below() => Found::Here(None),
            None => Found::Below,
        }
    }

    fn payload_changed(&mut self, before: Option<Option<Bytes>>, bytes: u64) {
        self.payload_bytes = self.payload_bytes + bytes - before.map_or(0, |before| length(&before));
    }

    /// Shows the blocks that its extents are in.
    pub(crate) fn visit_blocks(&self, visit: &mut dyn FnMut(Name)) {
        let extents = self.extents.values().flatten();
        extents.filter_map(|extent| extent.source.stored_name()).for_each(visit);
    }

    /// What it takes in memory, about; 0 if nothing has changed.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.records() * RECORD_MEMORY_BYTES + self.payload_bytes
    }

    /// Records that differ from the layers below.
    fn records(&self) -> u64 {
        let (attributes, inline) = (self.attributes.is_some(), self.inline.is_some());
        let single = [self.is_dropped, self.cleared_from.is_some(), attributes, inline, self.reserved.is_some()];
        let single = single.into_iter().filter(|differs| *differs).count();
        (single + self.xattrs.len() + self.dentries.len() + self.extents.len()) as u64
    }

    /// Takes what changed since the last commit.
    pub(crate) fn take_pending(&mut self, inode: Inode, changes: &mut Vec<(Inode, Change)>) {
        let pending = std::mem::take(&mut self.pending);
        let mut push = |change| changes.push((inode, change));
        if pending.dropped {
            push(Change::Drop);
        }
        if let Some(from) = pending.cleared_from {
            push(Change::Clear { from });
        }
        if let (true, Some(attributes)) = (pending.attributes, &self.attributes) {
            push(Change::Attributes(attributes.clone()));
        }
        if let (true, Some(inline)) = (pending.inline, &self.inline) {
            push(Change::Inline(inline.clone()));
        }
        if let (true, Some(reserved)) = (pending.reserved, &self.reserved) {
            push(Change::Reserved(reserved.clone()));
        }
        for name in pending.xattrs {
            if let Some(value) = self.xattrs.get(&name) {
                push(Change::Xattr { name, value: value.clone() });
            }
        }
        for key in pending.dentries {
            if let Some(dentry) = self.dentries.get(&key) {
                push(Change::Dentry { hash: key.0, name: key.1, dentry: *dentry });
            }
        }
        for offset in pending.extents {
            push(Change::Extent { offset, extent: self.extents.get(&offset).cloned().flatten() });
        }
    }
}

fn length(value: &Option<Bytes>) -> u64 {
    value.as_ref().map_or(0, |value| value.len() as u64)
}

impl Pending {
    fn note(&mut self, change: &Change) {
        match change {
            Change::Drop => *self = Self { any: self.any, dropped: true, ..Self::default() },
            Change::Clear { from } => {
                self.cleared_from = Some(self.cleared_from.map_or(*from, |cleared| cleared.min(*from)));
                self.extents.split_off(from);
            }
            Change::Attributes(_) => self.attributes = true,
            Change::Inline(_) => self.inline = true,
            Change::Reserved(_) => self.reserved = true,
            Change::Xattr { name, .. } => drop(self.xattrs.insert(name.clone())),
            Change::Dentry { hash, name, .. } => drop(self.dentries.insert((*hash, name.clone()))),
            Change::Extent { offset, .. } => drop(self.extents.insert(*offset)),
        }
    }
}
