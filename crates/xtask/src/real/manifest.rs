//! What a tree held at one time, to hold against what it holds later: every attribute, and a hash of every content.

use super::compare;
use super::differences::Differences;
use super::facts::{Facts, Kind, Likeness};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) struct Manifest {
    root: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
}

struct Entry {
    facts: Facts,
    content: Option<blake3::Hash>,
}

impl Manifest {
    /// Of all that lies below a directory.
    pub(super) fn of(root: &Path) -> Result<Manifest> {
        let mut manifest = Manifest { root: root.to_path_buf(), entries: BTreeMap::new() };
        manifest.add_below(root)?;
        Ok(manifest)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops entries from the manifest.
    pub(super) fn forget(&mut self, is_forgotten: impl Fn(&Path) -> bool) {
        self.entries.retain(|path, _| !is_forgotten(path));
    }

    /// Fails unless all that is in here is the same in `later`; nothing may have been added, either.
    pub(super) fn expect_same(&self, later: &Manifest) -> Result<()> {
        let mut differences = self.differences(later, |_| Likeness::Same);
        for added in later.entries.keys().filter(|path| !self.entries.contains_key(*path)) {
            differences.add(added, "should not be there");
        }
        differences.expect_none(&format!("{} is as it was", self.root.display()))
    }

    /// Fails unless all that is in here is still there, each entry as alike as `likeness` says.
    pub(super) fn expect_kept(&self, later: &Manifest, likeness: impl Fn(&Path) -> Likeness) -> Result<()> {
        let differences = self.differences(later, likeness);
        differences.expect_none(&format!("{} has kept all it had", self.root.display()))
    }

    fn differences(&self, later: &Manifest, likeness: impl Fn(&Path) -> Likeness) -> Differences {
        let mut differences = Differences::default();
        for (path, entry) in &self.entries {
            let Some(later) = later.entries.get(path) else {
                differences.add(path, "missing");
                continue;
            };
            for difference in entry.facts.differences(&later.facts, likeness(path)) {
                differences.add(path, difference);
            }
            if entry.content != later.content {
                differences.add(path, "other content");
            }
        }
        differences
    }

    fn add_below(&mut self, directory: &Path) -> Result<()> {
        for name in compare::names(directory)? {
            let path = directory.join(name);
            let entry = Entry::of(&path)?;
            let kind = entry.facts.kind;
            self.entries.insert(path.clone(), entry);
            if kind == Kind::Directory {
                self.add_below(&path)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn of(path: &Path) -> Result<Entry> {
        let facts = Facts::of(path)?;
        let content = (facts.kind == Kind::File).then(|| hash(path)).transpose()?;
        Ok(Entry { facts, content })
    }
}

fn hash(path: &Path) -> Result<blake3::Hash> {
    let hash = || -> std::io::Result<_> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(path)?)?;
        Ok(hasher.finalize())
    };
    hash().with_context(|| format!("{path:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_tree_that_nobody_touched_is_the_same() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "content").unwrap();
        let before = Manifest::of(tree.path()).unwrap();
        before.expect_same(&Manifest::of(tree.path()).unwrap()).unwrap();
    }

    #[test]
    fn a_file_written_again_is_not_the_same() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), "content").unwrap();
        let before = Manifest::of(tree.path()).unwrap();
        fs::write(tree.path().join("file"), "kontent").unwrap();
        let error = before.expect_same(&Manifest::of(tree.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("other content"), "{error}");
    }

    #[test]
    fn an_added_file_is_allowed_only_where_things_go_on() {
        let tree = tempfile::tempdir().unwrap();
        let before = Manifest::of(tree.path()).unwrap();
        fs::write(tree.path().join("file"), "content").unwrap();
        let after = Manifest::of(tree.path()).unwrap();
        before.expect_kept(&after, |_| Likeness::Survivor).unwrap();
        assert!(before.expect_same(&after).is_err());
    }
}
