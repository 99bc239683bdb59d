//! Which processes use a mount: what proc_pid_fd(5) and its neighbours show.
//!
//! Only links and tables of `/proc` are read. Nothing is looked up below a mount, so one that hangs does no harm.

use fuse::mounts::FuseMount;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// How many are named in a message.
const NAMED_MAX: usize = 8;

/// A process that uses a mount.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pid: u32,
    command: String,
    /// One of the paths by which it does.
    path: PathBuf,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (process {}, {})", self.command, self.pid, self.path.display())
    }
}

/// The processes, other than this one, that use any of the mounts. Those of other users may be out of sight.
pub(super) fn find(mountpoints: &[&Path]) -> Vec<Holder> {
    let all = fuse::mounts::list().unwrap_or_default();
    let mounts: Vec<_> = mountpoints
        .iter()
        .map(|&mountpoint| Watched::new(mountpoint, all.iter().rfind(|mount| mount.mountpoint == mountpoint)))
        .collect();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| pid != std::process::id()).filter_map(|pid| holder(pid, &mounts)).collect()
}

/// The holders in words, the first few of them.
pub(super) fn describe(holders: &[Holder]) -> String {
    let named: Vec<_> = holders.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    match holders.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A mount, as paths and tables name it.
struct Watched<'a> {
    mountpoint: &'a Path,
    /// As the table of a process's mappings writes its device: `00:34`.
    device: Option<String>,
}

impl<'a> Watched<'a> {
    fn new(mountpoint: &'a Path, mount: Option<&FuseMount>) -> Self {
        let device = mount.map(|FuseMount { device: (major, minor), .. }| format!("{major:02x}:{minor:02x}"));
        Self { mountpoint, device }
    }

    /// The path of a mapping in this mount. A line is `address permissions offset device inode path`.
    fn mapping(&self, line: &str) -> Option<PathBuf> {
        let mut fields = line.splitn(6, ' ');
        let device = fields.nth(3)?;
        (Some(device) == self.device.as_deref()).then(|| fields.nth(1).unwrap_or_default().trim_start().into())
    }
}

fn holder(pid: u32, mounts: &[Watched<'_>]) -> Option<Holder> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let path = links(&process)
        .find(|target| mounts.iter().any(|mount| target.starts_with(mount.mountpoint)))
        .or_else(|| mapping(&process, mounts))?;
    let command = fs::read_to_string(process.join("comm")).unwrap_or_default().trim_end().to_owned();
    Some(Holder { pid, command, path })
}

/// What a process has open and where it is.
fn links(process: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let own = ["cwd", "root", "exe"].map(|name| process.join(name));
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
    own.into_iter().chain(files).filter_map(|link| fs::read_link(link).ok())
}

/// A file in a mount that a process has mapped.
fn mapping(process: &Path, mounts: &[Watched<'_>]) -> Option<PathBuf> {
    let maps = fs::read(process.join("maps")).ok()?;
    let maps = String::from_utf8_lossy(&maps);
    maps.lines().find_map(|line| mounts.iter().find_map(|mount| mount.mapping(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_found_by_its_working_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        assert!(find(&[&path]).is_empty());
        let mut child = Command::new("cat").current_dir(&path).stdin(Stdio::piped()).spawn().unwrap();
        let holders = find(&[&path]);
        child.kill().unwrap();
        child.wait().unwrap();
        let expected = Holder { pid: child.id(), command: "cat".into(), path };
        assert_eq!(holders, [expected]);
    }

    #[test]
    fn a_mapping_is_told_by_its_device() {
        let mount = Watched { mountpoint: Path::new("/m"), device: Some("00:34".into()) };
        let line = "7f00-7f01 r--p 00000000 00:34 17                         /m/a b";
        assert_eq!(mount.mapping(line), Some("/m/a b".into()));
        assert_eq!(mount.mapping("7f00-7f01 r--p 00000000 fe:00 17    /m/a"), None);
        assert_eq!(mount.mapping("7f00-7f01 rw-p 00000000 00:00 0"), None);
    }
}
