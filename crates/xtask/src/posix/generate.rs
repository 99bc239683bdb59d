//! Random sequences: which operation comes how often, and with what arguments.
//!
//! Nothing here looks at a file system: a sequence follows from its seed alone. That calls succeed about as often as they fail
//! comes from how few names there are ([`super::places`]).

use super::allowances;
use super::content::Content;
use super::name::Name;
use super::operation::{Bits, LockKind, LockOwner, Operation, PROCESSES, Position, RangeLock, SLOTS, Step, SyncMode};
use super::peer::Peer;
use super::places::{content, directory, is_one_in, length, offset, one_of, path, slot, target};
use super::user::{SHARED_GROUP, User};
use crate::real::chance::Chance;
use rustix::fs::{Access, FallocateFlags, FileType, IFlags, OFlags, RenameFlags, SeekFrom, Timespec, XattrFlags};

/// So many steps are between two looks at the whole trees.
const TREE_INTERVAL: usize = 100;

type Make = fn(&mut Chance) -> Operation;

/// How often each kind of operation comes, and how one is made.
const KINDS: &[(usize, Make)] = &[
    (160, open),
    (12, |chance| Operation::Close { slot: slot(chance) }),
    (8, |chance| Operation::SetStatusFlags {
        slot: slot(chance),
        flags: OFlags::NONBLOCK | one_of(chance, &[OFlags::empty(), OFlags::APPEND, OFlags::NOATIME]),
    }),
    (40, |chance| Operation::LockFile { slot: slot(chance), kind: lock_kind(chance), wait: is_one_in(chance, 2) }),
    (90, |chance| Operation::LockRange { slot: slot(chance), lock: range_lock(chance), wait: is_one_in(chance, 2) }),
    (30, |chance| Operation::TestLock { slot: slot(chance), lock: range_lock(chance) }),
    (20, |_| Operation::Interrupt),
    (3, |_| Operation::Kill),
    (4, |chance| Operation::Sync {
        slot: slot(chance),
        mode: one_of(chance, &[SyncMode::All, SyncMode::Data, SyncMode::Range]),
    }),
    (60, |chance| Operation::Mkdir { path: directory(chance), mode: mode(chance) }),
    (35, |chance| Operation::Rmdir { path: directory(chance) }),
    (45, |chance| Operation::Unlink { path: path(chance) }),
    (70, rename),
    (40, |chance| Operation::Link { from: path(chance), to: path(chance), follow: is_one_in(chance, 3) }),
    (12, |chance| Operation::LinkOpen { slot: slot(chance), to: path(chance), by_itself: is_one_in(chance, 2) }),
    (35, symlink),
    (10, |chance| Operation::ReadLink { path: path(chance) }),
    (20, mknod),
    (15, |chance| Operation::List { path: directory(chance) }),
    (2, |chance| Operation::ListChanging { path: directory(chance) }),
    (50, |chance| Operation::Stat { on: target(chance) }),
    (15, access),
    (45, |chance| Operation::Chmod { on: target(chance), mode: mode(chance) }),
    (45, |chance| Operation::Chown { on: target(chance), uid: owner(chance), gid: group(chance) }),
    (40, |chance| Operation::SetTimes { on: target(chance), accessed: time(chance), modified: time(chance) }),
    (4, |chance| Operation::Umask {
        mask: one_of(chance, &[Bits(0), Bits(0o22), Bits(0o77), Bits(0o777), Bits(0o27)]),
    }),
    (30, |chance| Operation::TimesChanged { slot: slot(chance) }),
    (35, set_xattr),
    (20, |chance| Operation::GetXattr { on: target(chance), name: xattr_name(chance), buffer_bytes: buffer(chance) }),
    (12, |chance| Operation::ListXattrs { on: target(chance), buffer_bytes: buffer(chance) }),
    (15, |chance| Operation::RemoveXattr { on: target(chance), name: xattr_name(chance) }),
    (45, truncate),
    (25, |chance| Operation::Read { slot: slot(chance), at: None, bytes: length(chance) }),
    (35, |chance| Operation::Read { slot: slot(chance), at: position(chance), bytes: length(chance) }),
    (40, |chance| Operation::Write { slot: slot(chance), at: None, content: content(chance) }),
    (65, |chance| Operation::Write { slot: slot(chance), at: position(chance), content: content(chance) }),
    (15, |chance| Operation::ReadVector {
        slot: slot(chance),
        at: position(chance),
        bytes: [0; 3].map(|_| length(chance)),
    }),
    (20, |chance| Operation::WriteVector {
        slot: slot(chance),
        at: position(chance),
        contents: [0; 3].map(|_| content(chance)),
    }),
    (15, seek),
    (25, |chance| Operation::SeekData { slot: slot(chance), offset: offset(chance) }),
    (25, |chance| Operation::SeekHole { slot: slot(chance), offset: offset(chance) }),
    (45, allocate),
    (20, copy_range),
    (25, |chance| Operation::Map {
        slot: slot(chance),
        shared: !is_one_in(chance, 5),
        writable: !is_one_in(chance, 4),
    }),
    (6, |chance| Operation::Unmap { slot: slot(chance) }),
    (25, |chance| Operation::MapRead { slot: slot(chance), offset: map_offset(chance), bytes: length(chance) }),
    (30, |chance| Operation::MapWrite {
        slot: slot(chance),
        offset: map_offset(chance),
        content: content(chance),
        flush: true,
    }),
    (12, |chance| Operation::MapTouch { slot: slot(chance), offset: map_offset(chance), write: is_one_in(chance, 2) }),
    (5, |chance| Operation::MapSync { slot: slot(chance) }),
    (15, |chance| Operation::Evict { slot: slot(chance) }),
    (6, |chance| Operation::SetInodeFlags {
        slot: slot(chance),
        flags: one_of(chance, &[IFlags::empty(), IFlags::NODUMP, IFlags::NOATIME, allowances::INODE_FLAGS]),
    }),
    (4, |chance| Operation::GetInodeFlags { slot: slot(chance) }),
    (60, with_inode_flags),
];

