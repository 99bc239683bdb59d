//! The past of a volume, read-only: in every directory a `.snapshots`, not listed, with an entry for each snapshot and for each
//! moment (`@2026-11-23T10:00`), which leads to that same directory as it was then.
//!
//! The kernel may keep what it saw of a kept state for as long as it likes. Which state an entry of a `.snapshots` leads to can
//! change, so the kernel asks each time it goes through one; it is told when the list of them changed. What the kernel knows inodes
//! of stays kept (`slots`).

mod slots;

use crate::convert::{self, VALID, errno};
use crate::listing::list;
use crate::notifications::Notifications;
use crate::place::Place;
use crate::xattr_name;
use fuse::{
    Attr, CachedAttr, DirectoryBuffer, DirectoryPlusBuffer, Entry, Errno, NameBuffer, Notification, Request,
    ValueBuffer,
};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use slots::{Slot, SlotEntry, Slots};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use volume::{
    AccessListKind, Attributes, Error, Inode, KeptId, KeptRoot, Kind, Snapshot, SnapshotError, View, Volume,
    parse_moment,
};

/// The name that leads into the past, in every directory.
pub(crate) const SNAPSHOTS: &[u8] = b".snapshots";

/// Begins the name of a moment.
const MOMENT: char = '@';

/// Nodes that one notification names.
const PRUNE_NODES_MAX: usize = 256;

/// Cookies of a listing up to this one are for `.` and `..`.
const FIRST_COOKIE: u64 = 2;

/// What the kernel sees of the past.
pub(crate) struct Past {
    volume: Arc<Volume>,
    slots: Slots,
    /// How often the `.snapshots` of each directory was named to the kernel.
    shelves: Mutex<HashMap<Inode, u64>>,
    notifications: Arc<Notifications>,
}

impl Past {
    pub(crate) fn new(volume: Arc<Volume>, notifications: Arc<Notifications>) -> Self {
        Self { volume, slots: Slots::default(), shelves: Mutex::default(), notifications }
    }

    /// Asks the kernel to drop what it knows of a slot and nobody uses. The name goes first; what was in use when that went, and
    /// is not any more, is found by its number (from Linux 6.18 on). What does not fit is left out: the kernel may forget at any time.
    fn suggest(&self, slot: &Slot) {
        let (parent, name) = (Place::Shelf(slot.entry.directory).node(), slot.entry.name.clone());
        let prune = slot.known_nodes();
        let prunes = prune.chunks(PRUNE_NODES_MAX).map(|nodes| Notification::Prune { nodes: nodes.into() });
        self.notifications.offer([Notification::InvalidateEntry { parent, name }].into_iter().chain(prunes));
    }

    /// The `.snapshots` of a directory of the newest state.
    pub(crate) fn shelf(&self, directory: Inode) -> Result<Entry, Errno> {
        let attr = self.shelf_attr(directory)?;
        *self.shelves.lock().entry(directory).or_default() += 1;
        Ok(Entry { node: attr.ino, generation: 1, attr, entry_valid: VALID, attr_valid: Duration::ZERO })
    }

    /// Whoever may list and search the directory may do the same with its past.
    fn shelf_attr(&self, directory: Inode) -> Result<Attr, Errno> {
        let attributes = self.volume.attributes(directory).map_err(errno)?;
        if attributes.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let permissions = attributes.permissions & 0o555;
        let attributes = Attributes { permissions, links: 2, size: 0, ..attributes };
        Ok(Attr { ino: Place::Shelf(directory).node(), ..convert::attr(directory, &attributes) })
    }

