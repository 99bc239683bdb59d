//! What can be done, as data: one operation is one system call, or a few that only make sense together.
//!
//! An operation names no state but paths and slots, so any part of a sequence is a sequence too: that is what makes failures
//! shrink. What is not there when it is played fails alike on both sides.

use super::content::Content;
use super::name::Name;
use super::user::User;
use rustix::fs::{Access, FallocateFlags, FileType, IFlags, OFlags, RenameFlags, Timespec, XattrFlags};
use std::fmt;

/// A place for an open file, and one for a mapping. Every process has its own.
pub(super) type Slot = usize;
pub(super) const SLOTS: usize = 4;

/// How many processes act in a sequence, one at a time.
pub(super) const PROCESSES: usize = 3;

/// An operation, who does it, and in which process.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) process: usize,
    pub(super) user: User,
    pub(super) operation: Operation,
}

/// What a call that exists for paths and for open files is made on.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Path(Name),
    /// A path whose last symbolic link is not followed.
    Link(Name),
    Slot(Slot),
}

/// Permission bits, or a umask.
#[derive(Clone, Copy)]
pub(super) struct Bits(pub(super) u32);

impl fmt::Debug for Bits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0o{:o}", self.0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum SyncMode {
    All,
    Data,
    /// sync_file_range(2) of the whole file.
    Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockKind {
    Shared,
    Exclusive,
    Unlock,
}

/// Whose a lock of a range is (fcntl(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockOwner {
    Process,
    OpenFile,
}

/// A lock of a range of bytes; of all behind `start`, if the length is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeLock {
    pub(super) owner: LockOwner,
    pub(super) kind: LockKind,
    pub(super) start: i64,
    pub(super) length: i64,
}

/// Where a call for data is made: at an offset, or where the file's position is.
pub(super) type Position = Option<u64>;

#[derive(Clone, Debug)]
pub(super) enum Operation {
    // Open files.
    Open {
        slot: Slot,
        path: Name,
        flags: OFlags,
        mode: Bits,
    },
    Close {
        slot: Slot,
    },
    /// F_SETFL of fcntl(2).
    SetStatusFlags {
        slot: Slot,
        flags: OFlags,
    },
    Sync {
        slot: Slot,
        mode: SyncMode,
    },
    // Locks. Those that wait may do so until another process lets go.
    LockFile {
        slot: Slot,
        kind: LockKind,
        wait: bool,
    },
    LockRange {
        slot: Slot,
        lock: RangeLock,
        wait: bool,
    },
    /// Which lock is in the way of this one.
    TestLock {
        slot: Slot,
        lock: RangeLock,
    },
    /// A signal that is handled, for the process if it waits.
    Interrupt,
    /// SIGKILL, whether the process waits or not. Another one takes its place.
    Kill,
    // Names.
    Mkdir {
        path: Name,
        mode: Bits,
    },
    Rmdir {
        path: Name,
    },
    Unlink {
        path: Name,
    },
    Rename {
        from: Name,
        to: Name,
        flags: RenameFlags,
    },
    Link {
        from: Name,
        to: Name,
        follow: bool,
    },
    /// Gives an open file a name: by itself (AT_EMPTY_PATH), or by its path in `/proc`.
    LinkOpen {
        slot: Slot,
        to: Name,
        by_itself: bool,
    },
    Symlink {
        to: Name,
        path: Name,
    },
    ReadLink {
        path: Name,
    },
    Mknod {
        path: Name,
        kind: FileType,
        mode: Bits,
        device: u64,
    },
    List {
        path: Name,
    },
    /// Lists a directory in small pieces while names come and go in it.
    ListChanging {
        path: Name,
    },
    // Attributes.
    Stat {
        on: Target,
    },
    Access {
        path: Name,
        access: Access,
        effective: bool,
    },
    Chmod {
        on: Target,
        mode: Bits,
    },
    Chown {
        on: Target,
        uid: Option<u32>,
        gid: Option<u32>,
    },
    SetTimes {
        on: Target,
        accessed: Timespec,
        modified: Timespec,
    },
    SetInodeFlags {
        slot: Slot,
        flags: IFlags,
    },
    GetInodeFlags {
        slot: Slot,
    },
    /// A call while a file or a directory has these flags beside its own. Root sets them before it and takes them back after it.
    WithInodeFlags {
        path: Name,
        flags: IFlags,
        call: Box<Operation>,
    },
    Umask {
        mask: Bits,
    },
    /// Whether the times of an open file have changed since this was asked the last time.
    TimesChanged {
        slot: Slot,
    },
    SetXattr {
        on: Target,
        name: Name,
        value: Content,
        flags: XattrFlags,
    },
    GetXattr {
        on: Target,
        name: Name,
        buffer_bytes: usize,
    },
    ListXattrs {
        on: Target,
        buffer_bytes: usize,
    },
    RemoveXattr {
        on: Target,
        name: Name,
    },
    // Data.
    Truncate {
        on: Target,
        size: i64,
    },
    Read {
        slot: Slot,
        at: Position,
        bytes: usize,
    },
    Write {
        slot: Slot,
        at: Position,
        content: Content,
    },
    ReadVector {
        slot: Slot,
        at: Position,
        bytes: [usize; 3],
    },
    WriteVector {
        slot: Slot,
        at: Position,
        contents: [Content; 3],
    },
    Seek {
        slot: Slot,
        to: rustix::fs::SeekFrom,
    },
    /// SEEK_DATA, and that what it leaps over is zero.
    SeekData {
        slot: Slot,
        offset: u64,
    },
    /// SEEK_HOLE, and that the hole is zero.
    SeekHole {
        slot: Slot,
        offset: u64,
    },
    Allocate {
        slot: Slot,
        mode: FallocateFlags,
        offset: u64,
        length: u64,
    },
    CopyRange {
        from: Slot,
        from_offset: u64,
        to: Slot,
        to_offset: u64,
        bytes: usize,
    },
    Map {
        slot: Slot,
        shared: bool,
        writable: bool,
    },
    Unmap {
        slot: Slot,
    },
    MapRead {
        slot: Slot,
        offset: usize,
        bytes: usize,
    },
    /// Writes to a mapping; what was written goes to the file system at once, or later when the kernel likes.
    MapWrite {
        slot: Slot,
        offset: usize,
        content: Content,
        flush: bool,
    },
    /// One byte, also where no file is: a child of the process does it, and may die of it.
    MapTouch {
        slot: Slot,
        offset: usize,
        write: bool,
    },
    MapSync {
        slot: Slot,
    },
    /// Drops an open file's pages from the kernel's cache.
    Evict {
        slot: Slot,
    },
    /// Everything that root can see of the whole tree.
    Tree,
}

