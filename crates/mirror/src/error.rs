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
    /// The pool of a side failed.
    #[error("the {side}: {error}")]
    Pool {
        /// Which one.
        side: Side,
        /// Why.
        error: volume::PoolError,
    },
    /// The volume is in the catalog and could not be opened.
    #[error("the volume {volume} is not open; `pantala status` may say why")]
    NotOpen {
        /// Its name.
        volume: String,
    },
    /// The target has no replica of the volume.
    #[error(
        "there is no replica of {volume} at the target: it is another drive or store, or it was never added; `pantala mirror add` makes one"
    )]
    NoReplica {
        /// The volume's name at the source.
        volume: String,
    },
    /// The target's replica was promoted, so it has a state of its own.
    #[error(
        "{volume} at the target is writable: it was promoted, or is the original; `--both` gives each side what the other one did, and `--replace` makes it a replica again and keeps what it has in its history"
    )]
    Promoted {
        /// Its name at the target.
        volume: String,
    },
    /// A two-way sync needs two writable volumes.
    #[error(
        "{volume} at {place} is a replica, which only follows; `pantala mirror promote {volume}` there makes it writable, then both can go on"
    )]
    OnlyFollows {
        /// Its name.
        volume: String,
        /// Whose it is: this side, or the other side.
        place: &'static str,
    },
    /// The two volumes of a two-way sync are not one.
    #[error("{ours} here and {theirs} there are not the same volume; one has to begin as a replica of the other")]
    Strangers {
        /// Its name on this side.
        ours: String,
        /// Its name on the other side.
        theirs: String,
    },
    /// The other side never stands still.
    #[error(
        "{volume} changes at the other side faster than it can be merged; what was merged stays here, try again when it is quieter"
    )]
    Restless {
        /// Its name.
        volume: String,
    },
    /// Another sync to the replica is under way.
    #[error("another sync to {volume} is under way; wait for its end")]
    Busy {
        /// Its name at the target.
        volume: String,
    },
    /// The link to the other process is of no use.
    #[error("the other side: {why}")]
    Link {
        /// What happened.
        why: String,
    },
    /// The other process said why it cannot.
    #[error("{text}")]
    Remote {
        /// Its words.
        text: String,
    },
    /// The other process speaks another version.
    #[error(
        "{program} at the other side speaks version {theirs} of the mirror protocol, this one {ours}; use the same pantala on both"
    )]
    Version {
        /// The other side's version.
        theirs: u16,
        /// The other side's program.
        program: String,
        /// The version of this side.
        ours: u16,
    },
    /// An object store failed.
    #[error("{why}")]
    Objects {
        /// What happened, where.
        why: String,
    },
    /// The other thread of a transfer has failed, and says why.
    #[error("the transfer was given up")]
    Abandoned,
}

impl Error {
    /// An error of a side's pool.
    pub(crate) fn of_pool(side: Side) -> impl Fn(volume::PoolError) -> Self {
        move |error| Self::Pool { side, error }
    }

    /// A volume that is in the catalog and not open.
    pub(crate) fn not_open(volume: &str) -> Self {
        Self::NotOpen { volume: volume.to_owned() }
    }

    /// An error of a side's store.
    pub(crate) fn of(side: Side) -> impl Fn(block::Error) -> Self {
        move |error| Self::Store { side, error }
    }
}
