//! The project's own history, cloned onto the mount, repacked and checked.

use super::Scene;
use super::compare;
use super::facts::Likeness;
use crate::program::Program;
use crate::workspace;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

pub(super) fn play(scene: &Scene) -> Result<()> {
    let local = scene.stage.local("clones")?.join("clone");
    let mount = on_mount(scene);
    clone(scene, &local)?;
    clone(scene, &mount)?;
    check(scene, &mount)?;
    git(scene, &mount, ["repack", "-a", "-d", "-f"])?;
    check(scene, &mount)?;
    git(scene, &mount, ["gc", "--quiet", "--aggressive", "--prune=now"])?;
    check(scene, &mount)?;
    expect_same_history(scene, &local, &mount)?;
    compare::expect_alike(&local, &mount, Likeness::Checkout)?;
    check_out_anew(scene, &mount)?;
    compare::expect_alike(&local, &mount, Likeness::Checkout)?;
    Ok(())
}

/// Checks every object and that nothing looks changed.
pub(super) fn check(scene: &Scene, clone: &Path) -> Result<()> {
    git(scene, clone, ["fsck", "--full", "--strict"])?;
    let changed = git(scene, clone, ["status", "--porcelain"])?;
    match changed.is_empty() {
        true => Ok(()),
        false => bail!("git sees changes in {}:\n{changed}", clone.display()),
    }
}

pub(super) fn on_mount(scene: &Scene) -> PathBuf {
    scene.pool.mount().join("clone")
}

fn clone(scene: &Scene, directory: &Path) -> Result<()> {
    // By URL, so that objects are sent and not linked.
    let url = format!("file://{}", workspace::root().display());
    git(scene, scene.stage.dir(), ["clone", "--quiet", &url, &directory.display().to_string()])?;
    Ok(())
}

fn expect_same_history(scene: &Scene, local: &Path, mount: &Path) -> Result<()> {
    let of = |clone| git(scene, clone, ["log", "--all", "--format=%H %P %T %ct"]);
    let (local, mount) = (of(local)?, of(mount)?);
    println!("history    {} commits", mount.lines().count());
    match local == mount && !mount.is_empty() {
        true => Ok(()),
        false => bail!("the clone on the mount has another history than the one on the local disk"),
    }
}

/// Removes every file and has git write all of them again.
fn check_out_anew(scene: &Scene, clone: &Path) -> Result<()> {
    git(scene, clone, ["rm", "-r", "-f", "--quiet", "."])?;
    git(scene, clone, ["reset", "--hard", "--quiet"])?;
    check(scene, clone)
}

/// Runs git with settings of the test's own, whoever owns the directory.
fn git<const N: usize>(scene: &Scene, directory: &Path, arguments: [&str; N]) -> Result<String> {
    let settings = scene.stage.dir().join("gitconfig");
    std::fs::write(&settings, "[safe]\n\tdirectory = *\n")?;
    Program::new("git")
        .arguments(arguments)
        .directory(directory)
        .environment("GIT_CONFIG_GLOBAL", settings)
        .environment("GIT_CONFIG_NOSYSTEM", "1")
        .output()
}
