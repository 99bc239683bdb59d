//! What a batch does to a tree.

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::{Error, Result};
use block::Name;
use bytes::Bytes;

/// One change of a batch.
///
/// A batch is sorted: by key, and each [`Edit::Clear`] by its `from`, before an edit of the same key. Clears do not overlap one
/// another. A put inside a cleared range survives: the range is cleared of what was there before the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a key.
    Put {
        /// The key.
        key: Bytes,
        /// Its value.
        value: Bytes,
        /// The block that the value refers to.
        link: Option<Name>,
    },
    /// Removes a key; one that is not there is no error.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes every key from `from` up to, but not including, `to`.
    Clear {
        /// First key removed.
        from: Bytes,
        /// First key kept.
        to: Bytes,
    },
}

impl Edit {
    /// Where the edit stands in the order of a batch.
    pub(crate) fn position(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
            Self::Clear { from, .. } => from,
        }
    }

    fn is_clear(&self) -> bool {
        matches!(self, Self::Clear { .. })
    }
}

/// Checks the order and the limits that [`crate::Tree::apply`] relies on.
pub(crate) fn check(edits: &[Edit]) -> Result<()> {
    let mut cleared_to: &[u8] = &[];
    for (position, edit) in edits.iter().enumerate() {
        if let Some(before) = position.checked_sub(1).map(|before| &edits[before]) {
            let ordered = match before.position().cmp(edit.position()) {
                std::cmp::Ordering::Less => true,
                std::cmp::Ordering::Equal => before.is_clear() && !edit.is_clear(),
                std::cmp::Ordering::Greater => false,
            };
            if !ordered {
                return Err(Error::OutOfOrder { position });
            }
        }
        match edit {
            Edit::Put { key, value, .. } => {
                within("a key", key.len(), KEY_BYTES_MAX)?;
                within("a value", value.len(), VALUE_BYTES_MAX)?;
            }
            Edit::Clear { from, to } => {
                if from >= to || &from[..] < cleared_to {
                    return Err(Error::OutOfOrder { position });
                }
                cleared_to = to;
            }
            Edit::Delete { .. } => {}
        }
    }
    Ok(())
}

fn within(what: &'static str, bytes: usize, limit_bytes: usize) -> Result<()> {
    if bytes > limit_bytes { Err(Error::TooLarge { what, bytes, limit_bytes }) } else { Ok(()) }
}
