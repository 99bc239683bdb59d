//! Copies a file or a tree with everything that belongs to it. Data is copied by reference where the file system can.

use crate::output;
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest list of names, and longest value, of extended attributes (XATTR_LIST_MAX, XATTR_SIZE_MAX).
const XATTR_BYTES_MAX: usize = 64 << 10;

const TICK: Duration = Duration::from_millis(100);

pub(super) struct TreeCopy {
    bar: ProgressBar,
    files: u64,
    bytes: u64,
    /// Files with several names, by device and inode number: where the first copy is.
    linked: HashMap<(u64, u64), PathBuf>,
}

impl TreeCopy {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(TICK);
        Self { bar, files: 0, bytes: 0, linked: HashMap::new() }
    }

    /// How much was copied, in words.
    pub(super) fn summary(&self) -> String {
        self.bar.finish_and_clear();
        let what = if self.files == 1 { "file or directory" } else { "files and directories" };
        format!("{} {what}, {}", self.files, output::bytes(self.bytes))
    }

    pub(super) fn copy(&mut self, from: &Path, to: &Path) -> Result<()> {
        let metadata = from.symlink_metadata().with_context(|| format!("cannot look at {}", from.display()))?;
        let failed = || format!("cannot copy {}", from.display());
        let identity = (metadata.dev(), metadata.ino());
        if let Some(first) = self.linked.get(&identity) {
            return fs::hard_link(first, to).with_context(failed);
        }
        self.make(from, to, &metadata)?;
        copy_attributes(from, to, &metadata).with_context(failed)?;
        if metadata.nlink() > 1 && !metadata.is_dir() {
            self.linked.insert(identity, to.to_owned());
        }
        self.files += 1;
        self.bytes += if metadata.is_file() { metadata.len() } else { 0 };
        self.bar.set_message(format!("{} files, {}", self.files, output::bytes(self.bytes)));
        Ok(())
    }

    fn make(&mut self, from: &Path, to: &Path, metadata: &Metadata) -> Result<()> {
        let failed = || format!("cannot copy {}", from.display());
        let kind = metadata.file_type();
        if kind.is_dir() {
            fs::create_dir(to).with_context(failed)?;
            for entry in fs::read_dir(from).with_context(failed)? {
                let name = entry.with_context(failed)?.file_name();
                self.copy(&from.join(&name), &to.join(&name))?;
            }
            return Ok(());
        }
        if kind.is_file() {
            let made = File::options().write(true).create_new(true).mode(0o600).open(to).with_context(failed)?;
            return copy_data(&File::open(from).with_context(failed)?, &made, metadata.len()).with_context(failed);
        }
        if kind.is_symlink() {
            return fs::read_link(from).and_then(|target| symlink(target, to)).with_context(failed);
        }
        let node = match () {
            () if kind.is_fifo() => FileType::Fifo,
            () if kind.is_socket() => FileType::Socket,
            () if kind.is_char_device() => FileType::CharacterDevice,
            () => FileType::BlockDevice,
        };
        rustix::fs::mknodat(CWD, to, node, Mode::from_raw_mode(0o600), metadata.rdev()).with_context(failed)
    }
}

/// The standard library's copy asks for a copy by reference first.
fn copy_data(mut from: &File, mut to: &File, length: u64) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to)?;
    if copied < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Owner, permissions, extended attributes, times. Only root may give a file away: others get one of their own.
fn copy_attributes(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    let owner = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    match rustix::fs::chownat(CWD, to, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    if !metadata.is_symlink() {
        copy_xattrs(from, to)?;
        fs::set_permissions(to, metadata.permissions())?;
    }
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec() as _),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec() as _),
    };
    Ok(rustix::fs::utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn copy_xattrs(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0; XATTR_BYTES_MAX];
    let length = rustix::fs::llistxattr(from, &mut names[..])?;
    let mut value = vec![0; XATTR_BYTES_MAX];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::lgetxattr(from, name, &mut value[..])?;
        match rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Ok(()) | Err(Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
