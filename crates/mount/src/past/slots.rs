//! Slots: which kept states the kernel knows inodes of, and the upper bits of their node ids.
//!
//! Each entry that was looked up in a `.snapshots` has a slot of its own, even if another entry leads to the same state: so no
//! directory is to be had under two names, which the kernel would have to take for a move. A slot goes when the kernel knows none
//! of its inodes any more, and its number may be used again under another generation.

use crate::place::{Place, SLOT_MAX};
use parking_lot::{Mutex, RwLock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volume::{Inode, KeptId, View};

/// Slots beyond which the kernel is asked to drop those that nobody uses.
const IDLE_SLOTS_MAX: usize = 256;

/// Inodes that a slot remembers.
const KNOWN_INODES_MAX: usize = 64 << 10;

/// A kept state that the kernel knows inodes of.
pub(crate) struct Slot {
    pub(crate) number: u16,
    pub(crate) generation: u64,
    pub(crate) view: View,
    pub(crate) root: KeptId,
    /// Whose `.snapshots` it was looked up in, and by which name.
    pub(crate) entry: SlotEntry,
    /// How often inodes of it were named to the kernel.
    lookups: AtomicU64,
    /// Inodes of it that were named, parents before children, as far as there is room.
    known: Mutex<Known>,
    /// When the entry was last looked up, in [`Table::ticks`].
    used: AtomicU64,
}

/// An entry of a `.snapshots`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotEntry {
    pub(crate) directory: Inode,
    pub(crate) name: Box<[u8]>,
}

/// Inodes in the order in which they were first named.
#[derive(Default)]
struct Known {
    all: HashSet<Inode>,
    in_order: Vec<Inode>,
}

/// All slots of a mount.
#[derive(Default)]
pub(crate) struct Slots {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    /// By number, from 1 on.
    slots: Vec<Option<Arc<Slot>>>,
    free: Vec<u16>,
    by_entry: HashMap<SlotEntry, u16>,
    generations: u64,
    /// Counts what was looked up.
    ticks: AtomicU64,
}

impl Table {
    fn get(&self, number: u16) -> Option<&Arc<Slot>> {
        self.slots.get(number.checked_sub(1)? as usize)?.as_ref()
    }

    fn in_use(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn find(&self, entry: &SlotEntry, root: KeptId) -> Option<Arc<Slot>> {
        let slot = self.get(*self.by_entry.get(entry)?)?;
        (slot.root == root).then(|| slot.clone())
    }

    /// An answer names the top of a slot.
    fn named(&self, slot: &Slot) {
        slot.named(slot.entry.directory);
        slot.used.store(self.ticks.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn free_number(&mut self) -> Option<u16> {
        if let Some(number) = self.free.pop() {
            return Some(number);
        }
        let number = u16::try_from(self.slots.len() + 1).ok().filter(|number| *number <= SLOT_MAX)?;
        self.slots.push(None);
        Some(number)
    }
}

impl Slots {
    /// The slot with a number.
    pub(crate) fn get(&self, number: u16) -> Option<Arc<Slot>> {
        self.table.read().get(number).cloned()
    }

    /// The slot of an entry that leads to a kept root; an answer names its top.
    pub(crate) fn find(&self, entry: &SlotEntry, root: KeptId) -> Option<Arc<Slot>> {
        let table = self.table.read();
        let slot = table.find(entry, root)?;
        table.named(&slot);
        Some(slot)
    }

    /// A new slot, unless somebody made it meanwhile; an answer names its top. `None` if there are no more.
    pub(crate) fn add(&self, entry: SlotEntry, root: KeptId, view: View) -> Option<Arc<Slot>> {
        let mut table = self.table.write();
        let slot = match table.find(&entry, root) {
            Some(slot) => slot,
            None => {
                let number = table.free_number()?;
                table.generations += 1;
                let generation = table.generations;
                let made_from = entry.clone();
                let (lookups, used, known) = Default::default();
                let slot = Arc::new(Slot { number, generation, view, root, entry: made_from, lookups, used, known });
                table.slots[number as usize - 1] = Some(slot.clone());
                table.by_entry.insert(entry, number);
                slot
            }
        };
        table.named(&slot);
        Some(slot)
    }

    /// The kernel drops answers that named inodes of a slot.
    pub(crate) fn forget(&self, number: u16, count: u64) {
        let Some(slot) = self.get(number) else { return };
        if slot.lookups.fetch_sub(count, Ordering::AcqRel) > count {
            return;
        }
        let mut table = self.table.write();
        if slot.lookups.load(Ordering::Acquire) == 0 && table.get(number).is_some_and(|there| Arc::ptr_eq(there, &slot))
        {
            table.slots[number as usize - 1] = None;
            table.free.push(number);
            if table.by_entry.get(&slot.entry) == Some(&number) {
                table.by_entry.remove(&slot.entry);
            }
        }
    }

    /// The kernel knows nothing any more.
    pub(crate) fn clear(&self) {
        drop(std::mem::take(&mut *self.table.write()));
    }

    /// If there are many slots, the one that was looked up longest ago: the kernel should drop it unless somebody uses it. If
    /// somebody does, it is not asked again soon.
    pub(crate) fn one_too_many(&self) -> Option<Arc<Slot>> {
        let table = self.table.read();
        if table.in_use() <= IDLE_SLOTS_MAX {
            return None;
        }
        let slot = table.slots.iter().flatten().min_by_key(|slot| slot.used.load(Ordering::Relaxed))?;
        slot.used.store(table.ticks.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(slot.clone())
    }

    /// The slots of a kept root.
    pub(crate) fn of_root(&self, root: KeptId) -> Vec<Arc<Slot>> {
        let table = self.table.read();
        table.slots.iter().flatten().filter(|slot| slot.root == root).cloned().collect()
    }
}

impl Slot {
    /// An answer names one of its inodes. Whoever calls this holds the table, or the kernel knows another one.
    pub(crate) fn named(&self, inode: Inode) {
        self.lookups.fetch_add(1, Ordering::AcqRel);
        let mut known = self.known.lock();
        if known.in_order.len() < KNOWN_INODES_MAX && known.all.insert(inode) {
            known.in_order.push(inode);
        }
    }

    /// Nodes that the kernel may know, children before parents.
    pub(crate) fn known_nodes(&self) -> Vec<u64> {
        let known = self.known.lock();
        known.in_order.iter().rev().map(|inode| Place::Past { slot: self.number, inode: *inode }.node()).collect()
    }
}
