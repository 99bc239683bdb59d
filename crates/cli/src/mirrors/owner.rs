//! Whom a store belongs to. What root does for a user's store is done as that user, so that the user can go on with it.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the environment says of a user's own directories.
const OF_A_USER: [&str; 5] = ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "PANTALA_STORE"];

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    gid: u32,
}

impl Owner {
    /// That of a store which is there.
    pub(crate) fn of(store: &Path) -> Result<Self> {
        let found = fs::metadata(store).with_context(|| format!("cannot look at {}", store.display()))?;
        Ok(Self { uid: found.uid(), gid: found.gid() })
    }

    /// Whether this process is root, and the owner somebody else.
    pub(crate) fn is_another(self) -> bool {
        rustix::process::geteuid().is_root() && self.uid != 0
    }

    /// Makes a directory that belongs to the owner, if it is not there; with those above it that are missing.
    pub(crate) fn make_directory(self, path: &Path) -> Result<()> {
        let missing: Vec<_> = path.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made.and_then(|()| chown(path, Some(self.uid), Some(self.gid))),
            }
            .with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    /// Runs this program as the owner. Its one line about what failed is the error.
    pub(crate) fn run(self, arguments: &[OsString], output: Stdio) -> Result<()> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
        command.uid(self.uid).gid(self.gid);
        // Those of root. Whose home it is tells the list of users then.
        for variable in OF_A_USER {
            command.env_remove(variable);
        }
        let done = command.spawn().and_then(|child| child.wait_with_output());
        let done = done.with_context(|| format!("cannot run this program as user {}", self.uid))?;
        if !done.status.success() {
            let complaint = String::from_utf8_lossy(&done.stderr);
            let complaint = complaint.trim();
            bail!("{}", complaint.strip_prefix("pantala: ").unwrap_or(complaint));
        }
        Ok(())
    }
}