/// Of so many calls one is watched.
const WATCHED: usize = 4;

/// What holds for a whole sequence.
struct Setting {
    peer: Peer,
    /// Whether what is written to mappings is with the file system at once.
    is_flushed: bool,
    /// Whether only contents change: no names, attributes or locks.
    is_of_data: bool,
    /// Whether inode flags are set, or else times are watched ([`allowances::is_of_flags`]).
    has_inode_flags: bool,
    /// Whether files may have capabilities, or else set-user-id and set-group-id ([`allowances::is_of_privileges`]).
    has_capabilities: bool,
}

/// A sequence of so many steps, with looks at the whole trees in between and at the end.
pub(super) fn steps(chance: &mut Chance, count: usize, peer: Peer) -> Vec<Step> {
    let setting = Setting {
        peer,
        is_flushed: is_one_in(chance, 2),
        is_of_data: is_one_in(chance, 4),
        has_inode_flags: is_one_in(chance, 3),
        has_capabilities: is_one_in(chance, 3),
    };
    let mut steps = beginning(chance);
    for number in steps.len() + 1..=count {
        let step = step(chance, &setting);
        let watch = is_one_in(chance, WATCHED).then(|| watch(chance, &step)).filter(|watch| setting.lets(watch));
        steps.extend(watch.clone().into_iter().chain([step]).chain(watch));
        if number % TREE_INTERVAL == 0 || number == count {
            steps.push(Step { process: 0, user: User::Root, operation: Operation::Tree });
        }
    }
    steps
}

/// Looks at the times of the open file that a step is about, or of some other of its process. Before and after the step it shows which
/// of them that set.
fn watch(chance: &mut Chance, step: &Step) -> Step {
    let slot = step.operation.slot().unwrap_or_else(|| slot(chance));
    Step { process: step.process, user: User::Root, operation: Operation::TimesChanged { slot } }
}

