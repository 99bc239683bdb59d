//! An ordinary user's pool: up, an extraction, SIGKILL, up, down, all without any privilege but fuse3's.
//!
//! Such a mount is closed to everyone else, root included, so all that looks at it runs as that user.

use super::Scene;
use super::pool::Pool;
use super::process;
use super::stage;
use crate::program::Program;
use crate::setup;
use anyhow::Result;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Debian's `nobody`.
const USER: u32 = 65534;

pub(super) fn play(scene: &Scene) -> Result<()> {
    if !setup::is_root() {
        println!("the whole test has run as an ordinary user");
        return Ok(());
    }
    let home = home(scene)?;
    let binary = home.join("pantala");
    fs::copy(scene.pool.binary(), &binary)?;
    let archive = archive(&home)?;
    let pool = Pool::new(binary, home.join("store"), home.join("mount")).with_user(USER);
    pool.up()?;
    tar(&pool, &archive, "--extract")?;
    tar(&pool, &archive, "--compare")?;
    pool.sync()?;
    process::kill(pool.daemon()?)?;
    pool.up()?;
    tar(&pool, &archive, "--compare")?;
    pool.down()?;
    pool.up()?;
    tar(&pool, &archive, "--compare")?;
    pool.down()?;
    stage::clear(&home, &home.join("store"))
}

/// A directory that the user can reach, wherever the project lies.
fn home(scene: &Scene) -> Result<PathBuf> {
    let home = tempfile::Builder::new().prefix("pantala-real-").tempdir()?.keep();
    scene.stage.note_user_directory(&home)?;
    fs::set_permissions(&home, Permissions::from_mode(0o755))?;
    for directory in [home.clone(), home.join("mount"), home.join("source")] {
        fs::create_dir_all(&directory)?;
        chown(&directory, Some(USER), Some(USER))?;
    }
    Ok(home)
}

/// An archive of sources that belong to the user.
fn archive(home: &Path) -> Result<PathBuf> {
    let archive = home.join("archive.tar");
    let sources = crate::workspace::root();
    Program::new("tar")
        .arguments(["--create", "--format=posix", "--owner=65534", "--group=65534", "--numeric-owner", "--file"])
        .argument(&archive)
        .argument("--directory")
        .argument(sources)
        .arguments(["crates", "Cargo.toml", "Cargo.lock"])
        .output()?;
    Ok(archive)
}

/// Runs tar in the mount as the user.
fn tar(pool: &Pool, archive: &Path, operation: &str) -> Result<()> {
    let tar =
        Program::new("tar").arguments([operation, "--preserve-permissions", "--directory"]).argument(pool.mount());
    tar.arguments(["--file", "-"]).input(File::open(archive)?).user(USER).output()?;
    Ok(())
}
