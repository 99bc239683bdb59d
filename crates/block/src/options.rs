//! How a store is to behave; none of it changes what is readable.

use crate::StoreId;
use crate::limits::SEGMENT_BYTES_DEFAULT;

/// Options of a store. They may differ from one opening to the next.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Size of a new segment. A frame that is larger gets a segment of its own size.
    pub segment_bytes: u64,
    /// How bodies are compressed.
    pub compression: Compression,
    /// The identity of a store that is made; random if not given. A simulation gives one to be repeatable.
    pub id: Option<StoreId>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT, compression: Compression::default(), id: None }
    }
}

/// How bodies are compressed as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4, where it gains something.
    #[default]
    Lz4,
}