    /// What the name of an entry leads to.
    fn resolve(&self, name: &[u8]) -> Result<KeptRoot, Errno> {
        let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        if let Some(moment) = name.strip_prefix(MOMENT) {
            let time = parse_moment(moment, SystemTime::now().into(), &TimeZone::system());
            let root = self.volume.kept_at(time.map_err(|_| Errno::ENOENT)?).map_err(errno)?;
            return root.ok_or(Errno::ENOENT);
        }
        match self.volume.snapshot(name) {
            Ok(snapshot) => Ok(snapshot.root),
            Err(SnapshotError::Volume(error)) => Err(errno(error)),
            Err(_) => Err(Errno::ENOENT),
        }
    }

    fn lookup_moment(&self, directory: Inode, name: &[u8]) -> Result<Entry, Errno> {
        if name == b"." {
            return self.shelf(directory);
        }
        let root = self.resolve(name)?;
        let entry = SlotEntry { directory, name: name.into() };
        let slot = match self.slots.find(&entry, root.id()) {
            Some(slot) => slot,
            None => self.open(entry, &root)?,
        };
        let attributes = slot.view.attributes(directory).map_err(errno)?;
        Ok(Entry { entry_valid: Duration::ZERO, ..past_entry(&slot, directory, &attributes) })
    }

    fn open(&self, entry: SlotEntry, root: &KeptRoot) -> Result<Arc<Slot>, Errno> {
        let view = self.volume.open_kept(root).map_err(errno)?;
        let attributes = view.attributes(entry.directory).map_err(errno)?;
        if attributes.links == 0 {
            return Err(Errno::ENOENT);
        }
        let slot = self.slots.add(entry, root.id(), view).ok_or(Errno::ENFILE)?;
        if let Some(slot) = self.slots.one_too_many() {
            self.suggest(&slot);
        }
        Ok(slot)
    }

    pub(crate) fn lookup(&self, parent: Place, name: &[u8]) -> Result<Entry, Errno> {
        let (slot, directory) = match parent {
            Place::Past { slot, inode } => (self.slot(slot)?, inode),
            Place::Shelf(directory) | Place::Live(directory) => return self.lookup_moment(directory, name),
        };
        match name {
            b"." => return self.handle(&slot, directory),
            b".." if directory == slot.entry.directory => return self.shelf(directory),
            b".." => {
                let parent = slot.view.attributes(directory).map_err(errno)?.parent;
                return self.handle(&slot, Inode(parent));
            }
            _ => {}
        }
        match slot.view.lookup(directory, name) {
            Ok((inode, attributes)) => {
                slot.named(inode);
                Ok(past_entry(&slot, inode, &attributes))
            }
            Err(Error::NotFound) => Ok(Entry::negative(VALID)),
            Err(error) => Err(errno(error)),
        }
    }

    /// `.` and `..` come from file handles (open_by_handle_at(2)): the kernel may know no inode of the state any more.
    fn handle(&self, slot: &Slot, inode: Inode) -> Result<Entry, Errno> {
        let attributes = slot.view.attributes(inode).map_err(errno)?;
        slot.named(inode);
        Ok(past_entry(slot, inode, &attributes))
    }

    fn slot(&self, number: u16) -> Result<Arc<Slot>, Errno> {
        self.slots.get(number).ok_or(Errno::ESTALE)
    }

    /// The state and the inode in it; `refusal` for a `.snapshots`.
    fn inode(&self, place: Place, refusal: Errno) -> Result<(Arc<Slot>, Inode), Errno> {
        match place {
            Place::Past { slot, inode } => Ok((self.slot(slot)?, inode)),
            Place::Shelf(_) | Place::Live(_) => Err(refusal),
        }
    }

    pub(crate) fn forget(&self, place: Place, count: u64) {
        match place {
            Place::Past { slot, .. } => self.slots.forget(slot, count),
            Place::Shelf(directory) => {
                let mut shelves = self.shelves.lock();
                if let Some(known) = shelves.get_mut(&directory) {
                    *known = known.saturating_sub(count);
                    if *known == 0 {
                        shelves.remove(&directory);
                    }
                }
            }
            Place::Live(_) => {}
        }
    }

