//! The core: what both sides changed goes in, what is to be done to ours comes out. No I/O beside questions to [`Known`].

use super::changes::{Changes, Pair, Place};
use super::known::Known;
use super::names::Naming;
use super::objects::{Holders, Object, Objects, Spot, Versions};
use crate::{Attributes, Inode, Result, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What could not simply be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Both changed the content: theirs has the other name.
    BothWrote,
    /// Both gave a name to different things: theirs has the other name, or, if only theirs is a directory, ours.
    SameName,
    /// Both moved it: it is where ours moved it; theirs moved it to the other name.
    BothMoved,
    /// One moved a directory below one that the other moved below it: it is where ours has it; theirs moved it to the other name.
    CrossingMoves,
    /// One changed the content of what the other deleted: it stays.
    ChangedAndDeleted,
    /// One moved, or linked, what the other deleted: it stays at the new name.
    MovedAndDeleted,
    /// One deleted a directory in which the other put something: it stays, with that.
    DirectoryInUse,
    /// Both changed owner, permissions, flags or an extended attribute to different values: ours counts.
    Attributes,
}

/// A conflict and where it is in the merged state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What happened.
    pub kind: ConflictKind,
    /// The path.
    pub path: Vec<u8>,
    /// The path of the other version, or the one that was not taken.
    pub other: Option<Vec<u8>>,
}

/// A conflict by places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: ConflictKind,
    pub(super) spot: Spot,
    pub(super) other: Option<Spot>,
}

impl Told {
    pub(super) fn new(kind: ConflictKind, spot: Spot, other: Option<Spot>) -> Self {
        Self { kind, spot, other }
    }
}

/// What becomes of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It goes from ours.
    Drop { ours: Inode },
    /// Theirs comes, as a new inode.
    Take { object: Object, theirs: Inode },
    /// Theirs comes in the place of ours, with what ours changed beside the content.
    Replace { object: Object, ours: Inode, theirs: Inode },
    /// The content of ours becomes theirs.
    Write { ours: Inode, theirs: Inode },
    /// Ours gets attributes.
    SetAttributes { object: Object, attributes: Attributes },
    /// Ours gets the extended attributes of theirs that are named.
    SetXattrs { object: Object, theirs: Inode, names: Vec<Box<[u8]>> },
}

/// What is to be done to ours.
pub(super) struct Plan<'a> {
    pub(super) objects: Objects<'a>,
    pub(super) actions: Vec<Action>,
    /// The names that somebody changed: what ours has there, and what is to be there.
    pub(super) names: BTreeMap<Spot, (Option<Object>, Option<Object>)>,
    pub(super) told: Vec<Told>,
}

/// Decides what becomes of everything that somebody changed.
pub(super) fn plan<'a>(
    our_changes: &'a Changes,
    their_changes: &'a Changes,
    known: &dyn Known,
    label: &str,
) -> Result<Plan<'a>> {
    let label = &*clean(label);
    let mut objects = Objects::new(our_changes, their_changes);
    let (mut names, told) = loop {
        let mut naming = Naming::new(&objects, known)?;
        let mut placing = Placing { objects: &objects, known, label, joins: Vec::new(), taken: BTreeMap::new() };
        placing.place(&mut naming)?;
        let Placing { joins, taken, .. } = placing;
        if joins.is_empty() {
            break (taken, naming.told);
        }
        joins.into_iter().for_each(|(theirs, object)| objects.join(theirs, object));
    };
    let mut fates = Fates { objects: &objects, known, label, actions: Vec::new(), told };
    fates.decide(&mut names)?;
    let Fates { actions, told, .. } = fates;
    let spots = objects.spots();
    let all: BTreeSet<Spot> = spots.keys().chain(names.keys()).cloned().collect();
    let held = |spot: &Spot| spots.get(spot).and_then(|holders: &Holders| holders.ours);
    let names = all.into_iter().map(|spot| (spot.clone(), (held(&spot), names.get(&spot).copied()))).collect();
    Ok(Plan { objects, actions, names, told })
}

/// Gives each name to one object.
struct Placing<'a, 'b> {
    objects: &'a Objects<'b>,
    known: &'a dyn Known,
    label: &'a str,
    /// What they made and is the same as something of ours.
    joins: Vec<(Inode, Object)>,
    taken: BTreeMap<Spot, Object>,
}

