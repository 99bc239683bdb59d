//! The floor: a file system in memory behind the same `fuse` crate (its example `memory`).

use super::{Ground, Mounted};
use crate::program::{Program, Running};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long it may take to end once it is unmounted.
const END_TIME_MAX: Duration = Duration::from_secs(10);

pub(super) struct FloorMount {
    point: PathBuf,
    daemon: Running,
}

impl FloorMount {
    pub(super) fn make(ground: &Ground) -> Result<FloorMount> {
        let point = ground.directory.join("mount");
        fs::create_dir_all(&point)?;
        let program = Program::new(ground.floor).arguments(["--allow-other", "--sole-writer"]).argument(&point);
        let mut daemon = program.start_into(&ground.directory.join("floor.log"))?;
        super::await_mount(&point, &mut daemon)?;
        Ok(FloorMount { point, daemon })
    }
}

impl Mounted for FloorMount {
    fn point(&self) -> &Path {
        &self.point
    }

    fn daemon(&self) -> Result<Option<u32>> {
        Ok(Some(self.daemon.process()))
    }

    /// All of it is in memory and would be gone: only what the kernel has of it is dropped.
    fn remount(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Drop for FloorMount {
    fn drop(&mut self) {
        super::leave(&self.point);
        // The next one is not measured beside its end: it gives back all that it held.
        if let Err(error) = self.daemon.wait(END_TIME_MAX) {
            println!("{error:#}");
        }
    }
}
