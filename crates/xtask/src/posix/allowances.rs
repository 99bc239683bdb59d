//! What is not compared, and why. Everything else has to be equal.

use super::operation::Operation;
use super::peer::Peer;

/// What Pantala does not have yet: the test knows how to do it, and does so as soon as the line is gone from [`NOT_YET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotYet {
    /// `system.posix_acl_*`.
    AccessLists,
    /// O_TMPFILE.
    UnnamedFiles,
    /// RENAME_WHITEOUT.
    Whiteouts,
    /// FALLOC_FL_COLLAPSE_RANGE.
    CollapseRange,
    /// FALLOC_FL_INSERT_RANGE.
    InsertRange,
    /// FS_IOC_SETFLAGS, as chattr(1) has it.
    InodeFlags,
    /// st_atime after reads.
    AccessTimes,
}

const NOT_YET: &[NotYet] = &[
    NotYet::AccessLists,
    NotYet::UnnamedFiles,
    NotYet::Whiteouts,
    NotYet::CollapseRange,
    NotYet::InsertRange,
    NotYet::InodeFlags,
    NotYet::AccessTimes,
];

pub(super) fn is_not_yet(feature: NotYet) -> bool {
    NOT_YET.contains(&feature)
}

/// The longest target of a symbolic link in xfs (XFS_SYMLINK_MAXLEN).
const XFS_SYMLINK_BYTES_MAX: usize = 1024;

/// Whether the file system to compare with cannot do something that POSIX and ext4 have.
pub(super) fn is_beyond(peer: Peer, operation: &Operation) -> bool {
    match (peer, operation) {
        (Peer::Xfs, Operation::Symlink { to, .. }) => to.0.len() >= XFS_SYMLINK_BYTES_MAX,
        _ => false,
    }
}