impl Placing<'_, '_> {
    fn place(&mut self, naming: &mut Naming<'_, '_>) -> Result<()> {
        let mut wanted: BTreeMap<Spot, Vec<Object>> = BTreeMap::new();
        for (object, spots) in &naming.merged {
            spots.iter().for_each(|spot| wanted.entry(spot.clone()).or_default().push(*object));
        }
        let mut displaced = Vec::new();
        for (spot, mut claimants) in wanted {
            let is_ours = |object: &Object| self.objects.versions(*object).ours.is_some();
            claimants.sort_by_key(|object| (!naming.is_directory(*object), !is_ours(object), *object));
            let keeper = claimants[0];
            self.taken.insert(spot.clone(), keeper);
            for other in claimants.into_iter().skip(1) {
                if !self.join(naming, keeper, other)? {
                    displaced.push((spot.clone(), other));
                }
            }
        }
        if !self.joins.is_empty() {
            return Ok(());
        }
        for (spot, object) in displaced {
            let free = free_spot(self.objects, self.known, &self.taken, &spot, self.label)?;
            naming.told.push(Told::new(ConflictKind::SameName, spot, Some(free.clone())));
            self.taken.insert(free, object);
        }
        Ok(())
    }

    /// Notes that two objects are the same: directories, or files with the same content.
    fn join(&mut self, naming: &Naming<'_, '_>, keeper: Object, other: Object) -> Result<bool> {
        let Object::Theirs(theirs) = other else { return Ok(false) };
        let versions = self.objects.versions(keeper);
        let (Some(ours), true) = (versions.ours, versions.theirs.is_none()) else { return Ok(false) };
        let is_taken = self.joins.iter().any(|(inode, object)| *inode == theirs || *object == keeper);
        let are_directories = naming.is_directory(keeper) && naming.is_directory(Object::Theirs(theirs));
        let is_same = !is_taken && (are_directories || self.known.is_same(ours, theirs)?);
        if is_same {
            self.joins.push((theirs, keeper));
        }
        // The next round finds out about one whose counterpart is joined already.
        Ok(is_same || is_taken && are_directories)
    }
}

/// A place beside another one that nobody has.
fn free_spot(
    objects: &Objects<'_>,
    known: &dyn Known,
    taken: &BTreeMap<Spot, Object>,
    spot: &Spot,
    label: &str,
) -> Result<Spot> {
    let versions = objects.versions(spot.0);
    for number in 1u32.. {
        let name = conflict_name(&spot.1, label, number);
        let candidate = (spot.0, name);
        let name = &candidate.1;
        let is_taken = taken.contains_key(&candidate)
            || versions.ours.map_or(Ok(false), |directory| known.is_taken_by_us(directory, name))?
            || versions.theirs.map_or(Ok(false), |directory| known.is_taken_by_them(directory, name))?;
        if !is_taken {
            return Ok(candidate);
        }
    }
    unreachable!("there are more numbers than names in a directory")
}

/// `report.txt` becomes `report (conflict LABEL).txt`, and with a number if that is taken. What is too long is cut before that.
pub(super) fn conflict_name(name: &[u8], label: &str, number: u32) -> Box<[u8]> {
    let dot =
        name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let number = if number == 1 { String::new() } else { format!(" {number}") };
    let mark = format!(" (conflict {label}{number})");
    let room = crate::limits::NAME_BYTES_MAX - mark.len() - extension.len();
    let mut length = stem.len().min(room);
    // No character of UTF-8 is cut in two.
    while length < stem.len() && length > 0 && stem[length] & 0xc0 == 0x80 {
        length -= 1;
    }
    [&stem[..length], mark.as_bytes(), extension].concat().into()
}

/// A label as it can be in a name.
fn clean(label: &str) -> String {
    label.chars().take(LABEL_CHARACTERS_MAX).map(|it| if matches!(it, '/' | '\0') { '-' } else { it }).collect()
}

/// Of up to four bytes each, they leave room for a part of the name.
const LABEL_CHARACTERS_MAX: usize = 48;

/// What counts as the end of a name that programs go by, with its dot.
const EXTENSION_BYTES_MAX: usize = 16;

/// Decides what becomes of inodes.
struct Fates<'a, 'b> {
    objects: &'a Objects<'b>,
    known: &'a dyn Known,
    label: &'a str,
    actions: Vec<Action>,
    told: Vec<Told>,
}

