//! What is not compared, and why. Everything else has to be equal.

use super::operation::{Operation, Target};
use super::outcome::Outcome;
use super::peer::Peer;
use super::user::User;
use rustix::fs::{FallocateFlags, FileType, IFlags, OFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;

/// The flags of chattr(1) that are compared. That a file is immutable or append-only, an open over FUSE does not see: `may_open` looks
/// at flags that no FUSE inode has.
pub(super) const INODE_FLAGS: IFlags = IFlags::NODUMP.union(IFlags::NOATIME);

/// Whether the kernel refuses a call before a FUSE file system sees it (`fuse_file_fallocate`).
pub(super) fn is_refused_by_kernel(operation: &Operation) -> bool {
    const REFUSED: FallocateFlags = FallocateFlags::COLLAPSE_RANGE.union(FallocateFlags::INSERT_RANGE);
    matches!(operation, Operation::Allocate { mode, .. } if mode.intersects(REFUSED))
}

/// Whether an attribute is another form of one that is compared: xfs shows its access lists to root under names of its own, too.
pub(super) fn is_other_form(xattr: &[u8]) -> bool {
    xattr.starts_with(b"trusted.SGI_ACL_")
}

/// The longest target of a symbolic link in xfs (XFS_SYMLINK_MAXLEN).
const XFS_SYMLINK_BYTES_MAX: usize = 1024;
/// XATTR_LIST_MAX of `linux/limits.h`.
const XATTR_LIST_BYTES_MAX: usize = 64 << 10;

/// Whether the file system to compare with does something in another way than POSIX or ext4.
pub(super) fn is_beyond(peer: Peer, user: User, operation: &Operation) -> bool {
    let is_root = user == User::Root;
    match (peer, operation) {
        (Peer::Ext4, _) => false,
        (Peer::Xfs, Operation::Symlink { to, .. }) => to.0.len() >= XFS_SYMLINK_BYTES_MAX,
        // Which of the times of both inodes and their directories are set is another choice than that of ext4; and a whiteout is made
        // as a file of the directory that the name goes to.
        (Peer::Xfs, Operation::Rename { flags, .. }) => flags.intersects(RenameFlags::EXCHANGE | RenameFlags::WHITEOUT),
        // An empty file that is made empty keeps its times and set-group-id, and what truncate(2) gives the size that it has its times.
        (Peer::Xfs, Operation::Truncate { on, size }) => *size == 0 || !matches!(on, Target::Slot(_)),
        // The names of its own need space ([`is_other_form`]).
        (Peer::Xfs, Operation::ListXattrs { buffer_bytes, .. }) => *buffer_bytes < XATTR_LIST_BYTES_MAX,
        // An attribute that is to be created and to be replaced is created. ext4 fails, whether it is there or not.
        (Peer::Xfs, Operation::SetXattr { flags, .. }) => flags.contains(XattrFlags::CREATE | XattrFlags::REPLACE),
        (Peer::Xfs, Operation::Open { flags, .. }) => flags.contains(OFlags::TRUNC) && !is_root,
        _ => false,
    }
}

/// Whether a file system has to know what was written to a mapping to do it right. Over FUSE it does not before the kernel writes
/// the pages out: only then are they no hole any more, and set the file's times.
pub(super) fn depends_on_mappings(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::SetTimes { .. }
            | Operation::TimesChanged { .. }
            | Operation::SeekData { .. }
            | Operation::SeekHole { .. }
    )
}

/// Whether the kernel leaves out a check of a call by ordinary users. A chown(2) that changes no owner takes set-user-id and
/// set-group-id away, which only the owner may do; over FUSE nobody asks who it is (fuse_setattr drops the mode before
/// setattr_prepare sees it).
pub(super) fn is_unchecked_by_kernel(operation: &Operation) -> bool {
    matches!(operation, Operation::Chown { uid: None, gid: None, .. })
}

