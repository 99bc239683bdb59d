//! `tar` with attributes and access lists: packed on the mount, unpacked on both sides, and all is as it was.

use super::Scene;
use super::compare;
use super::facts::Likeness;
use super::lists;
use crate::program::Program;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;

pub(super) fn play(scene: &Scene) -> Result<()> {
    let top = scene.pool.mount().join("tar");
    let (made, again, local) = (top.join("made"), top.join("again"), scene.stage.local("tar")?);
    fs::create_dir_all(&again)?;
    lists::make(&made)?;
    for (attribute, value) in [("user.note", "for all"), ("trusted.note", "for root"), ("security.note", "of a module")]
    {
        let setfattr = Program::new("setfattr").arguments(["--name", attribute, "--value", value]);
        setfattr.argument(made.join("plain")).output()?;
    }
    let archive = top.join("archive.tar");
    tar(&["--create", "--file"], &archive, &made)?;
    for unpacked in [&again, &local] {
        tar(&["--extract", "--same-permissions", "--file"], &archive, unpacked)?;
        tar(&["--compare", "--file"], &archive, unpacked)?;
        compare::expect_alike(&made, unpacked, Likeness::Copy)?;
        if lists::shown(&made)? != lists::shown(unpacked)? {
            bail!("{} has other access lists than {}", unpacked.display(), made.display());
        }
    }
    Ok(())
}

fn tar(operation: &[&str], archive: &Path, directory: &Path) -> Result<()> {
    let options = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--directory"];
    let tar = Program::new("tar").arguments(operation).argument(archive).arguments(options).argument(directory);
    tar.argument(".").output()?;
    Ok(())
}
