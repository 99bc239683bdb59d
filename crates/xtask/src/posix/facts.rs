//! What stat(2) tells of a file, as far as two file systems have to agree.
//!
//! Times that the kernel took from its clock cannot be equal on two sides; they count as recent. Those that a call set are far
//! from now, and have to be exact. The time of the last access is left out: over FUSE, no request tells of reads that the page cache
//! answers.

use super::allowances;
use super::portable::Portable;
use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Result;
use rustix::path::Arg;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{SystemTime, UNIX_EPOCH};

const RECENT_SECONDS_MAX: i64 = 24 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Recent,
    At(i64, u32),
}

#[derive(Clone, PartialEq)]
pub(super) struct Facts {
    pub(super) kind: FileType,
    mode: u32,
    uid: u32,
    gid: u32,
    pub(super) links: u32,
    /// Of a directory, each file system's own affair.
    size: Option<u64>,
    device: (u32, u32),
    modified: When,
    changed: When,
    born: When,
}

/// Who it is and when it changed: what only one side can compare with itself.
pub(super) struct Identity {
    pub(super) inode: u64,
    pub(super) modified: (i64, u32),
    pub(super) changed: (i64, u32),
}

/// The facts of what a path leads to.
pub(super) fn at(path: impl Arg, flags: AtFlags) -> Result<(Facts, Identity)> {
    of(CWD, path, flags)
}

/// The facts of an open file.
pub(super) fn of_open(file: BorrowedFd<'_>, flags: AtFlags) -> Result<(Facts, Identity)> {
    of(file, c"", flags | AtFlags::EMPTY_PATH)
}

fn of(directory: impl AsFd, path: impl Arg, flags: AtFlags) -> Result<(Facts, Identity)> {
    let statx = rustix::fs::statx(directory, path, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
    let time = |time: StatxTimestamp| (time.tv_sec, time.tv_nsec);
    let identity = Identity { inode: statx.stx_ino, modified: time(statx.stx_mtime), changed: time(statx.stx_ctime) };
    Ok((Facts::new(&statx), identity))
}

impl Facts {
    fn new(statx: &Statx) -> Facts {
        let kind = FileType::from_raw_mode(statx.stx_mode.into());
        Facts {
            kind,
            mode: u32::from(statx.stx_mode) & 0o7777,
            uid: statx.stx_uid,
            gid: statx.stx_gid,
            links: statx.stx_nlink,
            size: (kind != FileType::Directory).then_some(statx.stx_size),
            device: (statx.stx_rdev_major, statx.stx_rdev_minor),
            modified: if allowances::has_times(kind) { When::of(statx.stx_mtime) } else { When::Recent },
            changed: When::of(statx.stx_ctime),
            born: When::of(statx.stx_btime),
        }
    }

    /// The facts, each in words.
    fn words(&self) -> [(&'static str, String); 10] {
        [
            ("kind", format!("{:?}", self.kind)),
            ("mode", format!("{:o}", self.mode)),
            ("uid", self.uid.to_string()),
            ("gid", self.gid.to_string()),
            ("links", self.links.to_string()),
            ("size", self.size.map_or_else(String::new, |size| size.to_string())),
            ("device", format!("{}:{}", self.device.0, self.device.1)),
            ("modified", self.modified.to_string()),
            ("changed", self.changed.to_string()),
            ("born", self.born.to_string()),
        ]
    }

    /// The names of the facts that differ.
    pub(super) fn differing(&self, other: &Facts) -> Vec<&'static str> {
        let both = self.words().into_iter().zip(other.words());
        both.filter(|(one, other)| one != other).map(|((name, _), _)| name).collect()
    }
}

impl Portable for Facts {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.kind.put(bytes);
        [self.mode, self.uid, self.gid, self.links].iter().for_each(|number| number.put(bytes));
        self.size.put(bytes);
        self.device.put(bytes);
        [self.modified, self.changed, self.born].iter().for_each(|when| when.put(bytes));
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Facts> {
        Some(Facts {
            kind: FileType::take_from(bytes)?,
            mode: u32::take_from(bytes)?,
            uid: u32::take_from(bytes)?,
            gid: u32::take_from(bytes)?,
            links: u32::take_from(bytes)?,
            size: Option::take_from(bytes)?,
            device: <(u32, u32)>::take_from(bytes)?,
            modified: When::take_from(bytes)?,
            changed: When::take_from(bytes)?,
            born: When::take_from(bytes)?,
        })
    }
}

impl Portable for When {
    fn put(&self, bytes: &mut Vec<u8>) {
        let exact = match self {
            When::Recent => None,
            When::At(seconds, nanoseconds) => Some((*seconds, *nanoseconds)),
        };
        exact.put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<When> {
        let exact: Option<(i64, u32)> = Option::take_from(bytes)?;
        Some(exact.map_or(When::Recent, |(seconds, nanoseconds)| When::At(seconds, nanoseconds)))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words().into_iter().filter(|(_, word)| !word.is_empty());
        let words: Vec<String> = words.map(|(name, word)| format!("{name} {word}")).collect();
        formatter.write_str(&words.join(", "))
    }
}

impl When {
    fn of(time: StatxTimestamp) -> When {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
        match (now - time.tv_sec).abs() < RECENT_SECONDS_MAX {
            true => When::Recent,
            false => When::At(time.tv_sec, time.tv_nsec),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Recent => formatter.write_str("now"),
            When::At(seconds, nanoseconds) => write!(formatter, "{seconds}.{nanoseconds:09}"),
        }
    }
}
