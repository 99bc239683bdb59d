//! The archive, extracted on the mount and on the local disk: equal in every byte and attribute.

use super::Scene;
use super::compare;
use super::facts::Likeness;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) fn play(scene: &Scene) -> Result<()> {
    let local_seconds = extract(scene, &on_local_disk(scene)?)?;
    let mount_seconds = extract(scene, &on_mount(scene))?;
    println!("extraction {mount_seconds:.2} s on the mount, {local_seconds:.2} s on the local disk");
    expect_equal(scene)
}

/// Compares both extractions.
pub(super) fn expect_equal(scene: &Scene) -> Result<()> {
    let compared = compare::expect_alike(&on_local_disk(scene)?, &on_mount(scene), Likeness::Copy)?;
    println!("equal      {} entries, {} MiB", compared.entries, compared.bytes >> 20);
    Ok(())
}

pub(super) fn on_mount(scene: &Scene) -> PathBuf {
    scene.pool.mount().join("extracted")
}

pub(super) fn on_local_disk(scene: &Scene) -> Result<PathBuf> {
    scene.stage.local("extracted")
}

fn extract(scene: &Scene, directory: &Path) -> Result<f64> {
    std::fs::create_dir_all(directory)?;
    let start = Instant::now();
    scene.archive.extraction(directory).output()?;
    Ok(start.elapsed().as_secs_f64())
}
