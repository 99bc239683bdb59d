//! A crate of this project is compiled with everything that it depends on; what the compiler makes goes to the mount.

use crate::bench::scene::Scene;
use crate::workspace;
use anyhow::{Result, bail};

const PACKAGE: &str = "fuse";
/// One that depends on nothing.
const PACKAGE_QUICK: &str = "cfg-if";

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let target = scene.path("target");
    let package = if scene.scale.is_quick { PACKAGE_QUICK } else { PACKAGE };
    scene.time("build", 0, |_| {
        let build = workspace::cargo(["build", "--quiet", "--locked", "--package", package]);
        let ended = build.environment("CARGO_TARGET_DIR", &target).end()?;
        if !ended.status.success() {
            bail!(ended.failure());
        }
        Ok(())
    })
}
