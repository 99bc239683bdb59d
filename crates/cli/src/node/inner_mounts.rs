//! What others have mounted inside a mount: it keeps the mount in use, and no process shows it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The field of a line of mountinfo (proc_pid_mountinfo(5)) that holds the mount point.
const MOUNTPOINT_FIELD: usize = 4;

/// Mounts that lie in any of the given ones and are none of them.
pub(super) fn find(mountpoints: &[&Path]) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let all = table.split(|&byte| byte == b'\n').filter_map(parse);
    all.filter(|place| mountpoints.iter().any(|outer| place.starts_with(outer)) && !mountpoints.contains(&&**place))
        .collect()
}

fn parse(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|&byte| byte == b' ').nth(MOUNTPOINT_FIELD)?;
    Some(OsString::from_vec(unescape(field)).into())
}

/// Undoes the kernel's escapes: a backslash and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut parts = field.split(|&byte| byte == b'\\');
    let mut bytes = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let digits = part.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part[3..]);
            }
            None => bytes.extend_from_slice(part),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_mounts_are_found_and_the_given_ones_left_out() {
        let found = find(&[Path::new("/")]);
        assert!(found.contains(&"/proc".into()) && !found.contains(&"/".into()));
        assert!(!find(&[Path::new("/"), Path::new("/proc")]).contains(&"/proc".into()));
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(parse(br"36 35 98:0 / /a\040b\134c rw - fuse x rw"), Some(r"/a b\c".into()));
    }
}
