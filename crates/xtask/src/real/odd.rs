//! A folder of all that real sources seldom hold: odd names, links, times, sizes, modes, attributes and kinds of file.

use super::chance::Chance;
use anyhow::Result;
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::path::Path;

/// NAME_MAX of `linux/limits.h`.
const NAME_BYTES_MAX: usize = 255;
/// PATH_MAX of `linux/limits.h`, less the zero at the end.
const TARGET_BYTES_MAX: usize = 4095;
const SPARSE_BYTES: u64 = 64 << 20;
const CROWD: usize = 2000;
const DEPTH: usize = 40;

/// Makes the folder; what only root can make is left out for others.
pub(super) fn make(folder: &Path, is_root: bool) -> Result<()> {
    fs::create_dir(folder)?;
    names(&folder.join("names"))?;
    sizes(&folder.join("sizes"))?;
    crowd(&folder.join("crowd"))?;
    depth(&folder.join("depth"))?;
    links(&folder.join("links"))?;
    modes(&folder.join("modes"), is_root)?;
    attributes(&folder.join("attributes"), is_root)?;
    fs::create_dir(folder.join("empty"))?;
    rustix::fs::mknodat(CWD, folder.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0)?;
    sparse(&folder.join("sparse"))?;
    if is_root {
        owners(&folder.join("owners"))?;
    }
    // The last, for whatever is made in a folder sets its time.
    times(&folder.join("times"))
}

fn names(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let longest = [b'n'; NAME_BYTES_MAX];
    let odd: [&[u8]; 14] = [
        b"with space",
        b"two\nlines",
        b"tab\tbell\x07",
        b"quotes'\"`",
        b"back\\slash",
        b"-rf",
        b"*?[a]",
        b"$HOME",
        b"...",
        b".hidden",
        b"\xff\xfe not UTF-8",
        "\u{e9} and e\u{301}".as_bytes(),
        "\u{540d}\u{524d} \u{1f409}".as_bytes(),
        &longest,
    ];
    for name in odd {
        fs::write(folder.join(OsStr::from_bytes(name)), name)?;
    }
    Ok(())
}

/// Around the limits of pages and blocks, with bytes that do not compress.
fn sizes(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let mut chance = Chance::new(1);
    for limit in [1, 512, 4096, 64 << 10, 128 << 10, 1 << 20, 8 << 20] {
        for size in [limit - 1, limit, limit + 1] {
            fs::write(folder.join(size.to_string()), chance.bytes(size))?;
        }
    }
    Ok(fs::write(folder.join("compressible"), "the same line again\n".repeat(100_000))?)
}

/// More names than one reply of a directory's listing holds.
fn crowd(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    for number in 0..CROWD {
        fs::write(folder.join(format!("{number} of a crowd whose names are not short")), number.to_string())?;
    }
    Ok(())
}

fn depth(folder: &Path) -> Result<()> {
    let mut deepest = folder.to_path_buf();
    (0..DEPTH).for_each(|level| deepest.push(format!("level {level}")));
    fs::create_dir_all(&deepest)?;
    Ok(fs::write(deepest.join("file"), "deep")?)
}

fn links(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("below"))?;
    fs::write(folder.join("first"), "one file, three names")?;
    fs::hard_link(folder.join("first"), folder.join("second"))?;
    fs::hard_link(folder.join("first"), folder.join("below/third"))?;
    let longest = OsString::from("t".repeat(TARGET_BYTES_MAX));
    let targets: [(&str, &OsStr); 6] = [
        ("to file", "first".as_ref()),
        ("to folder", "below".as_ref()),
        ("upwards", "../../..".as_ref()),
        ("absolute", "/etc/passwd".as_ref()),
        ("dangling", "no such file".as_ref()),
        ("longest", &longest),
    ];
    for (name, target) in targets {
        symlink(target, folder.join(name))?;
    }
    // A symbolic link can have several names, too.
    Ok(rustix::fs::linkat(CWD, folder.join("dangling"), CWD, folder.join("dangling again"), AtFlags::empty())?)
}

fn modes(folder: &Path, is_root: bool) -> Result<()> {
    fs::create_dir(folder)?;
    for mode in [0o400, 0o644, 0o755, 0o777, 0o2755, 0o4755] {
        let file = folder.join(format!("file {mode:o}"));
        fs::write(&file, "")?;
        fs::set_permissions(&file, Permissions::from_mode(mode))?;
    }
    for mode in [0o700, 0o777, 0o1777, 0o2775] {
        let directory = folder.join(format!("folder {mode:o}"));
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(mode))?;
    }
    if is_root {
        // Others could not read it, to archive it.
        fs::write(folder.join("nobody's"), "root reads on")?;
        fs::set_permissions(folder.join("nobody's"), Permissions::from_mode(0o000))?;
    }
    Ok(())
}

fn attributes(folder: &Path, is_root: bool) -> Result<()> {
    fs::create_dir(folder)?;
    let file = folder.join("file");
    fs::write(&file, "attributed")?;
    set_attribute(&file, "user.text", b"value")?;
    set_attribute(&file, "user.empty", b"")?;
    set_attribute(&file, "user.binary", b"\0\n\xff=")?;
    set_attribute(&file, "user.big", &[b'b'; 2000])?;
    set_attribute(folder, "user.of a folder", b"value")?;
    if is_root {
        set_attribute(&file, "trusted.text", b"root's")?;
    }
    Ok(())
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) -> Result<()> {
    Ok(rustix::fs::setxattr(path, name, value, XattrFlags::CREATE)?)
}

fn sparse(path: &Path) -> Result<()> {
    let file = File::create(path)?;
    file.set_len(SPARSE_BYTES)?;
    for offset in [0, SPARSE_BYTES / 3, SPARSE_BYTES - 4096] {
        file.write_all_at(b"an island", offset)?;
    }
    Ok(())
}

fn owners(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    for (name, owner, group) in [("small", 1, 2), ("large", 4_000_000_000, 3_000_000_000)] {
        fs::write(folder.join(name), name)?;
        lchown(folder.join(name), Some(owner), Some(group))?;
        symlink(name, folder.join(format!("link to {name}")))?;
        lchown(folder.join(format!("link to {name}")), Some(group), Some(owner))?;
    }
    let null = rustix::fs::makedev(1, 3);
    match rustix::fs::mknodat(CWD, folder.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), null) {
        // In a container, even root may not.
        Err(rustix::io::Errno::PERM) => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// From the earliest that ext4 keeps to beyond 32 bits of seconds.
fn times(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    for (seconds, nanoseconds) in
        [(0, 0), (0, 1), (-1, 500_000_000), (-2_000_000_000, 1), (1 << 31, 0), (7_000_000_000, 999_999_999)]
    {
        let file = folder.join(format!("{seconds}.{nanoseconds:09}"));
        fs::write(&file, "")?;
        set_modified(&file, seconds, nanoseconds)?;
    }
    symlink("0.000000000", folder.join("link"))?;
    set_modified(&folder.join("link"), -3, 7)?;
    set_modified(folder, 1, 1)
}

fn set_modified(path: &Path, tv_sec: i64, tv_nsec: i64) -> Result<()> {
    let time = Timespec { tv_sec, tv_nsec };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_can_be_made_by_anyone() {
        let directory = tempfile::tempdir().unwrap();
        make(&directory.path().join("odd"), false).unwrap();
    }
}