/// Directories, and open files in every process, for the rest to meet.
fn beginning(chance: &mut Chance) -> Vec<Step> {
    let mode = Bits(0o777);
    let root = |process, operation| Step { process, user: User::Root, operation };
    let mkdirs = ["a", "b", "a/a", "a/b"].map(|path| root(0, Operation::Mkdir { path: path.into(), mode }));
    let places = (0..PROCESSES).flat_map(|process| (0..SLOTS).map(move |slot| (process, slot)));
    let opens = places.map(|(process, slot)| {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let path = one_of(chance, &["c", "d", "a/c", "b/d", "a/b/c"].map(Name::from));
        root(process, Operation::Open { slot, path, flags, mode })
    });
    mkdirs.into_iter().chain(opens).collect()
}

fn step(chance: &mut Chance, setting: &Setting) -> Step {
    let user = one_of(chance, &[User::Root, User::Root, User::Root, User::Alice, User::Alice, User::Bob]);
    loop {
        let mut operation = operation(chance);
        if let Operation::MapWrite { flush, .. } = &mut operation {
            *flush = setting.is_flushed;
        }
        let step = Step { process: 0, user, operation };
        if setting.lets(&step) {
            return Step { process: chance.within(0..PROCESSES), ..step };
        }
    }
}

impl Setting {
    /// Whether a step is one of this sequence's, and can be compared.
    fn lets(&self, Step { user, operation, .. }: &Step) -> bool {
        let call = operation.call();
        let is_unequal = allowances::is_beyond(self.peer, *user, call)
            || *user != User::Root && allowances::is_unchecked_by_kernel(call)
            || !self.is_flushed && allowances::depends_on_mappings(call)
            || self.is_of_data && !operation.is_of_data()
            || allowances::is_of_flags(operation, !self.has_inode_flags)
            || allowances::is_of_privileges(call, !self.has_capabilities)
            || allowances::is_refused_by_kernel(call);
        !is_unequal
    }
}

fn operation(chance: &mut Chance) -> Operation {
    let total = KINDS.iter().map(|(weight, _)| weight).sum();
    let mut place = chance.within(0..total);
    for (weight, make) in KINDS {
        match place.checked_sub(*weight) {
            Some(rest) => place = rest,
            None => return make(chance),
        }
    }
    Operation::Tree
}

/// A call about names or attributes, of which one or the directory of one is immutable or append-only. What is written to an open file
/// then is not compared ([`allowances::INODE_FLAGS`]).
fn with_inode_flags(chance: &mut Chance) -> Operation {
    loop {
        let call = operation(chance);
        let Some(path) = call.path() else { continue };
        let path = if is_one_in(chance, 2) { path.clone() } else { path.parent() };
        let flags = one_of(chance, &[IFlags::IMMUTABLE, IFlags::APPEND]);
        return Operation::WithInodeFlags { path, flags, call: Box::new(call) };
    }
}

/// Never waits: a fifo would hold the test for ever. What sets the flags of an open file does not take that back.
fn open(chance: &mut Chance) -> Operation {
    const OFTEN: &[(usize, OFlags)] = &[
        (2, OFlags::CREATE),
        (9, OFlags::EXCL),
        (7, OFlags::TRUNC),
        (4, OFlags::APPEND),
        (16, OFlags::DIRECTORY),
        (7, OFlags::NOFOLLOW),
        (30, OFlags::DSYNC),
        (50, OFlags::PATH),
        (25, OFlags::NOATIME),
        (40, OFlags::TMPFILE),
        (25, OFlags::DIRECT),
    ];
    let access = one_of(chance, &[OFlags::RDONLY, OFlags::WRONLY, OFlags::RDWR, OFlags::RDWR]);
    let mut flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
    for (count, flag) in OFTEN {
        if is_one_in(chance, *count) {
            flags |= *flag;
        }
    }
    Operation::Open { slot: slot(chance), path: path(chance), flags, mode: mode(chance) }
}

fn mode(chance: &mut Chance) -> Bits {
    const MODES: &[u32] = &[
        0o644, 0o666, 0o600, 0o777, 0o755, 0o700, 0o640, 0o000, 0o222, 0o444, 0o111, 0o4755, 0o2755, 0o6777, 0o2644,
        0o1777, 0o2775, 0o2777, 0o1755,
    ];
    match is_one_in(chance, 6) {
        true => Bits(chance.within(0..0o10000) as u32),
        false => Bits(one_of(chance, MODES)),
    }
}

