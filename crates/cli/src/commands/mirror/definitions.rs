//! Names for places: the file `mirrors.json` of a store. Nothing that a sync depends on.

use super::place::Place;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "mirrors.json";
const NEW_FILE: &str = "mirrors.json.new";
const VERSION: u32 = 1;

/// A place under a name. The field names are those of `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// The volume's name at its source, as it was when the mirror was added.
    pub(super) volume: String,
    /// The volume's identity.
    pub(super) identity: String,
    pub(super) place: String,
    pub(super) direction: Direction,
}

/// Where the replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    /// At the place.
    Push,
    /// In this store.
    Pull,
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    mirrors: BTreeMap<String, Definition>,
}

/// The mirrors of a store.
pub(super) struct Definitions {
    store: PathBuf,
    mirrors: BTreeMap<String, Definition>,
}

impl Definition {
    pub(super) fn place(&self) -> Result<Place> {
        Place::parse(&self.place)
    }
}

impl Definitions {
    /// Those of a store; none if it has none.
    pub(super) fn read(store: &Path) -> Result<Self> {
        let path = store.join(FILE);
        let mirrors = match fs::read(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => BTreeMap::new(),
            bytes => {
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                let content: Content = serde_json::from_slice(&bytes).with_context(|| {
                    format!("cannot read {}: it is damaged; remove it and add them again", path.display())
                })?;
                ensure!(content.version <= VERSION, "{} is of a newer version; use a newer pantala", path.display());
                content.mirrors
            }
        };
        Ok(Self { store: store.to_owned(), mirrors })
    }

    /// All, by name.
    pub(super) fn all(&self) -> &BTreeMap<String, Definition> {
        &self.mirrors
    }

    /// Those with these names; all if none is named.
    pub(super) fn select(&self, names: &[String]) -> Result<Vec<(String, Definition)>> {
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
    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        ensure!(
            !self.mirrors.contains_key(name),
            "there is a mirror {name} already; give another --name, or remove that one"
        );
        Ok(())
    }

    /// Adds a mirror under a name that is free.
    pub(super) fn add(&mut self, name: &str, definition: Definition) -> Result<()> {
        self.mirrors.insert(name.to_owned(), definition);
        self.write()
    }

    /// Forgets a mirror.
    pub(super) fn remove(&mut self, name: &str) -> Result<Definition> {
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
        let write = || -> io::Result<()> {
            let text = serde_json::to_vec_pretty(&Content { version: VERSION, mirrors: self.mirrors.clone() })?;
            let new = self.store.join(NEW_FILE);
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(new, self.store.join(FILE))
        };
        write().with_context(|| format!("cannot write {}/{FILE}", self.store.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_remembered_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirrors = Definitions::read(folder.path()).unwrap();
        assert!(mirrors.select(&[]).is_err());
        let definition = Definition {
            volume: "main".into(),
            identity: "00".into(),
            place: "/media/drive".into(),
            direction: Direction::Push,
        };
        mirrors.add("drive", definition.clone()).unwrap();
        assert!(mirrors.check_free("drive").is_err());
        let mut mirrors = Definitions::read(folder.path()).unwrap();
        assert_eq!(mirrors.select(&["drive".into()]).unwrap(), [("drive".to_owned(), definition)]);
        assert!(mirrors.remove("other").is_err());
        mirrors.remove("drive").unwrap();
        assert!(Definitions::read(folder.path()).unwrap().all().is_empty());
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Definitions::read(folder.path()).is_err());
    }
}
