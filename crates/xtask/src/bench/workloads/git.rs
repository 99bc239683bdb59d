//! Git on a repository of real files.

use crate::bench::input::git;
use crate::bench::scene::Scene;
use anyhow::Result;

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let clone = scene.path("clone");
    let bytes = scene.inputs.repository_bytes;
    scene.time("git clone", bytes / 2, |scene| {
        let call = git(&scene.inputs.repository).arguments(["clone", "--quiet", "--no-local", "."]);
        call.argument(&clone).output().map(drop)
    })?;
    scene.time("git checkout", bytes, |_| {
        for tag in ["old", "new"] {
            git(&clone).arguments(["checkout", "--quiet", tag]).output()?;
        }
        Ok(())
    })?;
    scene.cool()?;
    scene.time("git status", 0, |_| git(&clone).arguments(["status", "--porcelain"]).output().map(drop))?;
    scene.time("git gc", 0, |_| git(&clone).arguments(["gc", "--quiet", "--prune=now"]).output().map(drop))
}