fn owner(chance: &mut Chance) -> Option<u32> {
    one_of(chance, &[None, None, Some(0), Some(User::Alice.id()), Some(User::Bob.id())])
}

fn group(chance: &mut Chance) -> Option<u32> {
    one_of(chance, &[None, Some(0), Some(User::Alice.id()), Some(User::Bob.id()), Some(SHARED_GROUP)])
}

/// Far from now, within what ext4 can keep.
fn time(chance: &mut Chance) -> Timespec {
    const SECONDS: &[i64] =
        &[0, 1, -1, -2_000_000_000, i32::MAX as i64, 1 << 31, 1 << 33, 15_000_000_000, 1_000_000_000];
    const NANOSECONDS: &[i64] = &[
        0,
        0,
        1,
        999_999_999,
        123_456_789,
        rustix::fs::UTIME_NOW,
        rustix::fs::UTIME_OMIT,
        rustix::fs::UTIME_OMIT,
        1_000_000_000,
    ];
    Timespec { tv_sec: one_of(chance, SECONDS), tv_nsec: one_of(chance, NANOSECONDS) }
}

fn rename(chance: &mut Chance) -> Operation {
    let flags = one_of(
        chance,
        &[
            RenameFlags::empty(),
            RenameFlags::empty(),
            RenameFlags::empty(),
            RenameFlags::NOREPLACE,
            RenameFlags::EXCHANGE,
            RenameFlags::EXCHANGE | RenameFlags::NOREPLACE,
            RenameFlags::WHITEOUT,
        ],
    );
    Operation::Rename { from: path(chance), to: path(chance), flags }
}

/// Mostly to what may be there, so also to each other and to themselves.
fn symlink(chance: &mut Chance) -> Operation {
    let to = match chance.within(0..12) {
        0 => one_of(chance, &[".", "", "../a", "../b/c"].map(Name::from)),
        1 => Name(vec![b't'; 4094 + chance.within(0..3)]),
        _ => path(chance),
    };
    Operation::Symlink { to, path: path(chance) }
}

fn mknod(chance: &mut Chance) -> Operation {
    let null = rustix::fs::makedev(1, 3);
    let (kind, device) = one_of(
        chance,
        &[
            (FileType::Fifo, 0),
            (FileType::Fifo, 0),
            (FileType::Socket, 0),
            (FileType::RegularFile, 0),
            (FileType::CharacterDevice, null),
            (FileType::BlockDevice, rustix::fs::makedev(240, 1 << 17)),
            (FileType::Directory, 0),
        ],
    );
    Operation::Mknod { path: path(chance), kind, mode: mode(chance), device }
}

fn access(chance: &mut Chance) -> Operation {
    let access = Access::from_bits_retain(chance.within(0..8) as u32);
    Operation::Access { path: path(chance), access, effective: is_one_in(chance, 2) }
}

fn xattr_name(chance: &mut Chance) -> Name {
    const NAMES: &[&str] = &[
        "user.a",
        "user.a",
        "user.a",
        "user.a",
        "user.b",
        "user.b",
        "user.c",
        "trusted.a",
        "security.a",
        "security.capability",
        "system.posix_acl_access",
        "system.posix_acl_default",
        "system.a",
    ];
    match chance.within(0..40) {
        0 => Name::from(one_of(chance, &["user.", "nowhere.a", "a", ""])),
        1 => Name([b"user.".as_slice(), &vec![b'x'; 249 + chance.within(0..3)]].concat()),
        _ => Name::from(one_of(chance, NAMES)),
    }
}

fn set_xattr(chance: &mut Chance) -> Operation {
    let name = xattr_name(chance);
    let value = match name.0.as_slice() {
        b"security.capability" => Content::Capability,
        b"system.posix_acl_access" | b"system.posix_acl_default" => Content::AccessList { form: chance.next() },
        _ => Content::Random {
            seed: chance.next() % 1000,
            bytes: one_of(chance, &[0, 1, 5, 40, 80, 200, 3000, 4097, 65536, 65537]),
        },
    };
    let flags = one_of(
        chance,
        &[
            XattrFlags::empty(),
            XattrFlags::empty(),
            XattrFlags::empty(),
            XattrFlags::empty(),
            XattrFlags::CREATE,
            XattrFlags::REPLACE,
            XattrFlags::CREATE | XattrFlags::REPLACE,
            XattrFlags::all(),
        ],
    );
    Operation::SetXattr { on: target(chance), name, value, flags }
}

