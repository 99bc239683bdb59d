//! Small files of a store that remember something: JSON with a version, written whole or not at all.

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// One such file.
pub(crate) struct RecordFile {
    pub(crate) name: &'static str,
    /// The version that is written, and the newest that is understood.
    pub(crate) version: u32,
    /// What to do if it cannot be understood.
    pub(crate) advice: &'static str,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl RecordFile {
    /// What it holds in a store; `None` if it is not there.
    pub(crate) fn read<T: DeserializeOwned>(&self, store: &Path) -> Result<Option<T>> {
        let path = store.join(self.name);
        let bytes = match fs::read(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            result => result.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let damaged = || format!("cannot read {}: it is damaged; {}", path.display(), self.advice);
        let Version { version } = serde_json::from_slice(&bytes).with_context(damaged)?;
        ensure!(version <= self.version, "{} was written by a newer version; use a newer pantala", path.display());
        serde_json::from_slice(&bytes).map(Some).with_context(damaged)
    }

    pub(crate) fn write(&self, store: &Path, content: &impl Serialize) -> Result<()> {
        let write = || -> io::Result<()> {
            let text = serde_json::to_vec_pretty(&Versioned { version: self.version, content })?;
            let new = store.join(format!("{}.new", self.name));
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(new, store.join(self.name))
        };
        write().with_context(|| format!("cannot write {}/{}", store.display(), self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const FILE: RecordFile = RecordFile { name: "record.json", version: 2, advice: "remove it" };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Content {
        numbers: BTreeMap<u64, String>,
    }

    #[test]
    fn what_is_written_is_read_and_damage_and_newer_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(FILE.read::<Content>(folder.path()).unwrap(), None);
        let content = Content { numbers: [(7, "seven".to_owned())].into() };
        FILE.write(folder.path(), &content).unwrap();
        assert_eq!(FILE.read(folder.path()).unwrap(), Some(content));
        let refused = |text: &str| {
            fs::write(folder.path().join(FILE.name), text).unwrap();
            FILE.read::<Content>(folder.path()).unwrap_err().to_string()
        };
        for damaged in ["", "{", r#"{"numbers": {}}"#, r#"{"version": 1}"#] {
            assert!(refused(damaged).ends_with("it is damaged; remove it"), "{damaged}");
        }
        assert!(refused(r#"{"version": 3}"#).ends_with("use a newer pantala"));
    }
}
