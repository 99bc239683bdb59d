//! What can go wrong with an object store.

use mirror::Error as MirrorError;

/// The result of something about an object store.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something about an object store failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The text is no place.
    #[error("{url}: {why}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such bucket, or directory.
    #[error("{place}: there is no such bucket; make it first, or look at its name and the endpoint (AWS_ENDPOINT_URL)")]
    NoBucket {
        /// Where.
        place: String,
    },
    /// The credentials were refused.
    #[error(
        "{place}: access denied ({why}); look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and what they may do there"
    )]
    Denied {
        /// Where.
        place: String,
        /// What the server said.
        why: String,
    },
    /// The server asks to be left alone for longer than one waits.
    #[error("{place}: it is too busy, also after trying again for a minute; try later, or with --limit-rate")]
    Busy {
        /// Where.
        place: String,
    },
    /// Nobody answers.
    #[error("{place}: cannot be reached: {why}")]
    Away {
        /// Where.
        place: String,
        /// What happened.
        why: String,
    },
    /// An object is not there that should be.
    #[error(
        "{place}/{key}: it is not there; another sync may have taken it away meanwhile: try again, or `pantala mirror verify`"
    )]
    Missing {
        /// Where.
        place: String,
        /// Which object.
        key: String,
    },
    /// An object is not what it should be.
    #[error("{place}/{key}: {what}")]
    Corrupt {
        /// Where.
        place: String,
        /// Which object.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// Something else.
    #[error("{place}: {why}")]
    Other {
        /// Where.
        place: String,
        /// What happened.
        why: String,
    },
    /// Of the layers above.
    #[error(transparent)]
    Mirror(Box<MirrorError>),
}

impl From<MirrorError> for Error {
    fn from(error: MirrorError) -> Self {
        Self::Mirror(Box::new(error))
    }
}

impl From<Error> for MirrorError {
    fn from(error: Error) -> Self {
        match error {
            Error::Mirror(error) => *error,
            error => Self::Objects { why: error.to_string() },
        }
    }
}

/// What the object store's crate says, as a user needs it.
pub(crate) fn of_store(place: &str, key: &str, error: &object_store::Error) -> Error {
    use object_store::Error as E;
    let (place, key) = (place.to_owned(), key.to_owned());
    let text = whole_text(error);
    match error {
        _ if text.contains("NoSuchBucket") => Error::NoBucket { place },
        E::NotFound { .. } => Error::Missing { place, key },
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => Error::Denied { place, why: said(&text) },
        // Servers differ in how they refuse: the crate knows some as errors of their own, and not others.
        _ if DENIALS.iter().any(|word| text.contains(word)) => Error::Denied { place, why: said(&text) },
        _ if BUSY.iter().any(|word| text.contains(word)) => Error::Busy { place },
        _ if AWAY.iter().any(|word| text.contains(word)) => Error::Away { place, why: said(&text) },
        _ => Error::Other { place, why: said(&text) },
    }
}

const DENIALS: [&str; 5] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403 Forbidden", "401 Unauthorized"];
const BUSY: [&str; 4] = ["SlowDown", "503 Service", "429 Too Many", "TooManyRequests"];
const AWAY: [&str; 5] = ["error sending request", "tcp connect", "dns error", "timed out", "Connection refused"];

/// Longest text of a server that is passed on, in characters.
const SAID_MAX: usize = 300;

/// An error with all that caused it.
fn whole_text(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// One line of it.
fn said(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SAID_MAX).collect()
}
