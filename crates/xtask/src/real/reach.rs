//! A directory of the mount, at a place that every user can reach: the project may lie where only its owner can go.

use super::Scene;
use super::mounts;
use crate::program::Program;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A second mount of a directory, as long as this is there.
pub(super) struct Reach {
    point: PathBuf,
}

impl Reach {
    pub(super) fn new(scene: &Scene, directory: &Path) -> Result<Reach> {
        let point = tempfile::Builder::new().prefix("pantala-real-").tempdir()?.keep();
        scene.stage.note_user_directory(&point)?;
        let reach = Reach { point };
        fs::set_permissions(&reach.point, Permissions::from_mode(0o755))?;
        Program::new("mount").arguments(["--bind"]).argument(directory).argument(&reach.point).output()?;
        Ok(reach)
    }

    pub(super) fn point(&self) -> &Path {
        &self.point
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        let gone = mounts::detach_below(&self.point).and_then(|()| Ok(fs::remove_dir(&self.point)?));
        if let Err(error) = gone.with_context(|| format!("{} cannot be cleared away", self.point.display())) {
            println!("{error:#}");
        }
    }
}
