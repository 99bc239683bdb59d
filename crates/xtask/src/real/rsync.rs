//! `rsync` with hard links, access lists and attributes, onto the mount and back: a second run finds nothing to do.

use super::Scene;
use super::compare;
use super::extract;
use super::facts::Likeness;
use crate::program::Program;
use anyhow::{Result, bail};
use std::path::Path;

pub(super) fn play(scene: &Scene) -> Result<()> {
    let source = scene.stage.local("with lists")?;
    super::lists::make(&source)?;
    for from in [extract::on_local_disk(scene)?.join("odd"), source] {
        let name = from.file_name().unwrap_or_default();
        let (there, back) = (scene.pool.mount().join("rsync").join(name), scene.stage.local("rsync")?.join(name));
        copy(&from, &there)?;
        compare::expect_alike(&from, &there, Likeness::Copy)?;
        copy(&there, &back)?;
        compare::expect_alike(&from, &back, Likeness::Copy)?;
        expect_nothing_to_do(&from, &back)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let copied = rsync(from, to)?;
    if copied.is_empty() {
        bail!("rsync found nothing in {}", from.display());
    }
    expect_nothing_to_do(from, to)
}

/// Compares every byte, too.
fn expect_nothing_to_do(from: &Path, to: &Path) -> Result<()> {
    let copied = rsync(from, to)?;
    match copied.is_empty() {
        true => Ok(()),
        false => bail!("a second rsync from {} to {} has something to do:\n{copied}", from.display(), to.display()),
    }
}

/// Returns what was done, a line for each change.
fn rsync(from: &Path, to: &Path) -> Result<String> {
    let options = ["-aHAX", "--sparse", "--delete", "--checksum", "--itemize-changes"];
    let of_content = |path: &Path| [path.as_os_str().as_encoded_bytes(), b"/"].concat();
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (from, to) = (of_content(from), of_content(to));
    Program::new("rsync")
        .arguments(options)
        .argument(OsStr::from_bytes(&from))
        .argument(OsStr::from_bytes(&to))
        .output()
}