    /// The kernel knows nothing any more.
    pub(crate) fn destroy(&self) {
        self.slots.clear();
        self.shelves.lock().clear();
    }

    pub(crate) fn getattr(&self, place: Place) -> Result<CachedAttr, Errno> {
        let (slot, inode) = match place {
            Place::Past { slot, inode } => (self.slot(slot)?, inode),
            Place::Shelf(directory) | Place::Live(directory) => {
                return Ok(CachedAttr { attr: self.shelf_attr(directory)?, attr_valid: Duration::ZERO });
            }
        };
        let attributes = slot.view.attributes(inode).map_err(errno)?;
        Ok(CachedAttr { attr: past_attr(&slot, inode, &attributes), attr_valid: VALID })
    }

    pub(crate) fn readlink(&self, place: Place, target: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        let (slot, inode) = self.inode(place, Errno::EINVAL)?;
        target.append(&slot.view.read_link(inode).map_err(errno)?)
    }

    pub(crate) fn read(&self, request: &Request, place: Place, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (slot, inode) = self.inode(place, Errno::EISDIR)?;
        match request.may_wait() {
            Ok(()) => slot.view.read(inode, offset, buffer).map_err(errno),
            Err(later) => slot.view.read_at_hand(inode, offset, buffer).map_err(errno)?.ok_or(later),
        }
    }

    /// Shows a file of a kept state to whoever copies from it.
    pub(crate) fn with_file<R>(
        &self,
        place: Place,
        copy: impl FnOnce(&View, Inode) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let (slot, inode) = self.inode(place, Errno::EISDIR)?;
        copy(&slot.view, inode)
    }

    pub(crate) fn seek(&self, place: Place, offset: u64, what: volume::Seek) -> Result<u64, Errno> {
        let (slot, inode) = self.inode(place, Errno::EISDIR)?;
        slot.view.seek(inode, offset, what).map_err(errno)
    }

    pub(crate) fn getxattr(&self, place: Place, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        if AccessListKind::of_xattr(name).is_none() {
            xattr_name::check(name)?;
        }
        let (slot, inode) = self.inode(place, Errno::ENODATA)?;
        value.append(&slot.view.xattr(inode, name).map_err(errno)?)
    }

    pub(crate) fn listxattr(&self, request: &Request, place: Place, names: &mut NameBuffer<'_>) -> Result<(), Errno> {
        let Place::Past { slot, inode } = place else { return Ok(()) };
        let all = self.slot(slot)?.view.xattr_names(inode).map_err(errno)?;
        let listed = all.iter().filter(|name| xattr_name::is_listed(name, request.uid()));
        listed.into_iter().try_for_each(|name| names.push(name))
    }

    pub(crate) fn readdir(&self, place: Place, cookie: u64, entries: &mut DirectoryBuffer<'_>) -> Result<(), Errno> {
        let (slot, inode) = match place {
            Place::Past { slot, inode } => (self.slot(slot)?, inode),
            Place::Shelf(directory) | Place::Live(directory) => {
                return self.list_shelf(directory, cookie, |ino, cookie, name| {
                    entries.push(ino, cookie, convert::file_kind(Kind::Directory), name)
                });
            }
        };
        list(&slot.view, inode, cookie, |entry| {
            let node = Place::Past { slot: slot.number, inode: entry.inode }.node();
            Ok(entries.push(node, entry.cookie, convert::file_kind(entry.kind), &entry.name))
        })
    }

