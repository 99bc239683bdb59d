//! A small loop device, to mount a file system as `fuseblk` on: only such a mount hears of sync(2) and syncfs(2).
//!
//! It lies over memory, and nothing is ever read from or written to it. The kernel takes it away with its last user
//! (`LO_FLAGS_AUTOCLEAR`): after the mount's end, or at once if there was none. So nothing is left behind, whoever is killed.
//!
//! The name of the memory says what is mounted, since a `fuseblk` mount shows its device instead: [`name_of`] reads it.

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// `LOOP_CTL_GET_FREE` and `LOOP_CONFIGURE` (`linux/loop.h`)
const GET_FREE: libc::Ioctl = 0x4c82;
const CONFIGURE: libc::Ioctl = 0x4c0a;
/// `LO_FLAGS_AUTOCLEAR`
const AUTOCLEAR: u32 = 4;

/// Length of the device: as little as any block size allows, in bytes.
const DEVICE_BYTES: u64 = 64 << 10;

/// The longest name that memory can have, in bytes (`memfd_create(2)`).
const NAME_BYTES_MAX: usize = 249;

/// Somebody else may be quicker to take a free device.
const ATTEMPTS_MAX: usize = 64;

/// `struct loop_info64`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct LoopInfo {
    numbers: [u64; 5],
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    names: [u8; 160],
    init: [u64; 2],
}

/// `struct loop_config`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct LoopConfig {
    descriptor: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

const _: () = assert!(size_of::<LoopInfo>() == 232 && size_of::<LoopConfig>() == 304, "the kernel's sizes differ");

/// A loop device that stays while this is there, or while it is mounted.
#[derive(Debug)]
pub struct LoopDevice {
    path: PathBuf,
    _device: OwnedFd,
}

impl LoopDevice {
    /// Sets one up for what has this name. Needs root.
    ///
    /// # Errors
    ///
    /// What the system says, where there is no loop device to be had; `InvalidInput` for a name that is too long.
    pub fn new(name: &OsStr) -> io::Result<Self> {
        if name.len() > NAME_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is too long for a loop device"));
        }
        let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&memory, DEVICE_BYTES)?;
        let control = rustix::fs::open("/dev/loop-control", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        for _ in 0..ATTEMPTS_MAX {
            let path = PathBuf::from(format!("/dev/loop{}", free_number(&control)?));
            let device = rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
            match configure(&device, &memory) {
                Ok(()) => return Ok(Self { path, _device: device }),
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from_raw_os_error(libc::EBUSY))
    }

    /// The device.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn free_number(control: &OwnedFd) -> io::Result<i32> {
    // SAFETY: the ioctl takes no pointer.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

fn configure(device: &OwnedFd, memory: &OwnedFd) -> io::Result<()> {
    let info =
        LoopInfo { numbers: [0; 5], number: 0, encryption: [0; 2], flags: AUTOCLEAR, names: [0; 160], init: [0; 2] };
    let config = LoopConfig { descriptor: memory.as_raw_fd() as u32, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the ioctl reads one `struct loop_config` at the pointer, which outlives the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The name of what is mounted on a device, if [`LoopDevice::new`] set it up.
pub(crate) fn name_of(device: &OsStr) -> Option<OsString> {
    let device = Path::new(device).strip_prefix("/dev").ok()?;
    let backing = std::fs::read(Path::new("/sys/block").join(device).join("loop/backing_file")).ok()?;
    parse_backing(&backing).map(OsString::from_vec)
}

/// Memory shows as `/memfd:NAME (deleted)`.
fn parse_backing(backing: &[u8]) -> Option<Vec<u8>> {
    let backing = backing.strip_suffix(b"\n").unwrap_or(backing);
    Some(backing.strip_prefix(b"/memfd:")?.strip_suffix(b" (deleted)")?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn only_memory_has_a_name() {
        assert_eq!(parse_backing(b"/memfd:pantala:/a b:main (deleted)\n").as_deref(), Some(&b"pantala:/a b:main"[..]));
        assert_eq!(parse_backing(b"/var/disk.img\n"), None);
    }

    /// Where loop devices are to be had at all: as root, and not in every container.
    #[test]
    fn a_device_tells_its_name_and_goes_with_its_last_user() {
        let Ok(device) = LoopDevice::new("pantala:/store:main".as_ref()) else { return };
        let path = device.path().to_owned();
        assert_eq!(name_of(path.as_os_str()).as_deref(), Some("pantala:/store:main".as_ref()));
        drop(device);
        let is_gone = || name_of(path.as_os_str()).is_none_or(|name| name != "pantala:/store:main");
        let started = std::time::Instant::now();
        // The kernel takes it away behind the last close, and tells nobody.
        while !is_gone() {
            assert!(started.elapsed().as_secs() < 120, "{} is still there", path.display());
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let error = LoopDevice::new(OsStr::from_bytes(&[b'x'; NAME_BYTES_MAX + 1])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
