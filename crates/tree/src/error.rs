//! What can go wrong with a tree.

use block::Name;

/// The result of an operation on a tree.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on a tree failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The blocks below failed.
    #[error(transparent)]
    Block(#[from] block::Error),

    /// A block that should be a tree node is none. Its hash was right: it was written so.
    #[error("block {name} is no tree node: {reason}")]
    NotANode {
        /// The block.
        name: Name,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A batch was not in the order that [`crate::Edit`] asks for.
    #[error("edits out of order at edit {position} of the batch")]
    OutOfOrder {
        /// The first edit that is not behind the one before it.
        position: usize,
    },

    /// A key or a value is over its limit.
    #[error("{what} of {bytes} bytes is over the limit of {limit_bytes}")]
    TooLarge {
        /// "a key" or "a value".
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
}
