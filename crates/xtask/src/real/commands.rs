//! The commands around a running pool: status, a second `up`, volumes that come and go, and a `down` that would hurt.

use super::Scene;
use super::mounts;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn play(scene: &Scene) -> Result<()> {
    expect_up_twice(scene)?;
    volumes(scene)?;
    expect_busy(scene)
}

/// A pool that is up says so and stays as it is.
fn expect_up_twice(scene: &Scene) -> Result<()> {
    let daemon = scene.pool.daemon()?;
    let said = scene.pool.up()?;
    match scene.pool.daemon()? == daemon && said.contains("up") {
        true => Ok(()),
        false => bail!("a second `pantala up` did not leave the pool as it was; it said: {said}"),
    }
}

/// A volume is made, used, renamed and deleted.
fn volumes(scene: &Scene) -> Result<()> {
    let before = mount_points(scene)?;
    volume(scene, ["create", "second"])?;
    let mount = new_mount_point(scene, &before)?;
    fs::write(mount.join("file"), "in the second volume")?;
    if mount.metadata()?.dev() == scene.pool.mount().metadata()?.dev() {
        bail!("two volumes have the same st_dev");
    }
    expect_listed(scene, "second", true)?;
    volume(scene, ["rename", "second", "third"])?;
    expect_listed(scene, "second", false)?;
    expect_listed(scene, "third", true)?;
    let renamed = new_mount_point(scene, &before)?;
    if fs::read(renamed.join("file"))? != b"in the second volume" {
        bail!("a renamed volume has lost its file");
    }
    expect_asked(scene, "third")?;
    volume(scene, ["delete", "third", "--yes"])?;
    expect_listed(scene, "third", false)?;
    match mount_points(scene)? == before {
        true => Ok(()),
        false => bail!("a deleted volume is still mounted"),
    }
}

/// Where nobody can be asked, a volume is not deleted without `--yes`.
fn expect_asked(scene: &Scene, name: &str) -> Result<()> {
    let refused = scene.pool.command(["volume", "delete", name]).end()?;
    if refused.status.success() {
        bail!("`pantala volume delete {name}` asked nobody");
    }
    expect_listed(scene, name, true)
}

/// `down` names who uses the pool, and leaves it up.
fn expect_busy(scene: &Scene) -> Result<()> {
    let log = scene.stage.log("busy");
    let mut user = Program::new("sleep").argument("600").directory(scene.pool.mount()).start_into(&log)?;
    let refused = scene.pool.command(["down"]).end()?;
    let is_alive = scene.pool.daemon().is_ok();
    super::process::kill(user.process())?;
    user.wait(Duration::from_secs(10))?;
    let said = format!("{}{}", refused.output, refused.errors);
    if refused.status.success() || !is_alive {
        bail!("`pantala down` took down a pool that was in use; it said: {said}");
    }
    match said.contains("sleep") || said.contains(&user.process().to_string()) {
        true => Ok(()),
        false => bail!("`pantala down` does not name the process that uses the pool: {said}"),
    }
}

fn volume<const N: usize>(scene: &Scene, arguments: [&str; N]) -> Result<String> {
    scene.pool.command(["volume"]).arguments(arguments).output()
}

fn expect_listed(scene: &Scene, name: &str, listed: bool) -> Result<()> {
    let list = volume(scene, ["list"])?;
    match list.split_whitespace().any(|word| word == name) == listed {
        true => Ok(()),
        false => bail!("`pantala volume list` should{} show {name}:\n{list}", if listed { "" } else { " not" }),
    }
}

/// Where something is mounted below the pool's own mount. Elsewhere others may mount meanwhile.
fn mount_points(scene: &Scene) -> Result<BTreeSet<PathBuf>> {
    Ok(mounts::below(scene.pool.mount())?.into_iter().collect())
}

/// Where the one volume is that was not mounted before.
fn new_mount_point(scene: &Scene, before: &BTreeSet<PathBuf>) -> Result<PathBuf> {
    let now = mount_points(scene)?;
    let mut new = now.difference(before);
    let point = new.next().context("the new volume is not mounted")?;
    match new.next() {
        None => Ok(point.clone()),
        Some(second) => bail!("one volume, but two mounts: {} and {}", point.display(), second.display()),
    }
}
