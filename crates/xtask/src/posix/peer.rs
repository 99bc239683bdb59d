//! A local file system in a file, to compare with.

use crate::program::Program;
use crate::real::mounts;
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Sparse: only what is written takes space.
const IMAGE_BYTES: u64 = 4 << 30;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    #[default]
    Ext4,
    Xfs,
}

/// A file system that is mounted as long as this is there.
pub(super) struct LoopMount {
    point: PathBuf,
}

impl LoopMount {
    pub(super) fn make(peer: Peer, directory: &Path) -> Result<LoopMount> {
        let (image, point) = (directory.join("peer.image"), directory.join("peer"));
        fs::create_dir_all(&point)?;
        File::create(&image)?.set_len(IMAGE_BYTES)?;
        let mkfs = match peer {
            // Without `ea_inode`, attributes have to fit in one block.
            Peer::Ext4 => Program::new("mkfs.ext4").arguments(["-q", "-F", "-m", "0", "-O", "ea_inode"]),
            Peer::Xfs => Program::new("mkfs.xfs").arguments(["-q", "-f"]),
        };
        mkfs.argument(&image).output()?;
        let mount = LoopMount { point };
        let options = ["-o", "loop,nodiscard"];
        Program::new("mount").arguments(options).argument(&image).argument(&mount.point).output()?;
        Ok(mount)
    }

    pub(super) fn point(&self) -> &Path {
        &self.point
    }
}

impl Drop for LoopMount {
    fn drop(&mut self) {
        // The loop device goes with the mount.
        if let Err(error) = mounts::detach_below(&self.point).context("the peer stays mounted") {
            println!("{error:#}");
        }
    }
}