/// Nothing, too little, and enough.
fn buffer(chance: &mut Chance) -> usize {
    one_of(chance, &[0, 1, 10, 100, 4000, 65536, 70000, 70000, 70000])
}

fn truncate(chance: &mut Chance) -> Operation {
    Operation::Truncate { on: target(chance), size: offset(chance) as i64 }
}

fn position(chance: &mut Chance) -> Position {
    Some(offset(chance))
}

fn seek(chance: &mut Chance) -> Operation {
    let distance = chance.within(0..20_000) as i64 - 10_000;
    let to = match chance.within(0..3) {
        0 => SeekFrom::Start(offset(chance)),
        1 => SeekFrom::Current(distance),
        _ => SeekFrom::End(distance),
    };
    Operation::Seek { slot: slot(chance), to }
}

fn allocate(chance: &mut Chance) -> Operation {
    let mode = one_of(
        chance,
        &[
            FallocateFlags::empty(),
            FallocateFlags::KEEP_SIZE,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            FallocateFlags::PUNCH_HOLE,
            FallocateFlags::ZERO_RANGE,
            FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE,
            FallocateFlags::COLLAPSE_RANGE,
            FallocateFlags::INSERT_RANGE,
        ],
    );
    // Only ranges of whole blocks can be taken out or put in.
    let is_of_blocks = mode.intersects(FallocateFlags::COLLAPSE_RANGE | FallocateFlags::INSERT_RANGE);
    let unit = if is_of_blocks && !is_one_in(chance, 4) { 4096 } else { 1 };
    let (offset, length) = (offset(chance), length(chance) as u64);
    Operation::Allocate { slot: slot(chance), mode, offset: offset / unit * unit, length: length / unit * unit }
}

fn copy_range(chance: &mut Chance) -> Operation {
    Operation::CopyRange {
        from: slot(chance),
        from_offset: offset(chance),
        to: slot(chance),
        to_offset: offset(chance),
        bytes: length(chance),
    }
}

fn lock_kind(chance: &mut Chance) -> LockKind {
    one_of(chance, &[LockKind::Shared, LockKind::Exclusive, LockKind::Exclusive, LockKind::Unlock])
}

/// Few ranges, so that locks meet, split and join.
fn range_lock(chance: &mut Chance) -> RangeLock {
    RangeLock {
        owner: one_of(chance, &[LockOwner::Process, LockOwner::Process, LockOwner::OpenFile]),
        kind: lock_kind(chance),
        start: one_of(chance, &[0, 0, 1, 5, 10, 20, i64::MAX - 1, -1]),
        length: one_of(chance, &[0, 1, 5, 10, 10, -5, i64::MAX]),
    }
}

fn map_offset(chance: &mut Chance) -> usize {
    one_of(chance, &[0, 1, 100, 2000, 4095, 5000, 8192, 65536, 131_000])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(seed: u64) -> Vec<Step> {
        steps(&mut Chance::new(seed), 5000, Peer::Ext4)
    }

    #[test]
    fn a_seed_gives_one_sequence() {
        assert_eq!(format!("{:?}", sequence(1)), format!("{:?}", sequence(1)));
        assert_ne!(format!("{:?}", sequence(1)), format!("{:?}", sequence(2)));
    }

    #[test]
    fn every_kind_of_operation_comes() {
        let steps = (0..10).flat_map(sequence);
        let words: std::collections::BTreeSet<String> = steps.map(|step| step.operation.word()).collect();
        // The look at the tree has no weight.
        let kinds = KINDS.iter().map(|(_, make)| make(&mut Chance::new(1)).word()).chain(["Tree".to_owned()]);
        for kind in kinds {
            assert!(words.contains(&kind), "{kind}");
        }
    }
}
