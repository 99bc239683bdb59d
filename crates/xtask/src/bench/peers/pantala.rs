//! Pantala, its store in an xfs on the disk.

use super::kernel::KernelMount;
use super::{Ground, Kind, Mounted};
use crate::real::pool::Pool;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

const BELOW: &str = "below";

pub(super) struct PantalaMount {
    /// Dropped before what its store lies in.
    pool: Pool,
    below: KernelMount,
    reaches_sync: bool,
}

/// Where the store lies.
pub(in crate::bench) fn store(directory: &Path) -> PathBuf {
    directory.join(BELOW).join("store")
}

impl PantalaMount {
    pub(super) fn make(ground: &Ground, binary: &Path) -> Result<PantalaMount> {
        let below = KernelMount::make(Kind::Xfs, ground, BELOW)?;
        let point = ground.directory.join("mount");
        fs::create_dir_all(&point)?;
        let pool = Pool::new(binary.to_owned(), store(ground.directory), point);
        pool.up()?;
        let reaches_sync = pool.status()?["mounts"][0]["unsynced"].is_null();
        Ok(PantalaMount { pool, below, reaches_sync })
    }
}

impl Mounted for PantalaMount {
    fn point(&self) -> &Path {
        self.pool.mount()
    }

    fn daemon(&self) -> Result<Option<u32>> {
        self.pool.daemon().map(Some)
    }

    fn remount(&mut self) -> Result<()> {
        self.pool.down()?;
        self.below.remount()?;
        self.pool.up().map(drop)
    }

    fn sync(&self) -> Result<()> {
        if !self.reaches_sync {
            return self.pool.sync();
        }
        crate::program::Program::new("sync").argument("-f").argument(self.point()).output().map(drop)
    }

    fn requests(&self) -> Result<Vec<(String, u64)>> {
        let status = self.pool.status()?;
        let counted = status["mounts"][0]["requests"].as_object().into_iter().flatten();
        Ok(counted.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect())
    }

    fn is_collecting(&self) -> Result<Option<bool>> {
        self.pool.is_collecting().map(Some)
    }

    fn below(&self) -> Option<PathBuf> {
        Some(self.below.point().to_owned())
    }
}

impl Drop for PantalaMount {
    fn drop(&mut self) {
        if let Err(error) = self.pool.down() {
            println!("{error:#}");
        }
    }
}