/// Whether an operation sets inode flags, or else watches times. The kernel keeps the attributes that it knows of a file whose flags
/// it has had set (`fuse_fileattr_set`), and with them the old time of change.
pub(super) fn is_of_flags(operation: &Operation, flags: bool) -> bool {
    match operation {
        Operation::SetInodeFlags { .. } | Operation::WithInodeFlags { .. } => flags,
        Operation::TimesChanged { .. } => !flags,
        _ => false,
    }
}

/// Whether an operation gives a file capabilities, or else set-user-id or set-group-id. A file with both loses both at a write of
/// root's, where a local file system would leave the bits: the kernel asks for it by a SETATTR that sets nothing, as it does for a
/// chown(2) that changes no owner (`mount/src/privileges.rs`).
pub(super) fn is_of_privileges(operation: &Operation, capabilities: bool) -> bool {
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    match operation {
        Operation::SetXattr { name, .. } => capabilities && name.0 == b"security.capability",
        Operation::Open { mode, .. }
        | Operation::Mkdir { mode, .. }
        | Operation::Mknod { mode, .. }
        | Operation::Chmod { mode, .. } => !capabilities && mode.0 & SET_ID != 0,
        _ => false,
    }
}

/// Whether the time of the last change of the content is kept. Of a fifo's content the kernel takes care alone, and over FUSE it
/// tells nobody when it changes (fuse_init_inode, S_NOCMTIME).
pub(super) fn has_times(kind: FileType) -> bool {
    kind != FileType::Fifo
}

/// Whether POSIX leaves the choice, the mount does as ext4 does, and another file system does not; or the kernel finds another reason to
/// refuse a call first, since it does not know that something is immutable or append-only.
pub(super) fn is_allowed(peer: Peer, operation: &Operation, on: &Outcome, beside: &Outcome) -> bool {
    const NOT_EMPTY: Outcome = Outcome::Failed(Errno::NOTEMPTY);
    const EXISTS: Outcome = Outcome::Failed(Errno::EXIST);
    const NO_SUCH_CALL: Outcome = Outcome::Failed(Errno::NOTTY);
    const NOT_PERMITTED: Outcome = Outcome::Failed(Errno::PERM);
    if let (Outcome::Woke { by: on, process, got }, Outcome::Woke { by: beside, process: other, got: other_got }) =
        (on, beside)
    {
        return process == other && got == other_got && is_allowed(peer, operation, on, beside);
    }
    if matches!(operation, Operation::WithInodeFlags { .. })
        && matches!(on, Outcome::Failed(_))
        && *beside == NOT_PERMITTED
    {
        return true;
    }
    match (peer, operation) {
        // That what is no directory has no default list, the kernel knows without asking (`set_posix_acl`).
        (_, Operation::WithInodeFlags { call, .. }) if is_default_list_removed(call) => {
            *on == Outcome::Done && *beside == NOT_PERMITTED
        }
        (Peer::Xfs, Operation::WithInodeFlags { call, .. }) => {
            // ext4 refuses every change of what is immutable, one that changes nothing, too.
            let is_idle = matches!(**call, Operation::Chown { uid: None, gid: None, .. });
            is_idle && *on == NOT_PERMITTED || is_allowed(peer, call, on, beside)
        }
        // An attribute that is set to the value that it has sets the time of change.
        (Peer::Xfs, Operation::TimesChanged { .. }) => {
            matches!(
                (on, beside),
                (Outcome::Times { modified: false, changed: false }, Outcome::Times { modified: false, .. })
            )
        }
        (Peer::Xfs, Operation::Rename { .. }) => *on == NOT_EMPTY && *beside == EXISTS,
        // Fifos have flags of chattr(1) there.
        (Peer::Xfs, Operation::SetInodeFlags { .. } | Operation::GetInodeFlags { .. }) => *on == NO_SUCH_CALL,
        _ => false,
    }
}

fn is_default_list_removed(operation: &Operation) -> bool {
    matches!(operation, Operation::RemoveXattr { name, .. } if name.0 == b"system.posix_acl_default")
}
