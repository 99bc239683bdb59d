//! Where store and mount are when nobody says.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The store that is meant, as an absolute path.
pub(crate) fn store(given: Option<PathBuf>) -> Result<PathBuf> {
    let store = given.map_or_else(default_store, Ok)?;
    let store = absolute(&store)?;
    // A store that is not there yet has no other name than the one given.
    Ok(store.canonicalize().unwrap_or(store))
}

/// Where the first volume of a new store is mounted.
pub(crate) fn mount() -> Result<PathBuf> {
    if is_root() {
        return Ok("/pantala".into());
    }
    Ok(home("--mount")?.join("pantala"))
}

/// A path that means the same from any working directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot tell where {} is", path.display()))
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn default_store() -> Result<PathBuf> {
    if is_root() {
        return Ok("/var/lib/pantala".into());
    }
    // The XDG base directory specification: a relative path counts as none.
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.map_or_else(|| home("--store").map(|home| home.join(".local/share")), Ok)?;
    Ok(data.join("pantala"))
}

fn home(option: &str) -> Result<PathBuf> {
    let home = env::home_dir().filter(|home| home.is_absolute());
    home.with_context(|| format!("cannot tell the default place: HOME is not set; give one with {option}"))
}
