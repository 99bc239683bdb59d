//! What can go wrong in a volume, and the errno that POSIX names for it.

use libc::c_int;

/// The result of an operation on a volume.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on a volume failed.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    #[error("no such file or directory")]
    NotFound,
    #[error("the file is there already")]
    Exists,
    #[error("not a directory")]
    NotADirectory,
    #[error("is a directory")]
    IsADirectory,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("the name is too long")]
    NameTooLong,
    #[error("the inode has too many links")]
    TooManyLinks,
    #[error("the file would be too large")]
    FileTooLarge,
    #[error("the volume's quota is used up; `pantala volume set NAME quota=SIZE` raises it")]
    QuotaExceeded,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("operation not permitted: {0}")]
    NotPermitted(&'static str),
    #[error("no such attribute")]
    NoAttribute,
    #[error("the attribute is too large for the buffer or for the volume")]
    OutOfRange,
    #[error("the attribute's value is too large")]
    ValueTooLarge,
    #[error("there is no data at or behind this offset")]
    BehindEnd,
    #[error("it is a replica, which only a mirror changes; `pantala mirror promote` makes it writable")]
    Replica,
    #[error("not now: {0}")]
    Busy(&'static str),
    #[error("not supported: {0}")]
    NotSupported(&'static str),
    /// A record in the tree is not what this version writes.
    #[error("a record of inode {inode} is damaged: {what}")]
    Damaged { inode: u64, what: &'static str },
    #[error("{what} was written by a newer pantala; use that one")]
    Newer { what: &'static str },
    /// The tree or the blocks below failed.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}

impl From<block::Error> for Error {
    fn from(error: block::Error) -> Self {
        Self::Tree(error.into())
    }
}

impl Error {
    /// Whether the disk has no space.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Tree(tree::Error::Block(block::Error::Full)))
    }

    /// Whether a block is not there.
    pub(crate) fn is_missing_block(&self) -> bool {
        matches!(self, Self::Tree(tree::Error::Block(block::Error::Missing { .. })))
    }

    /// Whether something on the disk is not what was written, or is not there.
    pub(crate) fn is_damage(&self) -> bool {
        use block::Error::{Corrupt, Disk, Missing};
        let is_lost = |error: &block::Error| matches!(error, Corrupt { .. } | Missing { .. } | Disk { .. });
        match self {
            Self::Damaged { .. } | Self::Tree(tree::Error::NotANode { .. }) => true,
            Self::Tree(tree::Error::Block(error)) => is_lost(error),
            _ => false,
        }
    }

    /// The errno that a system call returns for it.
    pub fn errno(&self) -> c_int {
        match self {
            Self::NotFound => libc::ENOENT,
            Self::Exists => libc::EEXIST,
            Self::NotADirectory => libc::ENOTDIR,
            Self::IsADirectory => libc::EISDIR,
            Self::NotEmpty => libc::ENOTEMPTY,
            Self::NameTooLong => libc::ENAMETOOLONG,
            Self::TooManyLinks => libc::EMLINK,
            Self::FileTooLarge => libc::EFBIG,
            Self::QuotaExceeded => libc::EDQUOT,
            Self::Invalid(_) => libc::EINVAL,
            Self::NotPermitted(_) => libc::EPERM,
            Self::NoAttribute => libc::ENODATA,
            Self::OutOfRange => libc::ERANGE,
            Self::ValueTooLarge => libc::E2BIG,
            Self::BehindEnd => libc::ENXIO,
            Self::Replica => libc::EROFS,
            Self::Busy(_) => libc::EBUSY,
            Self::NotSupported(_) => libc::EOPNOTSUPP,
            Self::Damaged { .. } | Self::Newer { .. } => libc::EIO,
            Self::Tree(error) => tree_errno(error),
        }
    }
}

fn tree_errno(error: &tree::Error) -> c_int {
    match error {
        tree::Error::Block(block::Error::Full) => libc::ENOSPC,
        tree::Error::Block(block::Error::ReadOnly { .. }) => libc::EROFS,
        tree::Error::Block(block::Error::NoKey) => libc::ENOKEY,
        _ => libc::EIO,
    }
}
