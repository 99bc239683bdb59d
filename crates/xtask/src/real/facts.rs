//! All that a file system tells of a file but its content.

use anyhow::{Context, Result};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{FileType, Metadata};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Linux's own limits: XATTR_LIST_MAX and XATTR_SIZE_MAX of `linux/limits.h`.
const XATTR_BYTES_MAX: usize = 64 * 1024;
const PERMISSIONS: u32 = 0o7777;
/// The unit of `st_blocks`, whatever the file system's own block is.
const BLOCK_BYTES: u64 = 512;

/// In what respect two files have to be alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// One is a faithful copy of the other on another file system.
    Copy,
    /// Both are checkouts of one commit: times are those of the checkout.
    Checkout,
    /// Both are the very same file, at two times, and nothing wrote to it in between.
    Same,
    /// Both are the very same file, complete at the first time, while an extraction around it went on: links may have been
    /// added, directories filled.
    Survivor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharacterDevice,
    BlockDevice,
}

pub(super) struct Facts {
    pub(super) kind: Kind,
    pub(super) inode: u64,
    pub(super) links: u64,
    pub(super) size: u64,
    mode: u32,
    owner: u32,
    group: u32,
    device: u64,
    allocated: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    target: Option<PathBuf>,
    xattrs: BTreeMap<OsString, Vec<u8>>,
}

impl Facts {
    pub(super) fn of(path: &Path) -> Result<Facts> {
        Facts::read(path).with_context(|| format!("{path:?}"))
    }

    fn read(path: &Path) -> Result<Facts> {
        let metadata = path.symlink_metadata()?;
        let kind = Kind::of(metadata.file_type());
        let target = (kind == Kind::Symlink).then(|| path.read_link()).transpose()?;
        Ok(Facts::new(kind, &metadata, target, xattrs(path)?))
    }

    fn new(kind: Kind, metadata: &Metadata, target: Option<PathBuf>, xattrs: BTreeMap<OsString, Vec<u8>>) -> Facts {
        Facts {
            kind,
            inode: metadata.ino(),
            links: metadata.nlink(),
            size: metadata.size(),
            mode: metadata.mode() & PERMISSIONS,
            owner: metadata.uid(),
            group: metadata.gid(),
            device: metadata.rdev(),
            allocated: metadata.blocks() * BLOCK_BYTES,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            target,
            xattrs,
        }
    }

    /// In words, in what `later` is not as this one has it.
    pub(super) fn differences(&self, later: &Facts, likeness: Likeness) -> Vec<String> {
        if self.kind != later.kind {
            return vec![format!("{:?} against {:?}", self.kind, later.kind)];
        }
        let both = self.attributes(likeness).into_iter().zip(later.attributes(likeness));
        let unequal = both.filter(|((_, left), (_, right))| left != right);
        let mut found: Vec<String> =
            unequal.map(|((name, left), (_, right))| format!("{name} {left} against {right}")).collect();
        if likeness == Likeness::Copy && self.is_sparse() && !later.is_sparse() {
            found
                .push(format!("{} bytes allocated against {}, so its holes are lost", self.allocated, later.allocated));
        }
        found
    }

    /// The attributes that count, each in words.
    fn attributes(&self, likeness: Likeness) -> Vec<(&'static str, String)> {
        let is_directory = self.kind == Kind::Directory;
        if likeness == Likeness::Survivor && is_directory {
            return Vec::new();
        }
        let mut attributes = vec![
            ("mode", format!("{:o}", self.mode)),
            ("owner", self.owner.to_string()),
            ("group", self.group.to_string()),
            ("device", format!("{:#x}", self.device)),
            ("target", format!("{:?}", self.target)),
            ("extended attributes", format!("{:?}", self.xattrs)),
        ];
        let is_same = likeness == Likeness::Same;
        // Of a directory, size and links are each file system's own affair.
        if !is_directory || is_same {
            attributes.push(("size", self.size.to_string()));
        }
        if (!is_directory && likeness != Likeness::Survivor) || is_same {
            attributes.push(("links", self.links.to_string()));
        }
        if likeness != Likeness::Checkout {
            attributes.push(("modified", time(self.modified)));
        }
        if is_same {
            attributes.push(("changed", time(self.changed)));
        }
        if is_same || likeness == Likeness::Survivor {
            attributes.push(("inode", self.inode.to_string()));
        }
        attributes
    }

    /// Whether most of it is a hole.
    fn is_sparse(&self) -> bool {
        self.kind == Kind::File && self.allocated * 2 < self.size
    }
}

impl Kind {
    fn of(file_type: FileType) -> Kind {
        match file_type {
            _ if file_type.is_file() => Kind::File,
            _ if file_type.is_dir() => Kind::Directory,
            _ if file_type.is_symlink() => Kind::Symlink,
            _ if file_type.is_fifo() => Kind::Fifo,
            _ if file_type.is_socket() => Kind::Socket,
            _ if file_type.is_char_device() => Kind::CharacterDevice,
            _ => Kind::BlockDevice,
        }
    }
}

fn time((seconds, nanoseconds): (i64, i64)) -> String {
    format!("{seconds}.{nanoseconds:09}")
}

fn xattrs(path: &Path) -> Result<BTreeMap<OsString, Vec<u8>>> {
    let mut buffer = vec![0; XATTR_BYTES_MAX];
    let length = match rustix::fs::llistxattr(path, &mut buffer) {
        Err(Errno::NOTSUP) => 0,
        outcome => outcome?,
    };
    let names = buffer[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names: Vec<OsString> = names.map(|name| OsString::from_vec(name.to_vec())).collect();
    let mut xattrs = BTreeMap::new();
    for name in names {
        let length = rustix::fs::lgetxattr(path, &name, &mut buffer)?;
        xattrs.insert(name, buffer[..length].to_vec());
    }
    Ok(xattrs)
}
