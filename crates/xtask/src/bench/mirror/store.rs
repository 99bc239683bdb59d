//! Pantala: a mounted volume, and a store on the target that no node has open, as on a drive.

use super::super::peers::{Ground, Kind, Mounted, kernel_mount};
use super::Pair;
use crate::real::pool::Pool;
use anyhow::Result;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Pantala {
    line: String,
    /// Dropped before what its store lies in.
    pool: Pool,
    _source: Box<dyn Mounted>,
    _target: Box<dyn Mounted>,
}

/// Where the store of the source lies.
pub(super) fn source(directory: &Path) -> PathBuf {
    directory.join("mount").join("store")
}

impl Pantala {
    pub(super) fn make(from: &Ground, to: &Ground) -> Result<Self> {
        let (below, target) = (kernel_mount(Kind::Xfs, from)?, kernel_mount(Kind::Xfs, to)?);
        let (store, copy) = (source(from.directory), target.point().join("store"));
        let point = from.directory.join("volume");
        fs::create_dir_all(&point)?;
        let line = format!("'{}' mirror sync --json --store '{}'", from.pantala.display(), store.display());
        let pool = Pool::new(from.pantala.to_owned(), store, point);
        pool.up()?;
        pool.command(["mirror", "add", "main"]).argument(copy).arguments(["--name", "drive"]).output()?;
        Ok(Self { line, pool, _source: below, _target: target })
    }
}

impl Pair for Pantala {
    fn source(&self) -> &Path {
        self.pool.mount()
    }

    fn line(&mut self) -> String {
        self.line.clone()
    }

    fn sent(&self, output: &str) -> Option<u64> {
        let reports: Value = serde_json::from_str(output).ok()?;
        reports[0]["bytes"].as_u64()
    }
}

impl Drop for Pantala {
    fn drop(&mut self) {
        if let Err(error) = self.pool.down() {
            println!("{error:#}");
        }
    }
}
