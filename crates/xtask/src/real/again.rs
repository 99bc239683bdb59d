//! Down and up: every file of every scenario is as it was, down to its inode number and its change time.

use super::Scene;
use super::build;
use super::debian;
use super::extract;
use super::git;
use super::manifest::Manifest;
use super::sqlite;
use anyhow::{Result, bail};
use std::time::Instant;

/// The exit code of `pantala status` for a pool that is not up.
const NOT_UP: i32 = 3;

pub(super) fn play(scene: &Scene) -> Result<()> {
    let before = Manifest::of(scene.pool.mount())?;
    scene.pool.down()?;
    expect_told_down(scene)?;
    let start = Instant::now();
    scene.pool.up()?;
    println!("up again   {:.2} s, with {} entries", start.elapsed().as_secs_f64(), before.len());
    before.expect_same(&Manifest::of(scene.pool.mount())?)?;
    extract::expect_equal(scene)?;
    the_programs_agree(scene)
}

/// Programs tell by the exit code that a pool is not up.
fn expect_told_down(scene: &Scene) -> Result<()> {
    let status = scene.pool.command(["status"]).end()?.status;
    match status.code() {
        Some(NOT_UP) => Ok(()),
        _ => bail!("`pantala status` of a pool that is down ended with {status} instead of {NOT_UP}"),
    }
}

/// Those whose scenarios were played find all as they left it.
fn the_programs_agree(scene: &Scene) -> Result<()> {
    if build::is_built(scene) {
        build::expect_still_built(scene)?;
    }
    if debian::is_installed(scene) {
        debian::expect_still_installed(scene)?;
    }
    if git::on_mount(scene).exists() {
        git::check(scene, &git::on_mount(scene))?;
    }
    if sqlite::is_filled(scene) {
        sqlite::expect_still_equal(scene)?;
    }
    Ok(())
}