    pub(crate) fn readdirplus(
        &self,
        place: Place,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<(), Errno> {
        let (slot, inode) = match place {
            Place::Past { slot, inode } => (self.slot(slot)?, inode),
            // Names only: attributes would need every state opened.
            Place::Shelf(directory) | Place::Live(directory) => {
                return self.list_shelf(directory, cookie, |ino, cookie, name| {
                    entries.push_name(ino, cookie, convert::file_kind(Kind::Directory), name)
                });
            }
        };
        list(&slot.view, inode, cookie, |entry| {
            if matches!(&*entry.name, b"." | b"..") {
                let node = Place::Past { slot: slot.number, inode: entry.inode }.node();
                return Ok(entries.push_name(node, entry.cookie, convert::file_kind(entry.kind), &entry.name));
            }
            if !entries.fits(entry.name.len()) {
                return Ok(false);
            }
            let attributes = slot.view.attributes(entry.inode).map_err(errno)?;
            slot.named(entry.inode);
            Ok(entries.push(&past_entry(&slot, entry.inode, &attributes), entry.cookie, &entry.name))
        })
    }

    /// `.`, `..`, and the snapshots that can hold the directory, the oldest first: those taken since it was made. An entry's cookie is
    /// the time of its snapshot.
    fn list_shelf(
        &self,
        directory: Inode,
        cookie: u64,
        mut push: impl FnMut(u64, u64, &[u8]) -> bool,
    ) -> Result<(), Errno> {
        let born = self.volume.attributes(directory).map_err(errno)?.born;
        if cookie < 1 && !push(Place::Shelf(directory).node(), 1, b".") {
            return Ok(());
        }
        if cookie < FIRST_COOKIE && !push(directory.0, FIRST_COOKIE, b"..") {
            return Ok(());
        }
        let from = if cookie > FIRST_COOKIE { born.max(time_behind(cookie)) } else { born };
        let mut snapshots = self.volume.snapshots_since(from).map_err(errno)?.peekable();
        while let Some(snapshot) = snapshots.next() {
            let snapshot = snapshot.map_err(errno)?;
            // A listing that stops between snapshots of one moment goes on at the first of them.
            let repeats = matches!(snapshots.peek(), Some(Ok(next)) if next.taken == snapshot.taken) as u64;
            let cookie = cookie_of(&snapshot) - repeats;
            if !push(unopened(directory), cookie, snapshot.name.as_bytes()) {
                break;
            }
        }
        Ok(())
    }
}

/// What a listing gives for the number of an inode whose state nobody opened: not 0, which some programs take for a removed entry.
fn unopened(directory: Inode) -> u64 {
    directory.0
}

/// Nanoseconds since 1970: more than [`FIRST_COOKIE`], and a positive `off_t` until 2262.
fn cookie_of(snapshot: &Snapshot) -> u64 {
    let nanoseconds = snapshot.taken.seconds.max(1) as u64 * 1_000_000_000 + snapshot.taken.nanoseconds as u64;
    nanoseconds.min(i64::MAX as u64)
}

/// The first time whose cookie is higher.
fn time_behind(cookie: u64) -> volume::Timestamp {
    let next = cookie + 1;
    volume::Timestamp { seconds: (next / 1_000_000_000) as i64, nanoseconds: (next % 1_000_000_000) as u32 }
}

fn past_attr(slot: &Slot, inode: Inode, attributes: &Attributes) -> Attr {
    Attr { ino: Place::Past { slot: slot.number, inode }.node(), ..convert::attr(inode, attributes) }
}

fn past_entry(slot: &Slot, inode: Inode, attributes: &Attributes) -> Entry {
    let attr = past_attr(slot, inode, attributes);
    Entry { node: attr.ino, generation: slot.generation, attr, entry_valid: VALID, attr_valid: VALID }
}

impl Past {
    /// Returns when the kernel has dropped its copies of the lists.
    pub(crate) fn drop_lists(&self) {
        let shelves: Vec<_> = self.shelves.lock().keys().copied().collect();
        let node = |directory| Place::Shelf(directory).node();
        let drop_list = |directory| Notification::InvalidateInode { node: node(directory), offset: 0, length: 0 };
        self.notifications.tell(shelves.into_iter().map(drop_list));
    }

    pub(crate) fn drop_unused_views(&self, root: KeptId) {
        self.slots.of_root(root).iter().for_each(|slot| self.suggest(slot));
    }
}
