//! Where the workspace is, and the Cargo that runs in it.

use crate::program::Program;
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};

/// The directory that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let crates_dir = Path::new(&manifest_dir).parent();
    crates_dir.and_then(Path::parent).expect("this crate lies two levels below the root").to_path_buf()
}

/// The directory that Cargo builds into, wherever the user's settings put it.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let json = cargo(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&json).context("`cargo metadata` did not print JSON")?;
    let target_dir = metadata["target_directory"].as_str();
    target_dir.map(PathBuf::from).ok_or_else(|| anyhow!("`cargo metadata` names no target directory"))
}

/// How what is measured or tested as a program of its own is built.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// With assertions and checks of overflow; the tests of the crates need nearly all of it, too.
    Tests,
    /// As a user would.
    Release,
}

impl Build {
    pub(crate) fn pantala(self) -> Result<PathBuf> {
        self.make(["--bin", "pantala"], "pantala")
    }

    /// The in-memory file system behind the same `fuse` crate.
    pub(crate) fn floor(self) -> Result<PathBuf> {
        self.make(["--example", "memory"], "examples/memory")
    }

    fn make(self, target: [&str; 2], path: &str) -> Result<PathBuf> {
        let (directory, options): (_, &[&str]) = match self {
            // With a test among what is built, dependencies have the features that they have for all tests, and are built once.
            Build::Tests => ("debug", &["--test", "transfer"]),
            Build::Release => ("release", &["--release"]),
        };
        cargo(["build", "--workspace"]).arguments(target).arguments(options).run()?;
        let made = target_dir()?.join(directory).join(path);
        match made.is_file() {
            true => Ok(made),
            false => bail!("the build left no {}", made.display()),
        }
    }
}

/// A call of the same Cargo that runs this chore, in the workspace's root.
///
/// What Cargo told this chore of its own package stays here: a build script that looks at it (ring's) would run again, and all that
/// depends on it would be built again, whenever chores and Cargo by hand take turns.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Program {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let is_of_package = |key: &str| key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_");
    Program::new(cargo).arguments(arguments).without(is_of_package).directory(&root())
}
