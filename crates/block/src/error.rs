//! What can go wrong with blocks.

use crate::Name;
use std::io;
use std::sync::Arc;

/// The result of an operation on blocks.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, and with which file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused an operation.
    #[error("cannot {operation} {path}: {source}")]
    Disk {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or folder.
        path: String,
        /// The system's reason.
        source: Arc<io::Error>,
    },

    /// No block has this name here.
    #[error("block {name} is missing")]
    Missing {
        /// The block asked for.
        name: Name,
    },

    /// Bytes on disk are not what was written.
    #[error("damaged: {what}")]
    Corrupt {
        /// What is damaged, and where.
        what: String,
    },

    /// The directory holds something else than a store.
    #[error("{path} is not a Pantala store ({why}); give an empty directory or one that `pantala up` made")]
    NotAStore {
        /// The directory.
        path: String,
        /// What was found there.
        why: String,
    },

    /// The store was written by a newer version.
    #[error("the store {path} has format {found}, this pantala reads up to {supported}; use a newer pantala")]
    NewerVersion {
        /// The store's directory.
        path: String,
        /// The version found.
        found: u32,
        /// The newest one this program reads.
        supported: u32,
    },

    /// Another process has the store open.
    #[error(
        "the store {path} is open in another process: wait until that is done or, if it is a node, stop it with `pantala down --store {path}`"
    )]
    Locked {
        /// The store's directory.
        path: String,
    },

    /// An earlier write failed, so the store takes no writes until the disk does again.
    #[error("the store is read-only since a write failed: {reason}")]
    ReadOnly {
        /// The first failure.
        reason: String,
    },

    /// No space is left for more segments.
    #[error("the disk under the store is full")]
    Full,

    /// A block is encrypted, and its key is not here.
    #[error("it is encrypted and locked; `pantala volume unlock` opens it")]
    NoKey,

    /// A block, or its parts, are over a limit.
    #[error("{what} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Error {
    /// An operation that the disk refused. A disk without space is [`Error::Full`].
    pub(crate) fn disk(operation: &'static str, path: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk { operation, path: path.to_owned(), source: Arc::new(source) },
        }
    }
}
