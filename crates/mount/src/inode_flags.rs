//! The flags of chattr(1), as the kernel asks for them and sets them: by the ioctls that it makes of `FS_IOC_GETFLAGS` and its like,
//! after it has checked who may, and the generation of an inode's number. What travels is in the machine's byte order.

#![expect(clippy::host_endian_bytes, reason = "the kernel's own structs")]

use fuse::{Errno, Ioctl, IoctlResult};
use volume::{Inode, InodeFlags, Volume};

/// `FS_IOC_GETFLAGS`: `_IOR('f', 1, long)`, though what travels is 4 bytes.
const GET_FLAGS: u32 = 0x8008_6601;
/// `FS_IOC_SETFLAGS`: `_IOW('f', 2, long)`.
const SET_FLAGS: u32 = 0x4008_6602;
/// `FS_IOC_FSGETXATTR`: `_IOR('X', 31, struct fsxattr)`.
const GET_EXTENDED: u32 = 0x801c_581f;
/// `FS_IOC_FSSETXATTR`: `_IOW('X', 32, struct fsxattr)`.
const SET_EXTENDED: u32 = 0x401c_5820;

/// `FS_IOC_GETVERSION`: `_IOR('v', 1, long)`, though what travels is 4 bytes.
const GET_VERSION: u32 = 0x8008_7601;

/// Which use of its number an inode is. Numbers are never used again.
const VERSION: u32 = 1;

/// Length of `struct fsxattr`: the flags, size hints, number of extents and project that are not kept here, 8 bytes of padding.
const EXTENDED_BYTES: usize = 28;

/// One flag in each of its numberings.
struct Numbers {
    flag: InodeFlags,
    /// `FS_*_FL`
    plain: u32,
    /// `FS_XFLAG_*`
    extended: u32,
    /// `STATX_ATTR_*`; 0: statx(2) does not show it.
    statx: u64,
}

const FLAGS: [Numbers; 4] = [
    Numbers { flag: InodeFlags::IMMUTABLE, plain: 0x10, extended: 0x8, statx: 0x10 },
    Numbers { flag: InodeFlags::APPEND_ONLY, plain: 0x20, extended: 0x10, statx: 0x20 },
    Numbers { flag: InodeFlags::NO_DUMP, plain: 0x40, extended: 0x80, statx: 0x40 },
    Numbers { flag: InodeFlags::NO_ACCESS_TIME, plain: 0x80, extended: 0x40, statx: 0 },
];

/// The flags as statx(2) shows them.
pub(crate) fn statx_attributes(flags: InodeFlags) -> u64 {
    FLAGS.iter().filter(|numbers| flags.contains(numbers.flag)).map(|numbers| numbers.statx).sum()
}

/// Those that statx(2) would show.
pub(crate) fn statx_mask() -> u64 {
    FLAGS.iter().map(|numbers| numbers.statx).sum()
}

/// Whether a successful ioctl has set flags.
pub(crate) fn is_set_by(ioctl: Ioctl) -> bool {
    matches!(ioctl.command, SET_FLAGS | SET_EXTENDED)
}

/// Carries out an ioctl on flags; ENOTTY for all others.
pub(crate) fn ioctl(
    volume: &Volume,
    inode: Inode,
    ioctl: Ioctl,
    input: &[u8],
    output: &mut [u8],
) -> Result<IoctlResult, Errno> {
    let failed = crate::convert::errno;
    let flags = || volume.attributes(inode).map(|attributes| attributes.flags).map_err(failed);
    match ioctl.command {
        GET_FLAGS => answer(output, &numbered(flags()?, |numbers| numbers.plain).to_ne_bytes()),
        GET_VERSION => answer(output, &VERSION.to_ne_bytes()),
        GET_EXTENDED => {
            let mut fsxattr = [0; EXTENDED_BYTES];
            fsxattr[..4].copy_from_slice(&numbered(flags()?, |numbers| numbers.extended).to_ne_bytes());
            answer(output, &fsxattr)
        }
        SET_FLAGS => {
            let flags = parse(input, |numbers| numbers.plain)?;
            volume.set_flags(inode, flags).map_err(failed)?;
            Ok(IoctlResult::default())
        }
        SET_EXTENDED => {
            let hints = input.get(4..EXTENDED_BYTES).ok_or(Errno::EINVAL)?;
            if hints.iter().any(|byte| *byte != 0) {
                return Err(Errno::EOPNOTSUPP);
            }
            let flags = parse(input, |numbers| numbers.extended)?;
            volume.set_flags(inode, flags).map_err(failed)?;
            Ok(IoctlResult::default())
        }
        _ => Err(Errno::ENOTTY),
    }
}

fn numbered(flags: InodeFlags, number: impl Fn(&Numbers) -> u32) -> u32 {
    FLAGS.iter().filter(|numbers| flags.contains(numbers.flag)).map(number).sum()
}

/// Flags that are not kept here are refused, as ext4 refuses those that it does not know.
fn parse(input: &[u8], number: impl Fn(&Numbers) -> u32) -> Result<InodeFlags, Errno> {
    let mut rest = u32::from_ne_bytes(*input.first_chunk().ok_or(Errno::EINVAL)?);
    let mut flags = InodeFlags::default();
    for numbers in &FLAGS {
        if rest & number(numbers) != 0 {
            rest &= !number(numbers);
            flags = flags | numbers.flag;
        }
    }
    if rest == 0 { Ok(flags) } else { Err(Errno::EOPNOTSUPP) }
}

fn answer(output: &mut [u8], bytes: &[u8]) -> Result<IoctlResult, Errno> {
    output.get_mut(..bytes.len()).ok_or(Errno::EINVAL)?.copy_from_slice(bytes);
    Ok(IoctlResult { value: 0, output_length: bytes.len() })
}
