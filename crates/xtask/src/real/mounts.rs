//! What is mounted where, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use crate::program::{Program, is_installed};
use crate::setup;
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The field that holds the mount point.
const MOUNT_POINT_FIELD: usize = 4;

/// Every mount point in a directory, or at it; the latest mount first.
pub(crate) fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let lines = table.split(|byte| *byte == b'\n');
    let mut points: Vec<PathBuf> = lines.filter_map(mount_point).filter(|point| point.starts_with(directory)).collect();
    points.reverse();
    Ok(points)
}

/// Takes away every mount in a directory, used or not; whoever uses one keeps it until the end of the use.
pub(crate) fn detach_below(directory: &Path) -> Result<()> {
    for point in below(directory)? {
        detach(&point)?;
    }
    match below(directory)?.first() {
        Some(point) => bail!("{} cannot be unmounted", point.display()),
        None => Ok(()),
    }
}

fn detach(point: &Path) -> Result<()> {
    let program = match setup::is_root() || !is_installed("fusermount3") {
        true => Program::new("umount").argument("--lazy"),
        false => Program::new("fusermount3").arguments(["-u", "-z"]),
    };
    program.argument(point).end()?;
    Ok(())
}

fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(MOUNT_POINT_FIELD)?;
    Some(PathBuf::from(OsString::from_vec(unescaped(field))))
}

/// Undoes the kernel's `\040` for a space and the like.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_a_space_is_read() {
        let line = b"36 35 98:0 / /mnt/a\\040b rw,noatime shared:1 - fuse pantala rw";
        assert_eq!(mount_point(line), Some(PathBuf::from("/mnt/a b")));
    }

    #[test]
    fn the_root_is_mounted() {
        assert!(below(Path::new("/")).unwrap().contains(&PathBuf::from("/")));
    }
}
