//! The real input: an archive of the project's own dependencies, as `cargo vendor` lays them out, and a folder of odd files.

use super::odd;
use super::stage::Stage;
use crate::program::Program;
use crate::{setup, workspace};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub(super) struct Archive {
    file: PathBuf,
    members: Vec<PathBuf>,
}

impl Archive {
    pub(super) fn make(stage: &Stage) -> Result<Archive> {
        let source = stage.local("source")?;
        vendor(stage, &source.join("vendor"))?;
        odd::make(&source.join("odd"), setup::is_root())?;
        let archive = Archive { file: stage.dir().join("archive.tar"), members: members(&source)? };
        archive.write(&source, &stage.dir().join("members"))?;
        fs::remove_dir_all(&source)?;
        Ok(archive)
    }

    /// Every path in the archive, in its order.
    pub(super) fn members(&self) -> &[PathBuf] {
        &self.members
    }

    /// The program that extracts all of it into a directory.
    ///
    /// With `--absolute-names`, tar makes a symbolic link when it comes to it, and not at the end.
    pub(super) fn extraction(&self, directory: &Path) -> Program {
        Program::new("tar")
            .arguments(["--extract", "--preserve-permissions", "--numeric-owner", "--absolute-names"])
            .arguments(["--xattrs", "--xattrs-include=*", "--file"])
            .argument(&self.file)
            .argument("--directory")
            .argument(directory)
    }

    fn write(&self, source: &Path, list: &Path) -> Result<()> {
        let names: Vec<&[u8]> = self.members.iter().map(|member| member.as_os_str().as_bytes()).collect();
        fs::write(list, names.join(&0))?;
        Program::new("tar")
            .arguments(["--create", "--format=posix", "--sparse", "--xattrs", "--numeric-owner", "--file"])
            .argument(&self.file)
            .argument("--directory")
            .argument(source)
            .arguments(["--no-recursion", "--null", "--files-from"])
            .argument(list)
            .output()?;
        Ok(())
    }
}

/// The sources of everything that the project, its fuzzing and its tools are built from.
fn vendor(stage: &Stage, directory: &Path) -> Result<()> {
    let tools = tools_manifest(&stage.dir().join("tools"))?;
    let vendor = workspace::cargo(["vendor", "--versioned-dirs", "--sync", "fuzz/Cargo.toml", "--sync"]);
    vendor.argument(tools).argument(directory).output().context("the dependencies' sources cannot be had")?;
    Ok(())
}

/// A package that depends on the tools as they are pinned.
fn tools_manifest(directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("src/lib.rs"), "")?;
    let manifest = directory.join("Cargo.toml");
    let pinned = setup::CARGO_DENY.version;
    fs::write(
        &manifest,
        format!(
            "[package]\nname = \"tools\"\nedition = \"2024\"\n\n[dependencies]\ncargo-deny = \"={pinned}\"\n\n[workspace]\n"
        ),
    )?;
    Ok(manifest)
}

/// All paths below a directory, each directory before what is in it.
fn members(source: &Path) -> Result<Vec<PathBuf>> {
    let mut members = Vec::new();
    add_members(source, Path::new(""), &mut members)?;
    Ok(members)
}

fn add_members(source: &Path, directory: &Path, members: &mut Vec<PathBuf>) -> Result<()> {
    for name in super::compare::names(&source.join(directory))? {
        let path = directory.join(name);
        let is_directory = source.join(&path).symlink_metadata()?.is_dir();
        members.push(path.clone());
        if is_directory {
            add_members(source, &path, members)?;
        }
    }
    Ok(())
}
