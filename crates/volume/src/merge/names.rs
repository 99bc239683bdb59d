//! Which names each object has in the merged state.

use super::known::Known;
use super::objects::{Names, Object, Objects, Spot, Versions};
use super::plan::{ConflictKind, Told};
use crate::{Inode, Kind, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The names that objects have, of those that somebody changed.
pub(super) struct Naming<'a, 'b> {
    objects: &'a Objects<'b>,
    known: &'a dyn Known,
    kinds: HashMap<Object, Kind>,
    names: BTreeMap<Object, Names>,
    pub(super) merged: BTreeMap<Object, BTreeSet<Spot>>,
    pub(super) told: Vec<Told>,
}

impl<'a, 'b> Naming<'a, 'b> {
    /// Each object by itself, then what several have to do with each other.
    pub(super) fn new(objects: &'a Objects<'b>, known: &'a dyn Known) -> Result<Self> {
        let mut names: BTreeMap<Object, Names> = BTreeMap::new();
        for (spot, holders) in objects.spots() {
            if let Some(object) = holders.base {
                names.entry(object).or_default().base.insert(spot.clone());
            }
            if let Some(object) = holders.ours {
                names.entry(object).or_default().ours.insert(spot.clone());
            }
            if let Some(object) = holders.theirs {
                names.entry(object).or_default().theirs.insert(spot);
            }
        }
        let (kinds, merged) = (objects.kinds(), BTreeMap::new());
        let mut naming = Self { objects, known, kinds, names, merged, told: Vec::new() };
        let all: Vec<_> = naming.names.keys().copied().collect();
        for object in all {
            let merged = naming.of_one(object)?;
            naming.merged.insert(object, merged);
        }
        naming.keep_directories_in_use();
        naming.break_cycles()?;
        Ok(naming)
    }

    pub(super) fn is_directory(&self, object: Object) -> bool {
        self.kinds.get(&object) == Some(&Kind::Directory)
    }

    /// The names of an object, whatever the others have.
    fn of_one(&mut self, object: Object) -> Result<BTreeSet<Spot>> {
        let names = self.names[&object].clone();
        let versions = self.objects.versions(object);
        // A sync with a third place may have put another inode there that is the same to a user.
        let replaced = |now| versions.base.filter(|base| *base != now);
        Ok(match (versions.ours, versions.theirs) {
            (None, None) => BTreeSet::new(),
            (Some(_), Some(_)) => self.of_both(object, names),
            (None, Some(theirs)) => {
                let is_left = replaced(theirs).map_or(Ok(false), |base| self.known.have_they_left(base, theirs))?;
                let has_changed = self.objects.have_they_written(&versions) && !is_left;
                self.of_survivor(object, &versions, &names.base, names.theirs, has_changed)
            }
            (Some(ours), None) => {
                let is_left = replaced(ours).map_or(Ok(false), |base| self.known.have_we_left(base, ours))?;
                let has_changed = self.objects.have_we_written(&versions) && !is_left;
                self.of_survivor(object, &versions, &names.base, names.ours, has_changed)
            }
        })
    }

    /// What both have.
    fn of_both(&mut self, object: Object, names: Names) -> BTreeSet<Spot> {
        let Names { base, ours, theirs } = names;
        let gone = base.iter().filter(|spot| !ours.contains(*spot) && !theirs.contains(*spot)).count();
        let by_us: Vec<_> = ours.difference(&base).filter(|spot| !theirs.contains(*spot)).collect();
        let by_them: Vec<_> = theirs.difference(&base).filter(|spot| !ours.contains(*spot)).cloned().collect();
        // Both moved the same name: ours counts.
        let moved_twice = gone.min(by_us.len()).min(by_them.len());
        let mut merged: BTreeSet<_> = ours.intersection(&theirs).cloned().collect();
        merged.extend(by_us.iter().map(|spot| (*spot).clone()));
        merged.extend(by_them.iter().skip(moved_twice).cloned());
        if moved_twice > 0 {
            self.told.push(Told::new(ConflictKind::BothMoved, by_us[0].clone(), Some(by_them[0].clone())));
        }
        if self.is_directory(object) && merged.len() > 1 {
            merged = if ours == base { theirs } else { ours };
        } else if merged.is_empty() && self.objects.links_in_base(object) <= base.len() {
            // Each took a name away and left another one.
            merged = if ours.is_empty() { theirs } else { ours };
        }
        merged
    }

    /// What one side has: new there, or deleted by the other.
    fn of_survivor(
        &mut self,
        object: Object,
        versions: &Versions,
        base: &BTreeSet<Spot>,
        names: BTreeSet<Spot>,
        has_changed: bool,
    ) -> BTreeSet<Spot> {
        if versions.base.is_none() {
            return names;
        }
        if self.is_directory(object) {
            return BTreeSet::new();
        }
        let kind = if has_changed { ConflictKind::ChangedAndDeleted } else { ConflictKind::MovedAndDeleted };
        let kept = if has_changed { names } else { names.difference(base).cloned().collect() };
        if let Some(spot) = kept.first() {
            self.told.push(Told::new(kind, spot.clone(), None));
        }
        kept
    }

    /// A directory that was deleted on one side stays if something is in it.
    fn keep_directories_in_use(&mut self) {
        let mut waiting: Vec<Object> = self.merged.values().flatten().map(|spot| spot.0).collect();
        while let Some(directory) = waiting.pop() {
            let is_lost = self.merged.get(&directory).is_some_and(BTreeSet::is_empty);
            if !is_lost {
                continue;
            }
            let names = &self.names[&directory];
            let is_ours = self.objects.versions(directory).ours.is_some();
            let kept = if is_ours { names.ours.clone() } else { names.theirs.clone() };
            if let Some(spot) = kept.first() {
                self.told.push(Told::new(ConflictKind::DirectoryInUse, spot.clone(), None));
            }
            waiting.extend(kept.iter().map(|spot| spot.0));
            self.merged.insert(directory, kept);
        }
    }

    /// Directories that the two sides moved below each other: what they moved goes back.
    fn break_cycles(&mut self) -> Result<()> {
        let moved_by_them: Vec<_> = self
            .merged
            .iter()
            .filter(|(object, spots)| self.is_directory(**object) && !spots.is_empty())
            .filter(|(object, spots)| self.names[*object].ours != **spots && !self.names[*object].ours.is_empty())
            .map(|(object, _)| *object)
            .collect();
        for directory in moved_by_them {
            if !self.is_below_itself(directory)? {
                continue;
            }
            let (ours, theirs) = (self.names[&directory].ours.clone(), self.merged[&directory].clone());
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                self.told.push(Told::new(ConflictKind::CrossingMoves, ours.clone(), Some(theirs.clone())));
            }
            self.merged.insert(directory, ours);
            self.keep_directories_in_use();
        }
        Ok(())
    }

    fn is_below_itself(&self, directory: Object) -> Result<bool> {
        let mut seen = BTreeSet::new();
        let mut at = directory;
        while at != Object::Ours(Inode::ROOT) {
            if !seen.insert(at) {
                return Ok(at == directory || seen.contains(&directory));
            }
            at = match self.merged.get(&at).and_then(BTreeSet::first) {
                Some(spot) => spot.0,
                None => self.parent_on_our_side(at)?,
            };
        }
        Ok(false)
    }

    /// Nobody moved the directory.
    fn parent_on_our_side(&self, directory: Object) -> Result<Object> {
        match self.objects.versions(directory).ours {
            Some(inode) => Ok(self.objects.of_ours(self.known.parent(inode)?)),
            None => Ok(Object::Ours(Inode::ROOT)),
        }
    }
}
