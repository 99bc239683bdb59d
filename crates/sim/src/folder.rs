//! The names on the simulated disk. A name's durability is apart from that of the file's content.

use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// Which file a name stands for.
pub(crate) type FileNumber = usize;

/// A change of names that no sync of its folder has covered.
#[derive(Clone, Debug)]
enum Change {
    Link { path: String, file: FileNumber },
    Folder { path: String },
    Unlink { path: String },
    Rename { from: String, to: String, file: FileNumber },
}

/// All names of a disk, twice.
#[derive(Clone, Default)]
pub(crate) struct Names {
    live: BTreeMap<String, FileNumber>,
    durable: BTreeMap<String, FileNumber>,
    folders: BTreeSet<String>,
    durable_folders: BTreeSet<String>,
    unsynced: Vec<Change>,
}

impl Names {
    /// The file with this name.
    pub(crate) fn get(&self, path: &str) -> Option<FileNumber> {
        self.live.get(path).copied()
    }

    /// The files that have a name.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileNumber> + '_ {
        self.live.values().copied()
    }

    /// The names in a folder, those of folders in it included.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let inside = self.live.keys().chain(&self.folders).filter_map(|path| rest_of(path, folder));
        let names: BTreeSet<&str> = inside.filter_map(|rest| rest.split('/').next()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Whether a folder is there. The topmost one always is.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        path.is_empty() || self.folders.contains(path)
    }

    /// Whether the folder is there in which a path lies.
    pub(crate) fn has_folder_of(&self, path: &str) -> bool {
        self.has_folder(folder_of(path))
    }

    /// Makes a folder, if it is not there.
    pub(crate) fn make_folder(&mut self, path: &str) {
        if !self.has_folder(path) {
            self.change(Change::Folder { path: path.to_owned() });
        }
    }

    /// Gives a file a name.
    pub(crate) fn link(&mut self, path: &str, file: FileNumber) {
        self.change(Change::Link { path: path.to_owned(), file });
    }

    /// Takes a name away.
    pub(crate) fn unlink(&mut self, path: &str) {
        self.change(Change::Unlink { path: path.to_owned() });
    }

    /// Moves a file to another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str, file: FileNumber) {
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
    }

    /// Makes the changes of names in a folder durable.
    pub(crate) fn sync(&mut self, folder: &str) {
        let (synced, rest) = std::mem::take(&mut self.unsynced).into_iter().partition(|change| change.is_in(folder));
        self.unsynced = rest;
        let synced: Vec<Change> = synced;
        synced.iter().for_each(|change| change.apply(&mut self.durable, &mut self.durable_folders));
    }

    /// The names after a loss of power: the durable ones, and so many of 100 of the unsynced changes. What lies in a folder that is
    /// lost is lost with it.
    pub(crate) fn after_crash(&self, random: &mut Random, survive_percent: u64) -> Self {
        let (mut names, mut folders) = (self.durable.clone(), self.durable_folders.clone());
        let survivors = self.unsynced.iter().filter(|_| random.percent(survive_percent));
        survivors.for_each(|change| change.apply(&mut names, &mut folders));
        names.retain(|path, _| folder_of(path).is_empty() || folders.contains(folder_of(path)));
        let (durable, durable_folders) = (names.clone(), folders.clone());
        Self { live: names, durable, folders, durable_folders, unsynced: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live, &mut self.folders);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, FileNumber>, folders: &mut BTreeSet<String>) {
        match self {
            Self::Folder { path } => {
                folders.insert(path.clone());
            }
            Self::Link { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Unlink { path } => {
                names.remove(path);
            }
            Self::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }

    fn is_in(&self, folder: &str) -> bool {
        match self {
            Self::Link { path, .. } | Self::Folder { path } | Self::Unlink { path } => folder_of(path) == folder,
            Self::Rename { from, to, .. } => folder_of(from) == folder || folder_of(to) == folder,
        }
    }
}

/// A path as it reads from a folder above it.
fn rest_of<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_that_no_sync_covered_may_be_lost_but_never_half_done() {
        let mut names = Names::default();
        names.link("new", 1);
        names.link("old", 2);
        names.sync("");
        names.rename("new", "old", 1);
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..32 {
            let names = names.after_crash(&mut Random::new(seed), 50);
            outcomes.insert((names.get("new"), names.get("old")));
        }
        assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), [(None, Some(1)), (Some(1), Some(2))]);
    }

    #[test]
    fn a_folder_lists_its_files_and_its_folders_once() {
        let mut names = Names::default();
        ["a", "folder/b", "folder/c", "folder/deep/d", "folders"].iter().for_each(|path| names.link(path, 1));
        assert_eq!(names.list(""), ["a", "folder", "folders"]);
        assert_eq!(names.list("folder"), ["b", "c", "deep"]);
    }

    #[test]
    fn syncing_a_folder_leaves_the_names_in_another_undecided() {
        let mut names = Names::default();
        names.link("folder/b", 2);
        names.sync("folder");
        assert_eq!(names.after_crash(&mut Random::new(1), 0).get("folder/b"), None, "the folder itself is undecided");
        names.make_folder("folder");
        names.sync("");
        names.link("a", 1);
        let names = names.after_crash(&mut Random::new(1), 0);
        assert_eq!((names.get("a"), names.get("folder/b")), (None, Some(2)));
    }
}
