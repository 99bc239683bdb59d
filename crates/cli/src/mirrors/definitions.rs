//! Names for places: the file `mirrors.json` of a store. Nothing that a sync depends on.

use super::place::Place;
use crate::record_file::RecordFile;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE: RecordFile = RecordFile { name: "mirrors.json", version: 1, advice: "remove it and add them again" };

/// A place under a name. The field names are those of `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The volume's name at its source, as it was when the mirror was added.
    pub(crate) volume: String,
    /// The volume's identity.
    pub(crate) identity: String,
    pub(crate) place: String,
    pub(crate) direction: Direction,
    /// How often the node syncs it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every_seconds: Option<u64>,
}

/// Where the replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// At the place.
    Push,
    /// In this store.
    Pull,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    mirrors: BTreeMap<String, Definition>,
}

/// The mirrors of a store.
pub(crate) struct Definitions {
    store: PathBuf,
    mirrors: BTreeMap<String, Definition>,
}

impl Definition {
    pub(crate) fn place(&self) -> Result<Place> {
        Place::parse(&self.place)
    }
}

impl Definitions {
    /// Those of a store; none if it has none.
    pub(crate) fn read(store: &Path) -> Result<Self> {
        let Content { mirrors } = FILE.read(store)?.unwrap_or_default();
        Ok(Self { store: store.to_owned(), mirrors })
    }

    /// All, by name.
    pub(crate) fn all(&self) -> &BTreeMap<String, Definition> {
        &self.mirrors
    }

    /// Those with these names; all if none is named.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<(String, Definition)>> {
        ensure!(!self.mirrors.is_empty(), self.has_none());
        let find = |name: &String| match self.mirrors.get(name) {
            Some(definition) => Ok((name.clone(), definition.clone())),
            None => bail!(self.has_no(name)),
        };
        match names.is_empty() {
            true => Ok(self.mirrors.iter().map(|(name, definition)| (name.clone(), definition.clone())).collect()),
            false => names.iter().map(find).collect(),
        }
    }

    /// Refuses a name that is taken.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        ensure!(
            !self.mirrors.contains_key(name),
            "there is a mirror {name} already; give another --name, or remove that one"
        );
        Ok(())
    }

    /// Adds a mirror under a name that is free.
    pub(crate) fn add(&mut self, name: &str, definition: Definition) -> Result<()> {
        self.mirrors.insert(name.to_owned(), definition);
        self.write()
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Result<&Definition> {
        self.mirrors.get(name).with_context(|| self.has_no(name))
    }

    /// Sets how often the node syncs a mirror by itself.
    pub(crate) fn set_every(&mut self, name: &str, every_seconds: Option<u64>) -> Result<()> {
        let unknown = self.has_no(name);
        self.mirrors.get_mut(name).context(unknown)?.every_seconds = every_seconds;
        self.write()
    }

    /// Forgets a mirror.
    pub(crate) fn remove(&mut self, name: &str) -> Result<Definition> {
        let removed = self.mirrors.remove(name);
        let removed = removed.with_context(|| self.has_no(name))?;
        self.write()?;
        Ok(removed)
    }

    fn has_none(&self) -> String {
        format!("{} has no mirrors; `pantala mirror add` makes one", self.store.display())
    }

    fn has_no(&self, name: &str) -> String {
        let names: Vec<&str> = self.mirrors.keys().map(String::as_str).collect();
        match names.is_empty() {
            true => self.has_none(),
            false => format!("there is no mirror {name}; there is {}", names.join(", ")),
        }
    }

    /// Whole or not at all.
    fn write(&self) -> Result<()> {
        FILE.write(&self.store, &Content { mirrors: self.mirrors.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirrors = Definitions::read(folder.path()).unwrap();
        assert!(mirrors.select(&[]).is_err());
        let definition = Definition {
            volume: "main".into(),
            identity: "00".into(),
            place: "/media/drive".into(),
            direction: Direction::Push,
            every_seconds: None,
        };
        mirrors.add("drive", definition.clone()).unwrap();
        assert!(mirrors.check_free("drive").is_err());
        let mut mirrors = Definitions::read(folder.path()).unwrap();
        assert_eq!(mirrors.select(&["drive".into()]).unwrap(), [("drive".to_owned(), definition)]);
        assert!(mirrors.remove("other").is_err());
        assert!(mirrors.set_every("other", Some(60)).is_err());
        mirrors.set_every("drive", Some(60)).unwrap();
        assert_eq!(Definitions::read(folder.path()).unwrap().all()["drive"].every_seconds, Some(60));
        mirrors.remove("drive").unwrap();
        assert!(Definitions::read(folder.path()).unwrap().all().is_empty());
    }
}