impl Fates<'_, '_> {
    fn decide(&mut self, names: &mut BTreeMap<Spot, Object>) -> Result<()> {
        let spots = self.objects.spots();
        let named = spots.values().flat_map(|holders| [holders.base, holders.ours, holders.theirs]).flatten();
        let ours = self.objects.our_changes.inodes.keys().map(|inode| self.objects.of_ours(*inode));
        let theirs = self.objects.their_changes.inodes.keys().map(|inode| self.objects.of_theirs(*inode));
        let all: BTreeSet<Object> = named.chain(ours).chain(theirs).collect();
        let mut counts: BTreeMap<Object, isize> = BTreeMap::new();
        names.values().for_each(|object| *counts.entry(*object).or_default() += 1);
        for holders in spots.values() {
            holders.base.iter().for_each(|object| *counts.entry(*object).or_default() -= 1);
        }
        for object in all {
            let links = self.objects.links_in_base(object) as isize;
            let change = counts.get(&object).copied().unwrap_or(0);
            let versions = self.objects.versions(object);
            let is_there = versions.base.map_or(0, |_| links) + change > 0 || object == Object::Ours(Inode::ROOT);
            self.decide_one(object, &versions, is_there, names)?;
        }
        Ok(())
    }

    fn decide_one(
        &mut self,
        object: Object,
        versions: &Versions,
        is_there: bool,
        names: &mut BTreeMap<Spot, Object>,
    ) -> Result<()> {
        match (versions.ours, versions.theirs) {
            (Some(ours), _) if !is_there => self.actions.push(Action::Drop { ours }),
            (None, Some(theirs)) if is_there => self.actions.push(Action::Take { object, theirs }),
            (Some(ours), Some(theirs)) => self.join(object, versions, ours, theirs, names)?,
            _ => {}
        }
        Ok(())
    }

    /// An object that both have.
    fn join(
        &mut self,
        object: Object,
        versions: &Versions,
        ours: Inode,
        theirs: Inode,
        names: &mut BTreeMap<Spot, Object>,
    ) -> Result<()> {
        let Some(base) = versions.base else { return Ok(()) };
        let by_us = self.objects.have_we_written(versions);
        let by_them = self.objects.have_they_written(versions);
        let is_conflict = by_us && by_them && !self.known.is_same(ours, theirs)?;
        if is_conflict {
            self.copy(object, ours, theirs, names)?;
        }
        if by_them && !by_us {
            self.actions.push(match theirs == base {
                true => Action::Write { ours, theirs },
                false => Action::Replace { object, ours, theirs },
            });
        }
        let is_replaced = by_them && !by_us && theirs != base;
        self.join_attributes(object, base, ours, theirs, by_us, by_them, names);
        if theirs == base && !is_replaced {
            self.join_xattrs(object, ours, theirs, names);
        }
        Ok(())
    }

    /// Both wrote: theirs goes beside ours.
    fn copy(&mut self, object: Object, ours: Inode, theirs: Inode, names: &mut BTreeMap<Spot, Object>) -> Result<()> {
        let Some(spot) = self.spot_of(object, ours, names)? else { return Ok(()) };
        let free = free_spot(self.objects, self.known, names, &spot, self.label)?;
        names.insert(free.clone(), Object::Copy(theirs));
        self.actions.push(Action::Take { object: Object::Copy(theirs), theirs });
        self.told.push(Told::new(ConflictKind::BothWrote, spot, Some(free)));
        Ok(())
    }

    fn spot_of(&self, object: Object, ours: Inode, names: &BTreeMap<Spot, Object>) -> Result<Option<Spot>> {
        if let Some((spot, _)) = names.iter().find(|(_, holder)| **holder == object) {
            return Ok(Some(spot.clone()));
        }
        let place: Option<Place> = self.known.place(ours)?;
        Ok(place.map(|(directory, name)| (self.objects.of_ours(directory), name)))
    }

