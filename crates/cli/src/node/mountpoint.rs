//! A directory to mount on: what it must be like, and the dead mount that a killed node may have left there.

use super::source;
use crate::defaults;
use anyhow::{Context, Result, anyhow, bail};
use fuse::mounts::{self, FuseMount};
use rustix::fs::Access;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a mount may take to answer before it counts as hung.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// More dead mounts than this at one place were not left by killed nodes.
const DEAD_MOUNTS_MAX: usize = 64;

/// A directory to mount on.
pub(crate) struct Mountpoint {
    path: PathBuf,
    origin: Origin,
}

/// Who chose the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The user: it must be there.
    Given,
    /// Pantala: it is made if it is not there.
    Own,
}

impl Mountpoint {
    /// What the user chose.
    pub(super) fn given(path: &Path) -> Result<Self> {
        Ok(Self { path: resolve_or_fail(path)?, origin: Origin::Given })
    }

    /// What nobody chose.
    pub(super) fn own(path: &Path) -> Result<Self> {
        Ok(Self { path: resolve_or_fail(path)?, origin: Origin::Own })
    }

    /// Where the first volume goes: where the user says, else where it was, else the default place.
    pub(super) fn of_first(given: Option<&Path>, remembered: Option<&Path>) -> Result<Self> {
        match (given, remembered) {
            (Some(given), _) => Self::given(given),
            (None, Some(remembered)) if defaults::mount().ok().as_deref() != Some(remembered) => {
                Self::given(remembered)
            }
            _ => Self::own(&defaults::mount()?),
        }
    }

    /// The directory, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a dead mount away, and makes sure that the directory is there, or can be made, and empty.
    pub(super) fn check(&self) -> Result<()> {
        let failed = |why: &str| anyhow!("cannot mount at {}: {why}", self.path.display());
        if let Some(living) = clear_dead(&self.path)? {
            let source = living.source.to_string_lossy();
            return Err(failed(&format!(
                "{source} is mounted there; take it down first, or give another directory with --mount"
            )));
        }
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.origin == Origin::Own => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(failed("it is not there; make the directory, or give another one with --mount"));
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(failed("it is not a directory; give one with --mount"));
            }
            result => result.with_context(|| format!("cannot mount at {}", self.path.display()))?,
        };
        if entries.take(1).count() > 0 {
            return Err(failed("it is not empty; give an empty directory with --mount"));
        }
        if rustix::fs::access(&self.path, Access::WRITE_OK).is_err() && !defaults::is_root() {
            return Err(failed("this user may not write there; give a directory of your own with --mount"));
        }
        Ok(())
    }

    /// Makes the directory if nobody chose it and it is not there; true if it was made.
    pub(super) fn make(&self) -> Result<bool> {
        if self.origin == Origin::Given || self.path.exists() {
            return Ok(false);
        }
        let made = fs::create_dir_all(&self.path);
        let made = made.and_then(|()| fs::set_permissions(&self.path, Permissions::from_mode(0o755)));
        made.with_context(|| format!("cannot make the mount directory {}", self.path.display()))?;
        Ok(true)
    }
}

/// Removes the directory that a mount was on, unless something is in it.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir(path) {
        tracing::info!(%error, directory = %path.display(), "the mount directory stays");
    }
}

/// A path without symbolic links that never looks into what is mounted at its end. The end need not be there.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    if fs::read_link(path).is_ok() {
        return path.canonicalize();
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => match parent.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
            parent => Ok(parent?.join(name)),
        },
        _ => path.canonicalize(),
    }
}

fn resolve_or_fail(path: &Path) -> Result<PathBuf> {
    resolve(path).with_context(|| format!("cannot mount at {}", path.display()))
}

/// Takes away what killed nodes left mounted; returns the mount of a living one, which stays.
pub(crate) fn clear_dead(path: &Path) -> Result<Option<FuseMount>> {
    for _ in 0..DEAD_MOUNTS_MAX {
        let found = mounts::find(path).context("cannot read the table of mounts")?;
        let Some(mount) = found.filter(source::is_ours) else { return Ok(None) };
        match is_dead(&mount) {
            Some(true) => {}
            Some(false) => return Ok(Some(mount)),
            None => bail!("what is mounted at {0} does not answer; take it away with `umount -l {0}`", path.display()),
        }
        tracing::info!(mountpoint = %path.display(), "taking away the mount of a node that was killed");
        mount.detach().with_context(|| format!("cannot take away the dead mount at {}", path.display()))?;
    }
    bail!("there are too many dead mounts at {0}; take them away with `umount -l {0}`", path.display())
}

/// Whether a mount's daemon is dead; `None` if it neither answers nor is gone.
fn is_dead(mount: &FuseMount) -> Option<bool> {
    let (sender, answer) = mpsc::channel();
    let mount = mount.clone();
    // A thread that hangs with the mount stays behind.
    thread::spawn(move || sender.send(mount.is_dead()));
    answer.recv_timeout(ANSWER_TIME_MAX).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_to_mount_on_must_be_there_and_empty() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let why = |path: &Path| Mountpoint::given(path).unwrap().check().unwrap_err().to_string();
        assert!(why(&missing).contains("not there"));
        assert!(Mountpoint::own(&missing).unwrap().check().is_ok() && !missing.exists());
        assert!(Mountpoint::own(&missing).unwrap().make().unwrap() && missing.exists());
        assert!(Mountpoint::given(&missing).unwrap().check().is_ok());
        assert!(why(folder.path()).contains("not empty"));
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(why(&folder.path().join("file")).contains("not a directory"));
    }

    #[test]
    fn links_are_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("b")).unwrap();
        assert_eq!(resolve(&root.join("b")).unwrap(), root.join("a"));
        assert_eq!(resolve(&root.join("b/c")).unwrap(), root.join("a/c"));
    }
}
