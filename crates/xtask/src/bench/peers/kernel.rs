//! The kernel's own file systems.

use super::{Ground, Kind, Mounted};
use crate::program::Program;
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// ext4, xfs or btrfs on the disk.
pub(super) struct KernelMount {
    kind: Kind,
    device: PathBuf,
    point: PathBuf,
}

impl KernelMount {
    pub(super) fn make(kind: Kind, ground: &Ground, name: &str) -> Result<KernelMount> {
        // Discarding would give the image's space back to the disk below.
        let format = match kind {
            Kind::Ext4 => Program::new("mkfs.ext4").arguments(["-q", "-F", "-E", "nodiscard,lazy_itable_init=0"]),
            Kind::Xfs => Program::new("mkfs.xfs").arguments(["-q", "-f", "-K"]),
            Kind::Btrfs => Program::new("mkfs.btrfs").arguments(["-q", "-f", "-K"]),
            _ => bail!("{} is no file system of the kernel", kind.name()),
        };
        format.argument(ground.disk.device()).output()?;
        let point = ground.directory.join(name);
        fs::create_dir_all(&point)?;
        let mount = KernelMount { kind, device: ground.disk.device().to_owned(), point };
        mount.mount()?;
        Ok(mount)
    }

    fn mount(&self) -> Result<()> {
        // The disk may show traces of what was on it before, so the kind has to be told.
        let mount = Program::new("mount").arguments(["-o", "nodiscard", "-t", self.kind.name()]);
        mount.argument(&self.device).argument(&self.point).output().map(drop)
    }
}

impl Mounted for KernelMount {
    fn point(&self) -> &Path {
        &self.point
    }

    fn remount(&mut self) -> Result<()> {
        super::unmount(&self.point)?;
        self.mount()
    }
}

impl Drop for KernelMount {
    fn drop(&mut self) {
        super::leave(&self.point);
    }
}
