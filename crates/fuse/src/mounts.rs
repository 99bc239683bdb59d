//! The FUSE mounts of this machine, and what to do with dead ones.
//!
//! A mount outlives a daemon that was killed; everything below it then answers `ENOTCONN` until someone unmounts it.

use crate::{Error, Result, fusermount, loop_device};
use rustix::fs::{AtFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One FUSE mount that this process can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuseMount {
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// `fuse`, `fuse.SUBTYPE`, `fuseblk` or `fuseblk.SUBTYPE`.
    pub kind: String,
    /// What it says it is mounted from; on a [`LoopDevice`](crate::LoopDevice), the name of that.
    pub source: OsString,
    /// Its device number: major, minor.
    pub device: (u32, u32),
}

/// Lists the FUSE mounts, the latest last.
///
/// # Errors
///
/// When `/proc` is not there.
pub fn list() -> io::Result<Vec<FuseMount>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    Ok(table.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// The FUSE mount on top of this place, if one is.
///
/// # Errors
///
/// When `/proc` is not there.
pub fn find(mountpoint: &Path) -> io::Result<Option<FuseMount>> {
    Ok(list()?.into_iter().rfind(|mount| mount.mountpoint == mountpoint))
}

impl FuseMount {
    /// Whether its daemon is dead.
    pub fn is_dead(&self) -> bool {
        is_dead(&self.mountpoint)
    }

    /// Takes it away at once; what is open in it stays open until closed.
    ///
    /// # Errors
    ///
    /// [`Error::Unmount`], or those of `fusermount3` for an ordinary user.
    pub fn detach(&self) -> Result<()> {
        detach(&self.mountpoint)
    }
}

/// Whether a mount's daemon is dead: the kernel answers `ENOTCONN` for it.
///
/// Asks for fresh attributes, because the kernel goes on answering from its cache for a dead daemon. A daemon that lives but
/// hangs makes this hang too.
pub fn is_dead(mountpoint: &Path) -> bool {
    let flags = AtFlags::STATX_FORCE_SYNC | AtFlags::SYMLINK_NOFOLLOW;
    let answer = rustix::fs::statx(rustix::fs::CWD, mountpoint, flags, StatxFlags::BASIC_STATS);
    matches!(answer, Err(Errno::NOTCONN | Errno::CONNABORTED))
}

/// Takes a mount away at once, dead or not; what is open in it stays open until closed.
///
/// # Errors
///
/// [`Error::Unmount`], or those of `fusermount3` for an ordinary user.
pub fn detach(mountpoint: &Path) -> Result<()> {
    unmount_with(mountpoint, UnmountFlags::DETACH)
}

/// Takes a mount away if nothing uses it.
///
/// # Errors
///
/// [`Error::Busy`] if something does, and the errors of [`detach`].
pub fn unmount(mountpoint: &Path) -> Result<()> {
    unmount_with(mountpoint, UnmountFlags::empty())
}

/// Cuts the connection of a mount: whatever waits for its daemon fails. The dead mount stays.
///
/// Ordinary users can do this for their own mounts where the control file system is mounted on `/sys/fs/fuse/connections`.
///
/// # Errors
///
/// [`Error::Unmount`] with what the system says.
pub fn abort(mountpoint: &Path) -> Result<()> {
    let failed = |source| Error::Unmount { path: mountpoint.into(), source };
    let mount = find(mountpoint).map_err(failed)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let (major, minor) = mount.device;
    let control = format!("/sys/fs/fuse/connections/{}/abort", major << 20 | minor);
    match std::fs::write(control, "1") {
        Ok(()) => Ok(()),
        Err(_) if rustix::process::geteuid().is_root() => force(mountpoint).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// Unmounting by force begins with cutting the connection, also where the rest fails.
fn force(mountpoint: &Path) -> io::Result<()> {
    match rustix::mount::unmount(mountpoint, UnmountFlags::FORCE | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn unmount_with(mountpoint: &Path, flags: UnmountFlags) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return fusermount::unmount(mountpoint, flags.contains(UnmountFlags::DETACH));
    }
    match rustix::mount::unmount(mountpoint, flags | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::BUSY) => Err(Error::Busy(mountpoint.into())),
        Err(error) => Err(Error::Unmount { path: mountpoint.into(), source: error.into() }),
    }
}

/// A line of mountinfo: `36 35 98:0 /root /mountpoint rw,noatime shared:1 - type source options`.
fn parse(line: &[u8]) -> Option<FuseMount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = parse_device(fields.nth(2)?)?;
    let mountpoint = unescape(fields.nth(1)?);
    let mut rest = fields.skip_while(|&field| field != b"-").skip(1);
    let kind = String::from_utf8(unescape(rest.next()?)).ok()?;
    let family = kind.split('.').next()?;
    matches!(family, "fuse" | "fuseblk").then_some(())?;
    let source = OsString::from_vec(unescape(rest.next()?));
    let source = if family == "fuseblk" { loop_device::name_of(&source).unwrap_or(source) } else { source };
    Some(FuseMount { mountpoint: OsString::from_vec(mountpoint).into(), kind, source, device })
}

fn parse_device(field: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(field).ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Undoes the kernel's escapes: a backslash and three octal digits for blank, tab, newline and backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail.first_chunk::<3>().and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(br"/a\040b\011c\012d\134e"), b"/a b\tc\nd\\e");
        assert_eq!(unescape(br"/not\9escaped\04"), br"/not\9escaped\04");
    }

    #[test]
    fn only_fuse_mounts_are_listed() {
        let line =
            br"96 29 0:52 / /mnt/my\040files rw,nosuid,nodev shared:7 master:1 - fuse.pantala tank\040one rw,user_id=0";
        let mount = parse(line).expect("a FUSE mount");
        assert_eq!(mount.mountpoint, Path::new("/mnt/my files"));
        assert_eq!((mount.kind.as_str(), mount.source.to_str()), ("fuse.pantala", Some("tank one")));
        assert_eq!(mount.device, (0, 52));
        for line in ["29 1 254:0 / / rw - ext4 /dev/vda rw", "30 1 0:3 / /x rw - fusectl fusectl rw", "", "1 2"] {
            assert_eq!(parse(line.as_bytes()), None);
        }
    }
}
