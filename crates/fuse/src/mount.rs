//! Mounting: from a directory to a connection.

use crate::device::Device;
use crate::{Error, MountOptions, Result, fusermount, mounts};
use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::FileType;
use rustix::mount::MountFlags;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory to mount on, as an absolute path without links.
pub(crate) fn check(mountpoint: &Path) -> Result<PathBuf> {
    let metadata = fs::metadata(mountpoint).map_err(|source| unreadable(mountpoint, source))?;
    if !metadata.is_dir() {
        return Err(Error::MountpointNotDirectory(mountpoint.into()));
    }
    if mounts::is_dead(mountpoint) {
        return Err(Error::MountpointDead(mountpoint.into()));
    }
    fs::canonicalize(mountpoint).map_err(|source| unreadable(mountpoint, source))
}

fn unreadable(mountpoint: &Path, source: std::io::Error) -> Error {
    let path = mountpoint.to_path_buf();
    match source.raw_os_error() {
        Some(libc::ENOENT) => Error::MountpointMissing(path),
        Some(libc::ENOTDIR) => Error::MountpointNotDirectory(path),
        Some(libc::ENOTCONN | libc::ECONNABORTED) => Error::MountpointDead(path),
        _ => Error::MountpointUnreadable { path, source },
    }
}

/// Mounts on a checked directory: as root by `mount(2)`, else through `fusermount3`.
pub(crate) fn mount(mountpoint: &Path, options: &MountOptions) -> Result<Device> {
    if rustix::process::geteuid().is_root() {
        return mount_directly(mountpoint, options);
    }
    if options.block_device.is_some() {
        return Err(Error::NeedsRoot("a block device (fuseblk)"));
    }
    // The helper opens it with the user's permissions too, but says less clearly what is wrong.
    Device::open()?;
    fusermount::mount(mountpoint, options)
}

fn mount_directly(mountpoint: &Path, options: &MountOptions) -> Result<Device> {
    let device = Device::open()?;
    let failed = |source| Error::Mount { path: mountpoint.into(), source };
    let data = CString::new(data(&device, options)).map_err(|error| failed(error.into()))?;
    let source = options.block_device.as_deref().map_or(&*options.source, Path::as_os_str);
    let result = rustix::mount::mount(source, mountpoint, kind(options), flags(options), data.as_c_str());
    result.map_err(|error| failed(error.into()))?;
    Ok(device)
}

fn kind(options: &MountOptions) -> String {
    let family = if options.block_device.is_some() { "fuseblk" } else { "fuse" };
    match options.subtype.as_str() {
        "" => family.to_owned(),
        subtype => format!("{family}.{subtype}"),
    }
}

fn flags(options: &MountOptions) -> MountFlags {
    let table = [
        (options.read_only, MountFlags::RDONLY),
        (options.nosuid, MountFlags::NOSUID),
        (options.nodev, MountFlags::NODEV),
        (options.noexec, MountFlags::NOEXEC),
        (options.noatime, MountFlags::NOATIME),
        (options.dirsync, MountFlags::DIRSYNC),
        (options.sync, MountFlags::SYNCHRONOUS),
    ];
    table.into_iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag).collect()
}

/// The kernel's own options (`fs/fuse/inode.c`).
fn data(device: &Device, options: &MountOptions) -> String {
    let mut data = format!(
        "fd={},rootmode={:o},user_id={},group_id={}",
        device.as_fd().as_raw_fd(),
        FileType::Directory.as_raw_mode(),
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    for option in common(options) {
        data.push(',');
        data.push_str(&option);
    }
    if options.block_device.is_some() {
        data.push_str(&format!(",blksize={}", options.block_size));
    }
    data
}

/// The options that kernel and `fusermount3` write alike.
fn common(options: &MountOptions) -> Vec<String> {
    let mut list = Vec::new();
    if options.allow_other {
        list.push("allow_other".to_owned());
    }
    if options.default_permissions {
        list.push("default_permissions".to_owned());
    }
    list.extend(options.max_read.map(|bytes| format!("max_read={bytes}")));
    list
}

/// The options for `fusermount3 -o`.
pub(crate) fn helper_options(options: &MountOptions) -> Vec<u8> {
    let table = [
        (options.read_only, "ro", "rw"),
        (options.nosuid, "nosuid", "suid"),
        (options.nodev, "nodev", "dev"),
        (options.noexec, "noexec", "exec"),
        (options.noatime, "noatime", "atime"),
        (options.dirsync, "dirsync", ""),
        (options.sync, "sync", "async"),
    ];
    let words = table.into_iter().map(|(wanted, yes, no)| if wanted { yes } else { no });
    let mut list: Vec<Vec<u8>> = words.filter(|word| !word.is_empty()).map(Into::into).collect();
    list.extend(common(options).into_iter().map(String::into_bytes));
    list.push(named("fsname", &options.source));
    if !options.subtype.is_empty() {
        list.push(named("subtype", options.subtype.as_ref()));
    }
    list.join(&b',')
}

/// `NAME=VALUE`, with what separates options escaped.
fn named(name: &str, value: &OsStr) -> Vec<u8> {
    let mut option = format!("{name}=").into_bytes();
    for &byte in value.as_bytes() {
        if matches!(byte, b',' | b'\\') {
            option.push(b'\\');
        }
        option.push(byte);
    }
    option
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_gets_every_option_with_separators_escaped() {
        let options = MountOptions {
            source: "a,b\\c".into(),
            subtype: "pantala".into(),
            allow_other: true,
            noatime: true,
            max_read: Some(4096),
            ..MountOptions::default()
        };
        let expected = r"rw,nosuid,nodev,exec,noatime,async,allow_other,default_permissions,max_read=4096,fsname=a\,b\\c,subtype=pantala";
        assert_eq!(helper_options(&options), expected.as_bytes());
    }

    #[test]
    fn a_place_that_cannot_be_mounted_on_is_named() {
        assert!(matches!(check(Path::new("/nonexistent/x")), Err(Error::MountpointMissing(_))));
        assert!(matches!(check(Path::new("/dev/null")), Err(Error::MountpointNotDirectory(_))));
    }

    #[test]
    fn a_block_device_changes_the_type() {
        let mut options = MountOptions { subtype: "x".into(), ..MountOptions::default() };
        assert_eq!(kind(&options), "fuse.x");
        options.block_device = Some("/dev/loop0".into());
        options.subtype.clear();
        assert_eq!(kind(&options), "fuseblk");
    }
}
