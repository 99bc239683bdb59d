//! Programs that read one directory and write another: rsync, restic, borg. Both directories lie in an xfs.

use super::super::peers::{Ground, Kind, Mounted, kernel_mount};
use super::{Pair, durable};
use crate::program::Program;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Copier {
    tree: PathBuf,
    line: String,
    _source: Box<dyn Mounted>,
    _target: Box<dyn Mounted>,
}

impl Copier {
    /// Edits may lie less than a second apart, so nanoseconds are compared.
    pub(super) fn rsync(source: &Ground, target: &Ground) -> Result<Self> {
        Self::make(source, target, |from, to| {
            Ok(format!("rsync -a --delete --modify-window=-1 '{}/' '{}/'", from.display(), to.display()))
        })
    }

    pub(super) fn restic(source: &Ground, target: &Ground) -> Result<Self> {
        Self::make(source, target, |from, to| {
            let common = format!("RESTIC_PASSWORD=bench restic --quiet --no-cache -r '{}'", to.display());
            Program::new("sh").arguments(["-c", &format!("{common} init")]).output()?;
            Ok(format!("{common} backup '{}'", from.display()))
        })
    }

    pub(super) fn borg(source: &Ground, target: &Ground) -> Result<Self> {
        Self::make(source, target, |from, to| {
            // What borg remembers of the files that it has seen goes beside the repository.
            let common = format!("BORG_BASE_DIR='{0}.base' borg", to.display());
            let (to, from) = (to.display(), from.display());
            Program::new("sh").arguments(["-c", &format!("{common} init --encryption none '{to}'")]).output()?;
            Ok(format!("{common} create '{to}::{{now:%s%f}}' '{from}'"))
        })
    }

    /// `prepare` gives the line that copies from one directory to the other.
    fn make(source: &Ground, target: &Ground, prepare: fn(&Path, &Path) -> Result<String>) -> Result<Self> {
        let (from, to) = (kernel_mount(Kind::Xfs, source)?, kernel_mount(Kind::Xfs, target)?);
        let (tree, copy) = (from.point().join("tree"), to.point().join("copy"));
        fs::create_dir(&tree)?;
        fs::create_dir(&copy)?;
        let line = format!("{}; {}", prepare(&tree, &copy)?, durable(&copy));
        Ok(Self { tree, line, _source: from, _target: to })
    }
}

impl Pair for Copier {
    fn source(&self) -> &Path {
        &self.tree
    }

    fn line(&mut self) -> String {
        self.line.clone()
    }
}
