//! A plain FUSE passthrough: bindfs over an xfs on the disk.

use super::kernel::KernelMount;
use super::{Ground, Kind, Mounted};
use crate::program::{Program, Running};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Passthrough {
    point: PathBuf,
    log: PathBuf,
    daemon: Running,
    below: KernelMount,
}

impl Passthrough {
    pub(super) fn make(ground: &Ground) -> Result<Passthrough> {
        let below = KernelMount::make(Kind::Xfs, ground, "below")?;
        let point = ground.directory.join("mount");
        fs::create_dir_all(&point)?;
        let log = ground.directory.join("passthrough.log");
        let daemon = start(&below, &point, &log)?;
        Ok(Passthrough { point, log, daemon, below })
    }
}

fn start(below: &KernelMount, point: &Path, log: &Path) -> Result<Running> {
    let program = Program::new("bindfs").argument("-f").argument(below.point()).argument(point);
    let mut daemon = program.start_into(log)?;
    super::await_mount(point, &mut daemon)?;
    Ok(daemon)
}

impl Mounted for Passthrough {
    fn point(&self) -> &Path {
        &self.point
    }

    fn daemon(&self) -> Result<Option<u32>> {
        Ok(Some(self.daemon.process()))
    }

    fn remount(&mut self) -> Result<()> {
        super::unmount(&self.point)?;
        self.daemon.wait(super::MOUNT_TIME_MAX)?;
        self.below.remount()?;
        self.daemon = start(&self.below, &self.point, &self.log)?;
        Ok(())
    }

    /// A sync of the mount does not reach the daemon, which keeps nothing itself.
    fn sync(&self) -> Result<()> {
        self.below.sync()
    }
}

impl Drop for Passthrough {
    fn drop(&mut self) {
        super::leave(&self.point);
        // It keeps what lies below in use until it has ended.
        if let Err(error) = self.daemon.wait(super::MOUNT_TIME_MAX) {
            println!("{error:#}");
        }
    }
}