    #[allow(clippy::too_many_arguments, reason = "one object's versions, and who wrote them")]
    fn join_attributes(
        &mut self,
        object: Object,
        base: Inode,
        ours: Inode,
        theirs: Inode,
        by_us: bool,
        by_them: bool,
        names: &BTreeMap<Spot, Object>,
    ) {
        let (changed_by_us, changed_by_them) = (&self.objects.our_changes.inodes, &self.objects.their_changes.inodes);
        let Some(theirs_now) = changed_by_them.get(&theirs).and_then(|touched| touched.attributes.after.as_ref())
        else {
            return;
        };
        let before = |side: &Changes| side.inodes.get(&base)?.attributes.before.clone();
        let Some(base_then) = before(self.objects.their_changes).or_else(|| before(self.objects.our_changes)) else {
            return;
        };
        let ours_now = changed_by_us.get(&ours).and_then(|touched| touched.attributes.after.clone());
        let ours_now = ours_now.unwrap_or_else(|| base_then.clone());
        let access_by = |side: &Changes, inode| {
            side.inodes.get(&inode).is_some_and(|touched| touched.xattrs.contains_key(ACCESS_LIST))
        };
        let access = (access_by(self.objects.our_changes, ours), access_by(self.objects.their_changes, theirs));
        let (mut merged, is_conflict) = three_way(&base_then, &ours_now, theirs_now, access);
        if by_them && !by_us {
            (merged.size, merged.allocated_bytes) = (theirs_now.size, theirs_now.allocated_bytes);
            (merged.modified, merged.born) = (theirs_now.modified, theirs_now.born);
        } else if by_us {
            merged.modified = ours_now.modified;
        }
        if is_conflict && let Ok(Some(spot)) = self.spot_of(object, ours, names) {
            self.told.push(Told::new(ConflictKind::Attributes, spot, None));
        }
        if merged != ours_now || by_them && !by_us {
            self.actions.push(Action::SetAttributes { object, attributes: merged });
        }
    }

    fn join_xattrs(&mut self, object: Object, ours: Inode, theirs: Inode, names: &BTreeMap<Spot, Object>) {
        let Some(touched) = self.objects.their_changes.inodes.get(&theirs) else { return };
        let by_us = self.objects.our_changes.inodes.get(&ours).map(|touched| &touched.xattrs);
        let (mut wanted, mut differ) = (Vec::new(), false);
        for (name, value) in &touched.xattrs {
            match by_us.and_then(|xattrs| xattrs.get(name)) {
                Some(our_value) => differ |= our_value != value,
                None if **name == *ACCESS_LIST && self.has_our_access(ours) => differ = true,
                None => wanted.push(name.clone()),
            }
        }
        if differ && let Ok(Some(spot)) = self.spot_of(object, ours, names) {
            self.told.push(Told::new(ConflictKind::Attributes, spot, None));
        }
        if !wanted.is_empty() {
            self.actions.push(Action::SetXattrs { object, theirs, names: wanted });
        }
    }

    /// Whether ours changed who may do what: the mode and the access list go together.
    fn has_our_access(&self, ours: Inode) -> bool {
        let Some(touched) = self.objects.our_changes.inodes.get(&ours) else { return false };
        let Pair { before, after } = &touched.attributes;
        let permissions = |attributes: &Option<Attributes>| attributes.as_ref().map(|it| it.permissions);
        touched.xattrs.contains_key(ACCESS_LIST) || permissions(before) != permissions(after)
    }
}

/// The extended attribute that goes with the mode.
const ACCESS_LIST: &[u8] = b"system.posix_acl_access";

/// Each attribute from who changed it; ours if both did. Whether both did, to different values.
fn three_way(
    base: &Attributes,
    ours: &Attributes,
    theirs: &Attributes,
    (our_access, their_access): (bool, bool),
) -> (Attributes, bool) {
    let mut is_conflict = false;
    let mut merged = ours.clone();
    let access_is_ours = our_access || base.permissions != ours.permissions;
    let access_is_theirs = their_access || base.permissions != theirs.permissions;
    if access_is_theirs && !access_is_ours {
        merged.permissions = theirs.permissions;
    }
    is_conflict |= access_is_ours && access_is_theirs && ours.permissions != theirs.permissions;
    is_conflict |= choose(&mut merged.uid, base.uid, theirs.uid);
    is_conflict |= choose(&mut merged.gid, base.gid, theirs.gid);
    is_conflict |= choose(&mut merged.flags, base.flags, theirs.flags);
    merged.accessed = latest(base.accessed, ours.accessed, theirs.accessed);
    merged.modified = latest(base.modified, ours.modified, theirs.modified);
    merged.changed = latest(base.changed, ours.changed, theirs.changed);
    (merged, is_conflict)
}

/// Takes theirs if ours is that of the base. Whether both differ from it and from each other.
fn choose<T: PartialEq>(ours: &mut T, base: T, theirs: T) -> bool {
    if *ours == base {
        *ours = theirs;
        return false;
    }
    theirs != base && *ours != theirs
}

/// The time of who changed it; the later one if both did. It may have been set back.
fn latest(base: Timestamp, ours: Timestamp, theirs: Timestamp) -> Timestamp {
    match (ours == base, theirs == base) {
        (true, _) => theirs,
        (_, true) => ours,
        _ => ours.max(theirs),
    }
}