impl Operation {
    /// Whether the call may wait until another process does something.
    pub(super) fn may_wait(&self) -> bool {
        matches!(self, Operation::LockFile { wait: true, .. } | Operation::LockRange { wait: true, .. })
    }

    /// The call that is made under some condition, or this one.
    pub(super) fn call(&self) -> &Operation {
        match self {
            Operation::WithInodeFlags { call, .. } => call,
            operation => operation,
        }
    }

    /// The open file that it may change.
    pub(super) fn slot(&self) -> Option<Slot> {
        match self {
            Operation::Chmod { on: Target::Slot(slot), .. }
            | Operation::Chown { on: Target::Slot(slot), .. }
            | Operation::SetTimes { on: Target::Slot(slot), .. }
            | Operation::SetXattr { on: Target::Slot(slot), .. }
            | Operation::RemoveXattr { on: Target::Slot(slot), .. }
            | Operation::Truncate { on: Target::Slot(slot), .. }
            | Operation::LinkOpen { slot, .. }
            | Operation::Write { slot, .. }
            | Operation::WriteVector { slot, .. }
            | Operation::Allocate { slot, .. }
            | Operation::CopyRange { to: slot, .. }
            | Operation::MapWrite { slot, .. } => Some(*slot),
            _ => None,
        }
    }

    /// A path that it is about, if it is about names or attributes.
    pub(super) fn path(&self) -> Option<&Name> {
        match self {
            Operation::Mkdir { path, .. }
            | Operation::Rmdir { path }
            | Operation::Unlink { path }
            | Operation::Rename { from: path, .. }
            | Operation::Link { from: path, .. }
            | Operation::LinkOpen { to: path, .. }
            | Operation::Symlink { path, .. }
            | Operation::Mknod { path, .. }
            | Operation::List { path }
            | Operation::Stat { on: Target::Path(path) }
            | Operation::Chmod { on: Target::Path(path), .. }
            | Operation::Chown { on: Target::Path(path), .. }
            | Operation::SetTimes { on: Target::Path(path), .. }
            | Operation::SetXattr { on: Target::Path(path), .. }
            | Operation::GetXattr { on: Target::Path(path), .. }
            | Operation::RemoveXattr { on: Target::Path(path), .. }
            | Operation::Truncate { on: Target::Path(path), .. } => Some(path),
            _ => None,
        }
    }

    /// Whether it is about the content of open files.
    pub(super) fn is_of_data(&self) -> bool {
        matches!(
            self,
            Operation::Sync { .. }
                | Operation::TimesChanged { .. }
                | Operation::Truncate { on: Target::Slot(_), .. }
                | Operation::Read { .. }
                | Operation::Write { .. }
                | Operation::ReadVector { .. }
                | Operation::WriteVector { .. }
                | Operation::Seek { .. }
                | Operation::SeekData { .. }
                | Operation::SeekHole { .. }
                | Operation::Allocate { .. }
                | Operation::CopyRange { .. }
                | Operation::Map { .. }
                | Operation::Unmap { .. }
                | Operation::MapRead { .. }
                | Operation::MapWrite { .. }
                | Operation::MapTouch { .. }
                | Operation::MapSync { .. }
                | Operation::Evict { .. }
        )
    }

    /// What kind of operation it is, in a word.
    pub(super) fn word(&self) -> String {
        let words = format!("{self:?}");
        words.split([' ', '{']).next().unwrap_or_default().to_owned()
    }
}
