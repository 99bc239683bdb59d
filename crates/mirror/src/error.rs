//! What can go wrong with a mirror.

/// The result of something about a mirror.
pub type Result<T> = std::result::Result<T, Error>;

/// Which side of a transfer is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that blocks come from.
    Source,
    /// The side that they go to.
    Target,
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Why something about a mirror failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store of a side failed.
    #[error("the {side}: {error}")]
    Store {
        /// Which one.
        side: Side,
        /// Why.
        error: block::Error,
    },
    /// The other thread of a transfer has failed, and says why.
    #[error("the transfer was given up")]
    Abandoned,
}

impl Error {
    /// An error of a side's store.
    pub(crate) fn of(side: Side) -> impl Fn(block::Error) -> Self {
        move |error| Self::Store { side, error }
    }
}
